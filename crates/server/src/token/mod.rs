//! Tokens: the keys that sign them, their form, their claims, and who may believe them.
//!
//! A JSON Web Token in DIRAC is a JWS in compact form, signed with a key of the key store. Access
//! tokens, refresh tokens and component tokens share keys and algorithms; what keeps them apart is
//! their claims, so every reader says which kind it expects and refuses the others.

mod claims;
mod error;
mod issued;
mod jwk;
mod jws;
mod keyring;
mod keystore;
mod minter;
mod own;
mod rotation;
mod source;
mod verifier;

pub use claims::{
    AccessClaims, Claims, ComponentClaims, PilotClaims, RefreshClaims, new_token_id, token_time,
};
pub use error::{KeyStoreError, TokenError};
pub use issued::{ASSERTION_ALGORITHMS, IssueError, IssuedToken, ShowAssertion};
pub use jwk::{Algorithm, Key};
pub use jws::MAX_TOKEN_BYTES;
pub use keyring::Keyring;
pub use keystore::KeyStore;
pub use minter::{COMPONENT_TOKEN_LIFETIME, ComponentToken, TokenMinter};
pub use own::{OwnToken, OwnTokenError};
pub use rotation::{KeyKind, delete_key, rotate_key};
pub use source::{FetchJwks, JwksSource, KeySource};
pub use verifier::TokenVerifier;

/// The algorithms allowed unless a setting says otherwise, as DiracX has them.
pub const DEFAULT_ALGORITHMS: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Ed25519];
