//! The ID token: what an identity provider says about somebody, and whether we believe it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{error::IdpError, keys::Keys};

/// Longer tokens are not looked at.
const MAX_LENGTH: usize = 64 * 1024;

/// How far the clock of a provider may be ahead of ours, in seconds. There is no such mercy for `exp`.
const CLOCK_SKEW: i64 = 30;

/// How deep claims may be nested, themselves included. They are stored, and MariaDB takes no more than 31 levels.
const MAX_DEPTH: usize = 16;

/// What an ID token says, once believed. Not `Debug`: it is about a person.
pub(crate) struct Claims {
    /// The person's subject at the provider.
    pub(crate) sub: String,
    /// Everything, as the provider wrote it.
    pub(crate) all: Map<String, Value>,
}

/// What we demand of a token.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) algorithms: &'a [String],
    pub(crate) now: DateTime<Utc>,
}

/// A token taken apart; nothing of it is believed.
pub(crate) struct Unverified<'a> {
    alg: String,
    kid: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl<'a> Unverified<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, IdpError> {
        let malformed = || IdpError::IdToken("it is not a signed JWT");
        if token.len() > MAX_LENGTH {
            return Err(malformed());
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| malformed())?;
        if header.crit.is_some() {
            return Err(IdpError::IdToken("it has critical extensions"));
        }
        let claims = serde_json::from_slice(&decoded(payload)?).map_err(|_| malformed())?;
        Ok(Self { alg: header.alg, kid: header.kid, signed, signature: decoded(signature)?, claims })
    }

    pub(crate) fn is_signed_by(&self, keys: &Keys) -> bool {
        keys.verify(&self.alg, self.kid.as_deref(), self.signed.as_bytes(), &self.signature)
    }

    /// The claims, if they are those of a token for us. The signature is checked elsewhere.
    pub(crate) fn claims(self, expected: &Expected<'_>) -> Result<Claims, IdpError> {
        let bad = |problem| Err(IdpError::IdToken(problem));
        if !expected.algorithms.contains(&self.alg) {
            return bad("it is signed with an algorithm that the provider does not announce");
        }
        let all = self.claims;
        if all.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
            return bad("it is from another issuer");
        }
        let for_us = match all.get("aud") {
            Some(Value::String(audience)) => audience == expected.client_id,
            Some(Value::Array(audiences)) => {
                audiences.iter().any(|audience| audience.as_str() == Some(expected.client_id))
            }
            _ => false,
        };
        if !for_us {
            return bad("it is for another audience");
        }
        // a token for several audiences names the one that asked for it
        if all.get("azp").is_some_and(|party| party.as_str() != Some(expected.client_id)) {
            return bad("it was given to another client");
        }
        if all.values().any(|value| depth(value) >= MAX_DEPTH) {
            return bad("its claims are nested too deeply");
        }
        let now = expected.now.timestamp();
        let Some(exp) = seconds(&all, "exp") else { return bad("it does not say when it expires") };
        let Some(iat) = seconds(&all, "iat") else { return bad("it does not say when it was issued") };
        if exp <= now {
            return bad("it has expired");
        }
        if iat > now + CLOCK_SKEW {
            return bad("it was issued in the future");
        }
        if all.contains_key("nbf") && seconds(&all, "nbf").is_none_or(|nbf| nbf > now + CLOCK_SKEW) {
            return bad("it is not valid yet");
        }
        match all.get("sub").and_then(Value::as_str) {
            Some(sub) if !sub.trim().is_empty() => Ok(Claims { sub: sub.to_owned(), all }),
            _ => bad("it does not say whom it is about"),
        }
    }
}

/// How many lists and objects are within each other. What was parsed is not nested deeply enough to hurt.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A time in seconds since 1970; providers may write fractions.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    #[expect(clippy::cast_possible_truncation, reason = "a float that is cut is far from now either way")]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({"alg": "RS256", "kid": "a"})), part(claims))
    }

    fn check(change: impl FnOnce(&mut Map<String, Value>), expected: Result<&str, &str>) {
        let now = Utc.timestamp_opt(1_000_000, 0).unwrap();
        let mut claims = json!({
            "iss": "https://idp", "aud": "client", "exp": 1_000_001, "iat": 1_000_000, "sub": "alice"
        });
        change(claims.as_object_mut().unwrap());
        let expectation =
            Expected { issuer: "https://idp", client_id: "client", algorithms: &["RS256".to_owned()], now };
        let found = Unverified::parse(&token(&claims)).unwrap().claims(&expectation);
        let found = found.map(|claims| claims.sub).map_err(|error| match error {
            IdpError::IdToken(problem) => problem,
            other => panic!("{other}"),
        });
        assert_eq!(found.as_deref().map_err(|problem| *problem), expected, "{claims}");
    }

    fn nested(levels: usize) -> Value {
        (0..levels)
            .fold(json!(1), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) })
    }

    fn set(claims: &mut Map<String, Value>, name: &str, value: Value) {
        claims.insert(name.to_owned(), value);
    }

    #[test]
    fn a_token_for_us_is_believed() {
        check(|_| {}, Ok("alice"));
        check(|c| set(c, "aud", json!(["other", "client"])), Ok("alice"));
        check(|c| set(c, "exp", json!(1_000_010.5)), Ok("alice"));
        check(|c| set(c, "iat", json!(1_000_005)), Ok("alice"));
        check(|c| set(c, "azp", json!("client")), Ok("alice"));
        check(|c| set(c, "deep", nested(MAX_DEPTH - 1)), Ok("alice"));
    }

    #[test]
    fn each_claim_that_is_missing_or_wrong_is_named() {
        check(|c| set(c, "iss", json!("https://idp/")), Err("it is from another issuer"));
        check(|c| set(c, "aud", json!("other")), Err("it is for another audience"));
        check(|c| set(c, "aud", json!([])), Err("it is for another audience"));
        check(|c| drop(c.remove("aud")), Err("it is for another audience"));
        check(|c| set(c, "exp", json!(1_000_000)), Err("it has expired"));
        check(|c| set(c, "exp", json!("never")), Err("it does not say when it expires"));
        check(|c| set(c, "exp", json!(-1e300)), Err("it has expired"));
        check(|c| drop(c.remove("iat")), Err("it does not say when it was issued"));
        check(|c| set(c, "iat", json!(1_000_100)), Err("it was issued in the future"));
        check(|c| set(c, "nbf", json!(1_000_100)), Err("it is not valid yet"));
        check(|c| set(c, "azp", json!("other")), Err("it was given to another client"));
        check(|c| set(c, "azp", json!(["client"])), Err("it was given to another client"));
        check(|c| set(c, "deep", nested(MAX_DEPTH)), Err("its claims are nested too deeply"));
        check(|c| set(c, "sub", json!("")), Err("it does not say whom it is about"));
        check(|c| set(c, "sub", json!(" \t")), Err("it does not say whom it is about"));
        check(|c| set(c, "sub", json!(7)), Err("it does not say whom it is about"));
    }

    #[test]
    fn texts_that_are_no_tokens_are_refused() {
        for text in ["", ".", "..", "a.b.c", "e30.e30.e30", &"a".repeat(MAX_LENGTH + 1)] {
            assert!(Unverified::parse(text).is_err(), "{text:?}");
        }
    }
}
