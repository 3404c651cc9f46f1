//! `GET /dev-idp/authorize`: who are you?

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{DevIdp, codes::Grant, page, people::Person};

/// The query of RFC 6749 §4.1.1 with RFC 7636 §4.3. Absent parameters are empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Login {
    response_type: String,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) state: String,
    pub(super) code_challenge: String,
    code_challenge_method: String,
    pub(super) nonce: Option<String>,
    #[serde(rename = "login_hint")]
    hint: Option<String>,
}

/// Answers with a page to click on, or, if the request says who it is, with the way back.
pub(super) async fn authorize(
    State(DevIdp(idp)): State<DevIdp>,
    headers: HeaderMap,
    login: Result<Query<Login>, QueryRejection>,
) -> Response {
    let login = match login {
        Ok(Query(login)) => login,
        Err(rejection) => return refusal(&rejection.body_text()),
    };
    let Some(people) = idp.people.of_client(&login.client_id) else {
        return refusal("The client_id is not one of the configuration.");
    };
    if let Err(problem) = login.check() {
        return refusal(problem);
    }
    let Some(name) = login.hint.clone().or_else(|| basic_user(&headers)) else {
        return page::choose(&login, &people).into_response();
    };
    match people.into_iter().find(|person| person.name == name) {
        Some(person) => {
            let back = login.way_back(&idp.codes.issue(login.grant(person), idp.clock.now()));
            ([(header::CACHE_CONTROL, "no-store")], Redirect::to(&back)).into_response()
        }
        None => refusal(&format!("Nobody called {name} is in the configuration.")),
    }
}

impl Login {
    fn check(&self) -> Result<(), &'static str> {
        if self.response_type != "code" {
            return Err("The response_type must be code.");
        }
        if self.code_challenge_method != "S256" || self.code_challenge.len() != 43 {
            return Err("A code_challenge of the method S256 is required.");
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return Err("The scope must contain openid.");
        }
        if !is_own_callback(&self.redirect_uri) {
            return Err("The redirect_uri must be a login callback of DiracX on this machine.");
        }
        Ok(())
    }

    fn grant(&self, person: Person) -> Grant {
        Grant {
            person,
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            code_challenge: self.code_challenge.clone(),
            nonce: self.nonce.clone(),
        }
    }

    fn way_back(&self, code: &str) -> String {
        format!("{}?code={code}&state={}", self.redirect_uri, page::percent_encoded(&self.state))
    }

    /// The query that asks the same again, without a name.
    pub(super) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let mut parameters = vec![
            ("response_type", self.response_type.as_str()),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &self.state),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ];
        parameters.extend(self.nonce.as_deref().map(|nonce| ("nonce", nonce)));
        parameters
    }
}

/// Codes go to DiracX on a loopback address and nowhere else.
fn is_own_callback(redirect_uri: &str) -> bool {
    let Ok(uri) = redirect_uri.parse::<Uri>() else { return false };
    let on_loopback = uri.host().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    let plain = uri.query().is_none() && !redirect_uri.contains(['#', '@']);
    let callback = ["/api/auth/device/complete", "/api/auth/authorize/complete"].contains(&uri.path());
    uri.scheme_str() == Some("http") && on_loopback && plain && callback
}

/// The user name of HTTP Basic authentication; a password is not looked at.
fn basic_user(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, _) = text.split_once(':')?;
    (scheme.eq_ignore_ascii_case("basic") && !user.is_empty()).then(|| user.to_owned())
}

fn refusal(problem: &str) -> Response {
    (StatusCode::BAD_REQUEST, page::refusal(problem)).into_response()
}

#[cfg(test)]
mod tests {
    use super::is_own_callback;

    #[test]
    fn codes_go_only_to_diracx_on_this_machine() {
        #[track_caller]
        fn check(uri: &str, expected: bool) {
            assert_eq!(is_own_callback(uri), expected, "{uri}");
        }
        check("http://127.0.0.1:8000/api/auth/device/complete", true);
        check("http://localhost:8000/api/auth/authorize/complete", true);
        check("http://[::1]:8000/api/auth/device/complete", true);
        check("http://127.0.0.1:8000/api/auth/device/complete?x=1", false);
        check("http://127.0.0.1:8000/api/auth/device/complete#x", false);
        check("http://127.0.0.1:8000/elsewhere", false);
        check("http://example.org/api/auth/device/complete", false);
        check("http://127.0.0.1@example.org/api/auth/device/complete", false);
        check("https://127.0.0.1/api/auth/device/complete", false);
        check("javascript:alert(1)", false);
        check("", false);
    }
}
