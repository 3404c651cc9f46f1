//! The key store of the server under test, and tokens for everybody in `identities.json`.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, anyhow};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::replay::Tokens;

/// How long the tokens are good for.
const LIFETIME_S: u64 = 7200;

/// Where the data of this package is.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// `identities.json`.
///
/// # Errors
/// If the file is not there or is not JSON.
pub fn identities() -> Result<Value> {
    let text = std::fs::read_to_string(data("identities.json")).context("identities.json")?;
    Ok(serde_json::from_str(&text)?)
}

/// A signing key of the server.
pub struct Key {
    id: String,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Key {
    /// Makes one.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn generate() -> Result<Self> {
        Self::with_id(Uuid::now_v7().simple().to_string())
    }

    fn with_id(id: String) -> Result<Self> {
        let seed = random()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|why| anyhow!("no key: {why}"))?;
        Ok(Self { id, seed, pair })
    }

    /// The key store that holds this key, as the setting takes it.
    pub fn store(&self) -> Value {
        json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "kid": self.id, "key_ops": ["sign", "verify"],
            "x": B64.encode(self.pair.public_key().as_ref()), "d": B64.encode(self.seed),
        }]})
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "Ed25519", "kid": self.id, "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", B64.encode(signature))
    }

    /// The tokens of everybody, good and bad.
    ///
    /// # Errors
    /// If `identities.json` cannot be read.
    pub fn tokens(&self) -> Result<Tokens> {
        let identities = identities()?;
        let issuer = &identities["issuer"];
        let named = identities["identities"].as_object().context("no identities")?;
        let now = now();
        let claims = |who: &str| -> Value {
            let mut claims = named.get(who).cloned().unwrap_or_default();
            claims["iss"] = issuer.clone();
            claims["exp"] = json!(now + LIFETIME_S);
            claims["jti"] = json!(Uuid::now_v7());
            claims
        };
        let changed = |name: &str, value: Value| {
            let mut claims = claims("normal_user");
            claims[name] = value;
            claims
        };
        let mut without_issuer = claims("normal_user");
        without_issuer.as_object_mut().context("claims")?.remove("iss");
        let good = self.sign(&claims("normal_user"));
        let forged = changed("dirac_properties", json!(["JobAdministrator"]));
        let (head, rest) = good.split_once('.').context("a token")?;
        let (_, signature) = rest.split_once('.').context("a token")?;
        let unsigned =
            format!("{}.{}.", encode(&json!({"alg": "none", "typ": "JWT"})), encode(&claims("normal_user")));
        let bad = [
            ("expired", self.sign(&changed("exp", json!(now - 3600)))),
            ("wrong_issuer", self.sign(&changed("iss", json!("http://someone-else.invalid/")))),
            ("wrong_key", Self::with_id(self.id.clone())?.sign(&claims("normal_user"))),
            ("unknown_kid", Self::generate()?.sign(&claims("normal_user"))),
            ("alg_none", unsigned),
            ("no_issuer", self.sign(&without_issuer)),
            ("tampered", format!("{head}.{}.{signature}", encode(&forged))),
        ];
        let mut tokens: Tokens = named.keys().map(|who| (who.clone(), self.sign(&claims(who)))).collect();
        tokens.extend(bad.map(|(name, token)| (name.to_owned(), token)));
        Ok(tokens)
    }
}

/// Random bytes.
///
/// # Errors
/// If the system has none to give.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|why| anyhow!("no randomness: {why}"))?;
    Ok(bytes)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// JSON as a part of a token.
pub fn encode(value: &Value) -> String {
    B64.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_token_for_everybody_in_the_recordings() {
        let key = Key::generate().unwrap();
        let tokens = key.tokens().unwrap();
        for file in std::fs::read_dir(data("transcripts")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for line in text.lines() {
                let step: Value = serde_json::from_str(line).unwrap();
                if let Some(who) = step["as"].as_str() {
                    assert!(tokens.contains_key(who), "{who}");
                }
            }
        }
    }

    #[test]
    fn the_bad_tokens_differ_from_the_good_one() {
        let tokens = Key::generate().unwrap().tokens().unwrap();
        for bad in identities().unwrap()["bad_tokens"].as_object().unwrap().keys() {
            assert_ne!(tokens[bad], tokens["normal_user"], "{bad}");
        }
    }
}
