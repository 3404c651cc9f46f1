//! What can be wrong with keys and tokens.

use std::time::Duration;

use diracx_core::{Explain, Explanation, Reason};

/// Why a token is not accepted. `Display` is DiracX's wording, which tells callers nothing that
/// would help to forge one; the log has the particulars.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no authorization header, or an empty one.
    #[error("Authorization header is missing")]
    Missing,
    /// The header is not `Bearer <token>`.
    #[error("Invalid authorization header")]
    HeaderInvalid,
    /// Form, signature, key, algorithm, issuer or claims are wrong; holds which, for the log.
    #[error("Invalid JWT")]
    Invalid(&'static str),
    /// The token was good once.
    #[error("Invalid JWT")]
    Expired,
    /// The keys to check it with cannot be had at the moment.
    #[error("the keys of the token issuer cannot be fetched")]
    KeysUnavailable(#[source] std::sync::Arc<dyn std::error::Error + Send + Sync>),
}

impl Explain for TokenError {
    fn explain(&self) -> Explanation {
        match self {
            Self::Missing => Explanation::unauthenticated(Reason::TokenMissing),
            Self::HeaderInvalid => Explanation::unauthenticated(Reason::AuthorizationHeaderInvalid),
            Self::Invalid(_) => Explanation::unauthenticated(Reason::TokenInvalid),
            Self::Expired => Explanation::unauthenticated(Reason::TokenExpired),
            Self::KeysUnavailable(_) => {
                Explanation::unavailable(Reason::ServiceUnavailable).retry_after(Duration::from_secs(2))
            }
        }
    }
}

impl TokenError {
    /// What exactly was wrong, for the log.
    pub fn particulars(&self) -> &'static str {
        match self {
            Self::Missing => "no authorization header",
            Self::HeaderInvalid => "authorization header is not Bearer",
            Self::Invalid(particulars) => particulars,
            Self::Expired => "expired",
            Self::KeysUnavailable(_) => "no keys to verify with",
        }
    }
}

/// Why a key store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file is missing or unreadable.
    #[error("cannot read the key store {path}")]
    Unreadable {
        /// Where it should be.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The location is a URL of another scheme than `file`.
    #[error("the key store must be inline JSON, a path or a file:// URL, not {0}://")]
    Scheme(String),
    /// The text is not JSON. The position is told, the text is not: it holds private keys.
    #[error("the key store is not JSON (line {line}, column {column})")]
    NotJson {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
    },
    /// The JSON is no JWK set.
    #[error("the key store must be an object with a non-empty list \"keys\"")]
    NotAKeySet,
    /// A key is damaged.
    #[error("key {position} of the key store: {problem}")]
    BadKey {
        /// 0-based position in the list.
        position: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// No key can be used for anything.
    #[error("the key store holds no key that can be used (OKP Ed25519, RSA of 2048 bits or more, EC P-256)")]
    NoUsableKey,
    /// No key may sign.
    #[error("no key of the key store has \"sign\" among its key_ops")]
    NoSigningKey,
    /// The first key that may sign cannot.
    #[error("the signing key {kid} cannot sign: {problem}")]
    SigningKeyUnusable {
        /// The key.
        kid: String,
        /// What is missing.
        problem: &'static str,
    },
    /// The signing key's algorithm is not among the allowed.
    #[error("the signing key {kid} signs with {algorithm}, which is not among the allowed algorithms")]
    AlgorithmNotAllowed {
        /// The key.
        kid: String,
        /// Its algorithm.
        algorithm: super::Algorithm,
    },
    /// A key of this kind cannot be generated here.
    #[error("{0} keys cannot be generated; use OKP Ed25519 or EC P-256")]
    CannotGenerate(String),
    /// The machine gave no randomness.
    #[error("no randomness to make a key from")]
    NoRandomness,
    /// Claims or keys that cannot be written as JSON.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
}

impl Explain for KeyStoreError {
    fn explain(&self) -> Explanation {
        Explanation::internal(Reason::Internal)
    }
}
