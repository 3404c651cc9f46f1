//! The key store: a JWK set, private or public, from inline JSON, a path or a `file://` URL.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    Algorithm, Key, KeyKind, TokenError,
    error::KeyStoreError,
    jws::{self, Unverified},
    rotation,
};

/// The keys that tokens are signed and verified with, in the order of the document.
#[derive(Debug)]
pub struct KeyStore {
    keys: Vec<Key>,
}

impl KeyStore {
    /// Loads what a setting names: inline JSON (starting with `{` or `[`), a path, or a `file://` URL.
    pub fn load(setting: &str) -> Result<Self, KeyStoreError> {
        match Self::path_of(setting)? {
            None => Self::parse(setting),
            Some(path) => Self::read(path),
        }
    }

    /// The file that a setting names; `None` for inline JSON.
    pub(super) fn path_of(setting: &str) -> Result<Option<&Path>, KeyStoreError> {
        if setting.trim_start().starts_with(['{', '[']) {
            return Ok(None);
        }
        match setting.split_once("://") {
            None => Ok(Some(Path::new(setting))),
            Some(("file", path)) => Ok(Some(Path::new(path))),
            Some((scheme, _)) => Err(KeyStoreError::Scheme(scheme.to_owned())),
        }
    }

    /// Loads a file.
    pub fn read(path: &Path) -> Result<Self, KeyStoreError> {
        let document = std::fs::read_to_string(path)
            .map_err(|source| KeyStoreError::Unreadable { path: path.display().to_string(), source })?;
        Self::parse(&document)
    }

    /// Reads a JWK set. Keys of types that we do not know are skipped.
    pub fn parse(document: &str) -> Result<Self, KeyStoreError> {
        let mut keys = Vec::new();
        for (position, document) in key_documents(document)?.iter().enumerate() {
            match Key::parse(document) {
                Ok(Some(key)) => keys.push(key),
                Ok(None) => tracing::warn!(
                    position,
                    "a key of the key store has a type or algorithm that is not supported; skipped"
                ),
                Err(problem) => return Err(KeyStoreError::BadKey { position, problem }),
            }
        }
        if keys.is_empty() { Err(KeyStoreError::NoUsableKey) } else { Ok(Self { keys }) }
    }

    /// A new store with one fresh key, for tests and first starts; see [`rotation::rotate_key`] for files.
    pub fn generate(now: chrono::DateTime<chrono::Utc>) -> Result<Self, KeyStoreError> {
        Self::parse(&rotation::rotate_key(None, KeyKind::Ed25519, now)?)
    }

    /// Every key that can be used.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The key that signs: the first whose `key_ops` hold `sign`, if its algorithm is allowed.
    pub fn signing_key(&self, allowed: &[Algorithm]) -> Result<&Key, KeyStoreError> {
        let key = self.keys.iter().find(|key| key.may_sign()).ok_or(KeyStoreError::NoSigningKey)?;
        let kid = || key.kid().to_owned();
        if !key.is_private() {
            let problem = "its private part is missing or incomplete";
            return Err(KeyStoreError::SigningKeyUnusable { kid: kid(), problem });
        }
        if !allowed.contains(&key.algorithm()) {
            return Err(KeyStoreError::AlgorithmNotAllowed { kid: kid(), algorithm: key.algorithm() });
        }
        Ok(key)
    }

    /// The key that a token names; a token without `kid` is served only if there is just one key.
    pub fn verifying_key(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.keys.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid() == kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
        .filter(|key| key.may_verify())
    }

    /// Whether there is a key of this id, for any use.
    pub fn knows(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == kid)
    }

    /// Checks form, algorithm, key and signature of a token, and gives its payload. Expiry, issuer
    /// and kind are the caller's to check.
    pub fn verify(&self, token: &str, allowed: &[Algorithm]) -> Result<Vec<u8>, TokenError> {
        self.verify_decoded(jws::decode(token)?, allowed)
    }

    pub(super) fn verify_decoded(
        &self,
        token: Unverified<'_>,
        allowed: &[Algorithm],
    ) -> Result<Vec<u8>, TokenError> {
        let key = self
            .verifying_key(token.header.kid.as_deref())
            .ok_or(TokenError::Invalid("no key of this kid may verify"))?;
        // the algorithm is the key's; the header may only agree
        if token.header.alg != key.algorithm().as_str() || !allowed.contains(&key.algorithm()) {
            return Err(TokenError::Invalid("algorithm not allowed"));
        }
        if !key.verify(token.signed.as_bytes(), &token.signature) {
            return Err(TokenError::Invalid("bad signature"));
        }
        Ok(token.payload)
    }

    /// The public members of every key, in the order of the store: the body of `jwks.json`.
    pub fn public_jwks(&self) -> Value {
        let keys = self.keys.iter().map(|key| Value::Object(key.public_document().clone())).collect();
        Value::Object(Map::from_iter([("keys".to_owned(), Value::Array(keys))]))
    }
}

/// The members of a JWK set, unread.
pub(super) fn key_documents(document: &str) -> Result<Vec<Map<String, Value>>, KeyStoreError> {
    let value: Value = serde_json::from_str(document)
        .map_err(|error| KeyStoreError::NotJson { line: error.line(), column: error.column() })?;
    let Value::Object(mut set) = value else { return Err(KeyStoreError::NotAKeySet) };
    let Some(Value::Array(keys)) = set.remove("keys") else { return Err(KeyStoreError::NotAKeySet) };
    if keys.is_empty() {
        return Err(KeyStoreError::NotAKeySet);
    }
    let as_object = |(position, key)| match key {
        Value::Object(key) => Ok(key),
        _ => Err(KeyStoreError::BadKey { position, problem: "not an object" }),
    };
    keys.into_iter().enumerate().map(as_object).collect()
}
