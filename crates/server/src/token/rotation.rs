//! Making, rotating and removing the keys of a key store file.
//!
//! A rotation keeps the old keys for verifying, so that tokens stay good until they expire. These
//! functions work on the text of the document, so that everything we do not know in it stays.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{self, KeyPair},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Algorithm, error::KeyStoreError, keystore::key_documents};

/// Which kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// OKP Ed25519, signing `Ed25519`.
    #[default]
    Ed25519,
    /// EC P-256, signing `ES256`.
    P256,
}

impl KeyKind {
    /// The kind that DiracX's `--kty` and `--crv-or-size` name.
    pub fn from_names(kty: &str, curve: &str) -> Result<Self, KeyStoreError> {
        match (kty, curve) {
            ("OKP", "Ed25519") => Ok(Self::Ed25519),
            ("EC", "P-256") => Ok(Self::P256),
            _ => Err(KeyStoreError::CannotGenerate(format!("{kty} {curve}"))),
        }
    }

    /// What such a key signs with.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::Ed25519,
            Self::P256 => Algorithm::Es256,
        }
    }
}

/// The document with a fresh signing key in front; the former first key only verifies from now on.
/// `None` starts a new document.
///
/// # Source
/// DiracX `logic/__main__.py`, `rotate-jwk`.
pub fn rotate_key(
    document: Option<&str>,
    kind: KeyKind,
    now: DateTime<Utc>,
) -> Result<String, KeyStoreError> {
    let mut keys = document.map(key_documents).transpose()?.unwrap_or_default();
    if let Some(Value::Array(ops)) = keys.first_mut().and_then(|key| key.get_mut("key_ops")) {
        ops.retain(|op| op != "sign");
        ops.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    keys.insert(0, generate(kind, now)?);
    render(keys)
}

/// The document without the key of this id; the same document if it has none.
pub fn delete_key(document: &str, kid: &str) -> Result<String, KeyStoreError> {
    let mut keys = key_documents(document)?;
    keys.retain(|key| key.get("kid").and_then(Value::as_str) != Some(kid));
    render(keys)
}

fn render(keys: Vec<Map<String, Value>>) -> Result<String, KeyStoreError> {
    Ok(serde_json::to_string_pretty(&json!({ "keys": keys }))?)
}

fn generate(kind: KeyKind, now: DateTime<Utc>) -> Result<Map<String, Value>, KeyStoreError> {
    let random = SystemRandom::new();
    let encode = |bytes: &[u8]| Value::String(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let mut secret = [0; 32];
    random.fill(&mut secret).map_err(|_| KeyStoreError::NoRandomness)?;
    let mut key = Map::new();
    match kind {
        KeyKind::Ed25519 => {
            let pair = signature::Ed25519KeyPair::from_seed_unchecked(&secret)
                .map_err(|_| KeyStoreError::NoRandomness)?;
            key.insert("crv".to_owned(), json!("Ed25519"));
            key.insert("x".to_owned(), encode(pair.public_key().as_ref()));
            key.insert("d".to_owned(), encode(&secret));
            key.insert("alg".to_owned(), json!("Ed25519"));
            key.insert("kty".to_owned(), json!("OKP"));
        }
        KeyKind::P256 => {
            let (d, point) = generate_p256(&random)?;
            key.insert("crv".to_owned(), json!("P-256"));
            key.insert("x".to_owned(), encode(&point[1..33]));
            key.insert("y".to_owned(), encode(&point[33..]));
            key.insert("d".to_owned(), encode(&d));
            key.insert("alg".to_owned(), json!("ES256"));
            key.insert("kty".to_owned(), json!("EC"));
        }
    }
    key.insert("key_ops".to_owned(), json!(["sign", "verify"]));
    key.insert("kid".to_owned(), json!(key_id(now).simple().to_string()));
    Ok(key)
}

/// A fresh P-256 scalar and its point. The library hands out a new key only as PKCS#8, whose
/// fixed layout for this curve has the scalar at byte 36.
fn generate_p256(random: &SystemRandom) -> Result<(Vec<u8>, Vec<u8>), KeyStoreError> {
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = signature::EcdsaKeyPair::generate_pkcs8(algorithm, random)
        .map_err(|_| KeyStoreError::NoRandomness)?;
    let pair = signature::EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), random)
        .map_err(|_| KeyStoreError::NoRandomness)?;
    let point = pair.public_key().as_ref().to_vec();
    let scalar = document.as_ref().get(36..68).unwrap_or_default().to_vec();
    signature::EcdsaKeyPair::from_private_key_and_public_key(algorithm, &scalar, &point, random)
        .map_err(|_| KeyStoreError::CannotGenerate("EC P-256".to_owned()))?;
    Ok((scalar, point))
}

fn key_id(now: DateTime<Utc>) -> Uuid {
    super::claims::new_token_id(now)
}
