//! Tokens for the components of the system.
//!
//! A component proves which one it is with a short-lived JWT, signed with a private key that only it has; the
//! settings of this service list the public keys. So no secret is shared, and nothing here can be stolen that
//! would let somebody pass for a component. docs/adr/0005 tells what else was considered.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use diracx_server::{
    KeyStore,
    token::{
        ASSERTION_ALGORITHMS, COMPONENT_TOKEN_LIFETIME, Claims, ComponentClaims, KeyStoreError, TokenError,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    audit,
    deps::Deps,
    error::{Error, Result},
};

/// Assertions are made for the moment: this is how long one may be good.
const LONGEST_ASSERTION: Duration = Duration::minutes(10);

/// The public keys of components, by their names.
#[derive(Debug, Default)]
pub struct ComponentKeys(BTreeMap<String, KeyStore>);

impl ComponentKeys {
    /// Reads a JSON object that has for each component its JWK set.
    ///
    /// # Errors
    /// If it is none; names the component whose keys cannot be used.
    pub fn parse(document: &str) -> Result<Self, BadComponentKeys> {
        let sets: BTreeMap<String, Value> =
            serde_json::from_str(document).map_err(|_| BadComponentKeys::NotAnObject)?;
        let read = |(component, set): (String, Value)| match KeyStore::parse(&set.to_string()) {
            Ok(keys) => Ok((component, keys)),
            Err(source) => Err(BadComponentKeys::Keys { component, source }),
        };
        sets.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Which component made this assertion for `audience`.
    fn prove(&self, assertion: &str, audience: &str, now: DateTime<Utc>) -> Result<&str, TokenError> {
        let proven = self.0.iter().find_map(|(component, keys)| {
            keys.verify(assertion, &ASSERTION_ALGORITHMS).ok().map(|payload| (component.as_str(), payload))
        });
        let (component, payload) = proven.ok_or(TokenError::Invalid("no component has signed it"))?;
        let claims = AssertionClaims::from_payload(&payload)?;
        claims.check_expiry(now)?;
        if claims.exp > (now + LONGEST_ASSERTION).timestamp() {
            return Err(TokenError::Invalid("an assertion must not be good for more than ten minutes"));
        }
        if claims.sub != component || claims.iss != component {
            return Err(TokenError::Invalid("iss and sub must be the component"));
        }
        if !claims.aud.contains(audience) {
            return Err(TokenError::Invalid("made for somebody else"));
        }
        Ok(component)
    }
}

/// Keys of components that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadComponentKeys {
    /// The document has another form.
    #[error("must be a JSON object with a JWK set for each component")]
    NotAnObject,
    /// The keys of one component.
    #[error("the keys of {component}: {source}")]
    Keys {
        /// Whose.
        component: String,
        /// What is wrong with them.
        source: KeyStoreError,
    },
}

/// What a component says (RFC 7523): that it is itself, to us, now.
#[derive(Debug, Serialize, Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

impl Claims for AssertionClaims {
    const FOREIGN: &'static [&'static str] = &["dirac_component", "legacy_exchange", "dirac_properties"];

    fn exp(&self) -> i64 {
        self.exp
    }
}

/// A component's token. Not `Debug`: it is a secret.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) expires_in: Duration,
}

/// The token of `component`, if the assertion is its own.
pub(crate) fn issue(deps: &Deps, component: &str, assertion: &str) -> Result<Issued> {
    let now = deps.clock.now();
    let issuer = deps.minter.issuer();
    let proven = deps.settings.component_keys.prove(assertion, issuer, now).map_err(Error::Assertion)?;
    if proven != component {
        return Err(Error::OtherComponent { proven: proven.to_owned() });
    }
    let claims = ComponentClaims::new(component, issuer, now, COMPONENT_TOKEN_LIFETIME);
    audit::component(component, claims.jti);
    Ok(Issued { access_token: deps.minter.mint(&claims)?, expires_in: COMPONENT_TOKEN_LIFETIME })
}
