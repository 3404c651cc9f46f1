//! The people of the tests: alice and bob of VO alpha, dave of VO beta, carol who administers jobs,
//! petra who is a pilot, and others. Each comes with a token.

use anyhow::{Result, ensure};
use diracx_server::{identity::RawToken, token::AccessClaims};
use serde_json::{Map, Value};

/// The issuer that tests use.
pub const ISSUER: &str = "http://diracx.test.invalid/";

/// Who they are, by role.
const IDENTITIES: &str = include_str!("../data/identities.json");

/// Somebody with a token.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who the token says they are.
    pub claims: AccessClaims,
    /// The token.
    pub token: RawToken,
}

impl Actor {
    pub(crate) fn new(claims: AccessClaims, token: &str) -> Self {
        Self { claims, token: RawToken::new(token) }
    }

    /// The user's name in DIRAC.
    pub fn name(&self) -> &str {
        &self.claims.preferred_username
    }

    /// The value of an authorization header.
    pub fn bearer(&self) -> String {
        self.token.bearer()
    }

    /// A gRPC request of this person.
    pub fn request<T>(&self, message: T) -> Result<tonic::Request<T>> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer().parse()?);
        Ok(request)
    }
}

/// The claims of every role, without id, end and issuer.
pub(crate) fn identities() -> Result<Map<String, Value>> {
    let mut document: Value = serde_json::from_str(IDENTITIES)?;
    ensure!(document["issuer"] == ISSUER, "the identities belong to another issuer");
    Ok(serde_json::from_value(document["identities"].take())?)
}
