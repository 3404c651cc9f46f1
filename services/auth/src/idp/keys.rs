//! The keys of an identity provider, and the signatures they verify.
//!
//! Providers sign with more algorithms than DIRAC does, and publish keys that are none of our business;
//! what we cannot use is passed over.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::Value;

/// A JWK set, as far as it can verify something.
#[derive(Debug, Deserialize)]
#[serde(from = "JwkSet")]
pub(crate) struct Keys {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

impl From<JwkSet> for Keys {
    fn from(set: JwkSet) -> Self {
        Self { keys: set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect() }
    }
}

/// One member of the set (RFC 7517); what it lacks is empty.
#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

/// How an algorithm verifies.
enum Method {
    Rsa(&'static RsaParameters),
    Curve { name: &'static str, algorithm: &'static dyn VerificationAlgorithm },
}

/// The asymmetric algorithms of JOSE. `none` and the HMACs are absent on purpose.
fn method(alg: &str) -> Option<Method> {
    Some(match alg {
        "RS256" => Method::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Method::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Method::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Method::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => Method::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => Method::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
        "ES256" => Method::Curve { name: "P-256", algorithm: &signature::ECDSA_P256_SHA256_FIXED },
        "ES384" => Method::Curve { name: "P-384", algorithm: &signature::ECDSA_P384_SHA384_FIXED },
        "EdDSA" | "Ed25519" => Method::Curve { name: "Ed25519", algorithm: &signature::ED25519 },
        _ => return None,
    })
}

impl Keys {
    /// Whether one of the keys that `kid` may mean made `signature` over `message`.
    pub(crate) fn verify(&self, alg: &str, kid: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        let Some(method) = method(alg) else { return false };
        self.keys
            .iter()
            .filter(|key| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid)
            .filter(|key| key.r#use.as_deref().is_none_or(|purpose| purpose == "sig"))
            .filter(|key| key.alg.as_deref().is_none_or(|own| own == alg))
            .any(|key| key.verify(&method, message, signature) == Some(true))
    }
}

impl Jwk {
    /// `None` if the key is of another type, or damaged.
    fn verify(&self, method: &Method, message: &[u8], signature: &[u8]) -> Option<bool> {
        let verified = match method {
            Method::Rsa(parameters) => {
                let (n, e) = (number(&self.n)?, number(&self.e)?);
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Method::Curve { name, algorithm } => {
                if self.crv != *name {
                    return None;
                }
                let point = match self.kty.as_str() {
                    "OKP" => bytes(&self.x)?,
                    "EC" => [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat(),
                    _ => return None,
                };
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature)
            }
        };
        Some(verified.is_ok())
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok().filter(|bytes| !bytes.is_empty())
}

/// Without the leading zeros that some providers write and `ring` refuses.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // made with openssl: a key of 2048 bits, and its RS256 signature over MESSAGE
    const MODULUS: &str = "jy41akmPRVUQNJjRv7S8LyZL-a47t5rXkGEr6grwiVWuX_GwKjoySysJ22BYJS0xPJh5U_llQkDbFpTqH0k_FunvACKPU6LpEDPbWKBdyltmUMiyuhI708ene61M2AgJjuvZTLolvNNIVut-KZhEK_YdAfRI-ym5whOfk6OiDht-3C2_x0Q0zPdbZ5KEOGZvW38Ra3TBV81Ga_DmLsV_mjR09fmTb0IYUq60fd25nD5mPVPy8DH79GyPTbmXc5RVPVys9O1MnmyQZoXEI2--BEp062Ub3KH956mg5VcR2Fp3ubg_AgcHiTkx7g601lPC40FyqbpQET1gdP6dt3zF6Q";
    const SIGNATURE: &str = "hzUJOEv7XrHWhRGOI20HtUDJKtw1jJktMgA0hFsbm_wR3rQ7hDz_LFk-S-w_YsUstVYpVVtqL-PFJcSwWerdNXnC_YGMiaLbI42sswh1W8NeXTg6GEkWIrhyxx-wlKrOU4MO-MFuSj20Pb-qpAsgC8iW7wZKb0NONlQQ4xVF2Tfi8GU1KEp7pA6PN5EX22N76SXZntzJCoRom7zBfICoeM-M7AQDvW-JP7FJGAYmSit7sm6hg_LSz__yKI8TG48J3dXjgcpQrSye9mCfiI9mG-F2YOmxlOB7TJypIqFEWDI5QLE4wIZ5MZ9QjM55Xq6HvBXobJ51Cy5drWOAT4cKOQ";
    const MESSAGE: &[u8] = b"signed by a provider";

    /// The set as a provider publishes it: with members that are none of our business.
    fn keys(kid: &str, purpose: &str) -> Keys {
        serde_json::from_value(json!({"keys": [
            {"kty": "oct", "k": 7}, 5, {"kid": "no-type"},
            {"kty": "EC", "crv": "P-256", "kid": kid, "x": "AA", "y": "AA"},
            {"kty": "RSA", "kid": kid, "use": purpose, "alg": "RS256", "n": MODULUS, "e": "AAEAAQ"},
        ]}))
        .unwrap()
    }

    fn check(keys: &Keys, alg: &str, kid: Option<&str>, message: &[u8]) -> bool {
        keys.verify(alg, kid, message, &URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap())
    }

    #[test]
    fn a_signature_is_believed_only_with_its_key_algorithm_and_message() {
        let good = keys("a", "sig");
        assert!(check(&good, "RS256", Some("a"), MESSAGE));
        assert!(check(&good, "RS256", None, MESSAGE), "a token need not name its key");
        assert!(!check(&good, "RS256", Some("b"), MESSAGE));
        assert!(!check(&good, "RS256", Some("a"), b"something else"));
        for alg in ["RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS256", "none", ""] {
            assert!(!check(&good, alg, Some("a"), MESSAGE), "{alg}");
        }
        assert!(!check(&keys("a", "enc"), "RS256", Some("a"), MESSAGE), "a key for encryption");
    }
}
