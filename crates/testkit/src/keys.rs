//! Keys for tests, and tokens that are wrong in every known way.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Duration;
use diracx_core::Clock;
use diracx_server::{
    ComponentToken, KeyStore, TokenMinter, TokenVerifier,
    identity::RawToken,
    settings::TokenSettings,
    token::{AccessClaims, KeyKind, PilotClaims, new_token_id, rotate_key},
};
use serde_json::{Value, json};

use crate::actor::{Actor, ISSUER, identities};

/// How long the tokens of actors are good.
const LIFETIME: Duration = Duration::minutes(20);

/// Who signs the tokens of a test: a key store of its own, an issuer and a clock.
#[derive(Clone)]
pub struct TestIssuer {
    document: String,
    settings: TokenSettings,
    minter: TokenMinter,
    clock: Arc<dyn Clock>,
}

/// The ways in which a token can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// It ended an hour ago.
    Expired,
    /// It names another issuer.
    WrongIssuer,
    /// It names our key, but another one signed it.
    WrongKey,
    /// It names a key that we do not have.
    UnknownKid,
    /// Algorithm `none`, without a signature.
    AlgNone,
    /// It names no issuer.
    NoIssuer,
    /// It never ends.
    NoExpiry,
    /// Its properties were changed after signing.
    Tampered,
    /// It is a refresh token.
    Refresh,
}

impl BadToken {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Expired,
        Self::WrongIssuer,
        Self::WrongKey,
        Self::UnknownKid,
        Self::AlgNone,
        Self::NoIssuer,
        Self::NoExpiry,
        Self::Tampered,
        Self::Refresh,
    ];
}

impl TestIssuer {
    /// An issuer with a fresh Ed25519 key.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self> {
        let document = rotate_key(None, KeyKind::Ed25519, clock.now())?;
        Self::with_keys(&document, clock)
    }

    /// An issuer with these keys (a private JWK set).
    pub fn with_keys(document: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let settings = TokenSettings::new(Arc::new(KeyStore::parse(document)?), ISSUER);
        let minter = settings.minter(clock.clone())?;
        Ok(Self { document: document.to_owned(), settings, minter, clock })
    }

    /// The private JWK set, for a process under test.
    pub fn keystore_document(&self) -> &str {
        &self.document
    }

    /// What a process under test would read from its environment.
    pub fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// Verifies the tokens of this issuer.
    pub fn verifier(&self) -> TokenVerifier {
        self.settings.verifier(self.clock.clone())
    }

    /// Signs as this issuer.
    pub fn minter(&self) -> &TokenMinter {
        &self.minter
    }

    /// The tokens of a component.
    pub fn component(&self, name: &str) -> ComponentToken {
        self.minter.component(name)
    }

    /// The token of a pilot.
    pub fn pilot(&self, vo: &str, stamp: &str) -> Result<RawToken> {
        let claims = PilotClaims::new(vo, stamp, ISSUER, self.clock.now(), LIFETIME);
        Ok(RawToken::new(&self.minter.mint(&claims)?))
    }

    /// Somebody with a token: by name (`alice`) or by role (`normal_user`).
    pub fn actor(&self, name: &str) -> Result<Actor> {
        let claims = self.claims(name)?;
        let token = self.minter.mint(&claims)?;
        Ok(Actor::new(claims, &token))
    }

    /// The claims of somebody's access token, fresh.
    pub fn claims(&self, name: &str) -> Result<AccessClaims> {
        let now = self.clock.now();
        let mut claims =
            identities()?.remove(role(name)).with_context(|| format!("nobody is called {name}"))?;
        claims["jti"] = json!(new_token_id(now));
        claims["exp"] = json!((now + LIFETIME).timestamp());
        claims["iss"] = json!(ISSUER);
        Ok(serde_json::from_value(claims)?)
    }

    /// A token like alice's that is wrong in this way.
    pub fn bad_token(&self, kind: BadToken) -> Result<String> {
        let claims = self.claims("alice")?;
        let good = self.minter.mint(&claims)?;
        match kind {
            BadToken::Expired => {
                let exp = (self.clock.now() - Duration::hours(1)).timestamp();
                Ok(self.minter.mint(&AccessClaims { exp, ..claims })?)
            }
            BadToken::WrongIssuer => {
                let iss = "http://someone-else.invalid/".to_owned();
                Ok(self.minter.mint(&AccessClaims { iss, ..claims })?)
            }
            BadToken::WrongKey => self.signed_by_another(&claims, true),
            BadToken::UnknownKid => self.signed_by_another(&claims, false),
            BadToken::AlgNone => {
                let header = BASE64_URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
                let payload = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims)?);
                Ok(format!("{header}.{payload}."))
            }
            BadToken::NoIssuer => self.signed_without(&claims, "iss"),
            BadToken::NoExpiry => self.signed_without(&claims, "exp"),
            BadToken::Tampered => {
                let dirac_properties = vec!["JobAdministrator".to_owned()];
                let forged = serde_json::to_vec(&AccessClaims { dirac_properties, ..claims })?;
                let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else {
                    bail!("a token has three parts")
                };
                Ok(format!("{header}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(forged)))
            }
            BadToken::Refresh => Ok(self.minter.mint_json(&json!({
                "jti": claims.jti, "exp": claims.exp, "dirac_policies": {}, "legacy_exchange": false,
            }))?),
        }
    }

    fn signed_without(&self, claims: &AccessClaims, name: &str) -> Result<String> {
        let mut claims = serde_json::to_value(claims)?;
        if let Value::Object(members) = &mut claims {
            members.shift_remove(name);
        }
        Ok(self.minter.mint_json(&claims)?)
    }

    fn signed_by_another(&self, claims: &AccessClaims, same_kid: bool) -> Result<String> {
        let mut other: Value = serde_json::from_str(&rotate_key(None, KeyKind::Ed25519, self.clock.now())?)?;
        if same_kid {
            other["keys"][0]["kid"] = json!(self.settings.keys.current().keys()[0].kid());
        }
        let other = Self::with_keys(&other.to_string(), self.clock.clone())?;
        Ok(other.minter.mint(claims)?)
    }
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// People have names and roles; either will do.
fn role(name: &str) -> &str {
    match name {
        "alice" => "normal_user",
        "bob" => "other_user",
        "carol" => "admin",
        "petra" => "pilot",
        "sven" => "service_admin",
        "proxima" => "token_manager",
        "dave" => "other_vo_user",
        role => role,
    }
}
