//! The compact form of a JSON Web Signature (RFC 7515), as far as DIRAC uses it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{Key, TokenError, error::KeyStoreError};

/// Longer tokens are not even looked at. Ours have less than 2 KiB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) typ: Option<String>,
    pub(super) alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<String>,
    /// Extensions that the reader must understand; we understand none.
    #[serde(default, skip_serializing)]
    pub(super) crit: Option<serde::de::IgnoredAny>,
}

/// A token taken apart, believed by nobody yet.
pub(super) struct Unverified<'a> {
    pub(super) header: Header,
    /// What the signature is over.
    pub(super) signed: &'a str,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Takes a token apart.
pub(super) fn decode(token: &str) -> Result<Unverified<'_>, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Invalid("too long"));
    }
    let form = TokenError::Invalid("not in compact form");
    let Some((signed, signature)) = token.rsplit_once('.') else { return Err(form) };
    let Some((header, payload)) = signed.split_once('.') else { return Err(form) };
    let part = |text: &str| {
        BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Invalid("a part is no base64url"))
    };
    let header: Header =
        serde_json::from_slice(&part(header)?).map_err(|_| TokenError::Invalid("bad header"))?;
    if header.crit.is_some() {
        return Err(TokenError::Invalid("critical header extensions"));
    }
    Ok(Unverified { header, signed, payload: part(payload)?, signature: part(signature)? })
}

/// Signs a payload.
pub(super) fn sign(key: &Key, payload: &[u8]) -> Result<String, KeyStoreError> {
    let header = Header {
        typ: Some("JWT".to_owned()),
        alg: key.algorithm().to_string(),
        kid: Some(key.kid().to_owned()),
        crit: None,
    };
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key
        .sign(token.as_bytes())
        .map_err(|problem| KeyStoreError::SigningKeyUnusable { kid: key.kid().to_owned(), problem })?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
