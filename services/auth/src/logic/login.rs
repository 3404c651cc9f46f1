//! The visit of a browser to the identity provider, which both kinds of login have in their middle.

use diracx_core::{config::IdP, scope::ScopeError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    codes,
    deps::Deps,
    error::{Error, Result},
    idp::{IdpError, LoginAnswer, LoginRequest},
};

/// Longer texts from a browser are cut, or refused where that makes no sense.
const MAX_TEXT: usize = 2048;

/// What the sealed state holds. The names are DiracX's. Not `Debug`: verifiers and codes are secrets.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) vo: String,
    code_verifier: String,
    #[serde(flatten)]
    pub(crate) login: Login,
}

/// Which login the browser is here for.
#[derive(Serialize, Deserialize)]
#[serde(tag = "grant_type")]
pub(crate) enum Login {
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    Device { user_code: String },
    #[serde(rename = "authorization_code")]
    Authorization { uuid: String, external_state: String },
}

/// What the browser brings back from the identity provider.
pub(crate) struct Callback {
    pub(crate) code: String,
    pub(crate) state: String,
    /// Where it came back to.
    pub(crate) at: String,
    pub(crate) error: String,
    pub(crate) error_description: String,
    /// Who sent it back, or empty (RFC 9207).
    pub(crate) issuer: String,
}

/// What the identity provider told about the person.
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) id_token: Map<String, Value>,
}

/// Where the browser goes to log in to `vo`.
pub(crate) async fn begin(deps: &Deps, vo: &str, callback_url: &str, login: Login) -> Result<String> {
    check_url("callback_url", callback_url)?;
    let idp = provider(deps, vo)?;
    let code_verifier = codes::verifier()?;
    let code_challenge = codes::challenge(&code_verifier);
    let state = State { vo: vo.to_owned(), code_verifier, login };
    let state = deps.settings.state_key.seal(&state, deps.clock.now())?;
    let request = LoginRequest { callback_url, code_challenge: &code_challenge, state: &state };
    Ok(deps.identity_providers.authorization_url(&idp, &request).await?)
}

/// Opens the state of a callback: tells which login the browser is here for.
pub(crate) fn open(deps: &Deps, callback: &Callback) -> Result<State> {
    deps.settings.state_key.open(&callback.state)
}

/// Refuses what another provider sent: it could make a person log in with an answer meant for somebody else.
pub(crate) async fn must_be_from_its_provider(deps: &Deps, state: &State, callback: &Callback) -> Result<()> {
    let idp = provider(deps, &state.vo)?;
    Ok(deps.identity_providers.check_answer(&idp, &callback.issuer).await?)
}

/// Whether the person, or the policy of the provider, said no to this login.
pub(crate) fn is_denied(callback: &Callback) -> bool {
    callback.error == "access_denied"
}

/// What the provider says if it refuses the login.
pub(crate) fn refusal(callback: &Callback) -> Option<Error> {
    let cut = |text: &str| text.chars().take(MAX_TEXT).collect();
    let (error, description) = (cut(&callback.error), cut(&callback.error_description));
    (!callback.error.is_empty()).then(|| Error::Idp(IdpError::LoginRefused { error, description }.into()))
}

/// Refuses if the provider did, and what no provider sends.
pub(crate) fn must_be_allowed(callback: &Callback) -> Result<()> {
    if let Some(refused) = refusal(callback) {
        return Err(refused);
    }
    if callback.code.is_empty() || callback.code.len() > MAX_TEXT * 4 {
        return Err(Error::Field { field: "code", problem: "must be what the identity provider sent" });
    }
    check_url("callback_url", &callback.at)
}

/// Asks the identity provider who the person is.
pub(crate) async fn identify(deps: &Deps, state: &State, callback: &Callback) -> Result<Person> {
    let idp = provider(deps, &state.vo)?;
    let answer =
        LoginAnswer { code: &callback.code, code_verifier: &state.code_verifier, callback_url: &callback.at };
    let claims = deps.identity_providers.finish_login(&idp, &answer).await?;
    Ok(Person { subject: claims.sub, id_token: claims.all })
}

/// Whom an ID token that was stored is about.
pub(crate) fn stored_subject<'a>(id_token: Option<&'a Value>, kind: &'static str) -> Result<&'a str> {
    id_token.and_then(|token| token.get("sub")).and_then(Value::as_str).ok_or(Error::StoredIdToken(kind))
}

fn provider(deps: &Deps, vo: &str) -> Result<IdP> {
    let config = deps.config()?;
    Ok(config.vo(vo).ok_or_else(|| ScopeError::UnknownVo(vo.to_owned()))?.idp.clone())
}

/// Refuses what no browser can be sent to.
fn check_url(field: &'static str, url: &str) -> Result<()> {
    let absolute = url.starts_with("http://") || url.starts_with("https://");
    let clean = url.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if absolute && clean && url.len() <= MAX_TEXT {
        Ok(())
    } else {
        Err(Error::Field { field, problem: "must be an absolute http or https URL" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_content_of_a_state_has_the_names_of_diracx() {
        let state = State {
            vo: "lhcb".into(),
            code_verifier: "v".into(),
            login: Login::Device { user_code: "BCDFGHJK".into() },
        };
        assert_eq!(
            serde_json::to_value(&state).unwrap(),
            json!({
                "vo": "lhcb", "code_verifier": "v", "user_code": "BCDFGHJK",
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code"
            })
        );
    }

    #[test]
    fn a_callback_is_a_web_address() {
        for url in ["http://127.0.0.1:8000/api/auth/device/complete", "https://diracx.example/x"] {
            assert!(check_url("callback_url", url).is_ok(), "{url}");
        }
        for url in ["", "/relative", "javascript:alert(1)", "http://a b", "http://a\r\nX: y"] {
            assert!(check_url("callback_url", url).is_err(), "{url}");
        }
    }
}
