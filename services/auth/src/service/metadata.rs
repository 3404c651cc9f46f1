//! What the world may know of this installation.

use chrono::{DateTime, Days, Utc};
use diracx_core::config::{Config, RegistryVo};
use diracx_proto::auth::v1 as pb;
use serde_json::{Map, Value};

use crate::{deps::Deps, error::Result};

/// Where to report what concerns DiracX everywhere, for installations that name no contact.
const FALLBACK_CONTACT: &str = "https://github.com/DIRACGrid/diracx/security";

/// How long a security contact is promised to be right, in days. The standard asks for less than a year.
const CONTACT_GOOD_FOR: Days = Days::new(180);

/// The public keys.
pub(super) fn jwks(deps: &Deps) -> pb::GetJwksResponse {
    let keys = deps.token.keys.current();
    pb::GetJwksResponse { keys: keys.keys().iter().map(|key| jwk(key.public_document())).collect() }
}

fn jwk(document: &Map<String, Value>) -> pb::JsonWebKey {
    let member = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let ops = document.get("key_ops").and_then(Value::as_array);
    pb::JsonWebKey {
        kid: member("kid").unwrap_or_default(),
        kty: member("kty").unwrap_or_default(),
        alg: member("alg").unwrap_or_default(),
        key_ops: ops.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        r#use: member("use"),
        crv: member("crv"),
        x: member("x"),
        y: member("y"),
        n: member("n"),
        e: member("e"),
    }
}

/// The discovery document, without its addresses.
pub(super) fn server(deps: &Deps) -> Result<pb::GetServerMetadataResponse> {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let config = deps.config()?;
    let of_vos = config.registry.iter().flat_map(|(name, vo)| {
        let groups = vo.groups.keys().map(|group| format!("group:{group}"));
        std::iter::once(format!("vo:{name}")).chain(groups)
    });
    let properties =
        deps.settings.advertised_properties.iter().map(|property| format!("property:{property}"));
    Ok(pb::GetServerMetadataResponse {
        issuer: deps.minter.issuer().to_owned(),
        grant_types_supported: texts(&["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]),
        scopes_supported: of_vos.chain(properties).collect(),
        response_types_supported: texts(&["code"]),
        token_endpoint_auth_signing_alg_values_supported: deps
            .token
            .algorithms
            .iter()
            .map(|algorithm| algorithm.as_str().to_owned())
            .collect(),
        token_endpoint_auth_methods_supported: texts(&["none"]),
        code_challenge_methods_supported: texts(&["S256"]),
        client_id: deps.settings.client_id.clone(),
    })
}

/// The VOs.
pub(super) fn installation(deps: &Deps) -> Result<pb::GetInstallationMetadataResponse> {
    let config = deps.config()?;
    let virtual_organizations = config.registry.iter().map(|(name, vo)| virtual_organization(name, vo));
    Ok(pb::GetInstallationMetadataResponse { virtual_organizations: virtual_organizations.collect() })
}

fn virtual_organization(name: &str, vo: &RegistryVo) -> pb::VirtualOrganization {
    let groups = vo.groups.iter().map(|(name, group)| pb::DiracGroup {
        name: name.clone(),
        properties: group.properties.iter().cloned().collect(),
    });
    pb::VirtualOrganization {
        name: name.to_owned(),
        groups: groups.collect(),
        support: Some(pb::Support {
            message: vo.support.message.clone(),
            webpage: vo.support.webpage.clone(),
            email: vo.support.email.clone(),
        }),
        default_group: vo.default_group.clone(),
    }
}

/// Whom to tell about a vulnerability (RFC 9116). Answers also while there is no configuration.
pub(super) fn security_contact(deps: &Deps) -> pb::GetSecurityContactResponse {
    let config = deps.config().ok();
    let setting = deps.settings.security_contact.as_deref();
    pb::GetSecurityContactResponse { document: document(setting, config.as_deref(), deps.clock.now()) }
}

fn document(setting: Option<&str>, config: Option<&Config>, now: DateTime<Utc>) -> String {
    let mut contacts: Vec<String> = match (setting, config) {
        (Some(contact), _) => vec![contact.to_owned()],
        (None, Some(config)) => {
            let of_vos = config.registry.values().filter_map(|vo| vo.support.email.as_ref());
            of_vos.filter(|email| is_one_word(email)).map(|email| format!("mailto:{email}")).collect()
        }
        (None, None) => Vec::new(),
    };
    contacts.dedup();
    if contacts.is_empty() {
        contacts.push(FALLBACK_CONTACT.to_owned());
    }
    let contacts: Vec<_> = contacts.iter().map(|contact| format!("Contact: {contact}\n")).collect();
    let expires = now.checked_add_days(CONTACT_GOOD_FOR).unwrap_or(now).date_naive();
    format!("{}Expires: {expires}T23:59:59.000Z\nPreferred-Languages: en\n", contacts.concat())
}

/// Whether it can stand in a line of the document without beginning another one.
fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn the_security_contact_is_the_settings_or_the_vos_and_good_for_half_a_year() {
        let now = Utc.with_ymd_and_hms(2026, 11, 23, 5, 0, 0).unwrap();
        let config = crate::fixtures::config("https://idp.invalid");
        let rest = "Expires: 2027-05-22T23:59:59.000Z\nPreferred-Languages: en\n";
        assert_eq!(
            document(Some("mailto:sec@x.org"), Some(&config), now),
            format!("Contact: mailto:sec@x.org\n{rest}")
        );
        assert_eq!(document(None, Some(&config), now), format!("Contact: mailto:help@ilc.invalid\n{rest}"));
        assert_eq!(document(None, None, now), format!("Contact: {FALLBACK_CONTACT}\n{rest}"));
    }
}
