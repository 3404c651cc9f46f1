//! The development identity provider: a small, real OpenID provider where a login is a click on a name.
//!
//! It asks for no password, so it exists only in this binary, only on a loopback address, and only while
//! the configuration sends people to it. A person clicks; a script names itself by `login_hint` or as the
//! user name of HTTP Basic authentication. The people are those of the configuration.

mod authorize;
mod codes;
mod page;
mod people;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use diracx_core::Clock;
use diracx_server::token::{DEFAULT_ALGORITHMS, KeyStore, KeyStoreError, TokenMinter};
use serde_json::{Value, json};

use codes::Codes;
pub use people::{People, Person};

/// Where the provider is on the listener.
pub const PATH: &str = "/dev-idp";

/// The provider. Cheap to clone.
#[derive(Clone)]
pub struct DevIdp(Arc<Inner>);

struct Inner {
    issuer: String,
    keys: Arc<KeyStore>,
    minter: TokenMinter,
    clock: Arc<dyn Clock>,
    people: People,
    codes: Codes,
}

impl DevIdp {
    /// A provider whose issuer is `issuer`, with a fresh key, for the people that `people` finds.
    pub fn new(issuer: String, people: People, clock: Arc<dyn Clock>) -> Result<Self, KeyStoreError> {
        let keys = Arc::new(KeyStore::generate(clock.now())?);
        let minter = TokenMinter::new(keys.clone(), &issuer, &DEFAULT_ALGORITHMS, clock.clone())?;
        Ok(Self(Arc::new(Inner { issuer, keys, minter, clock, people, codes: Codes::default() })))
    }

    /// Its routes, below [`PATH`].
    pub fn router(self) -> Router {
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize::authorize))
            .route("/token", post(token::token))
            .with_state(self);
        Router::new().nest(PATH, routes)
    }
}

async fn discovery(State(DevIdp(idp)): State<DevIdp>) -> Json<Value> {
    let issuer = &idp.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["Ed25519"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile"],
        "claims_supported": ["sub", "name", "preferred_username"],
    }))
}

async fn jwks(State(DevIdp(idp)): State<DevIdp>) -> Json<Value> {
    Json(idp.keys.public_jwks())
}
