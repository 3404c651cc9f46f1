//! One key of a JWK set (RFC 7517, RFC 8037): what it can do, its id, its public face.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{rand::SystemRandom, signature};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The signature algorithms we know, by their JOSE names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// EdDSA over Curve25519, under its fully specified name (RFC 9864). Never called `EdDSA`.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// Its name in headers and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "Ed25519" => Ok(Self::Ed25519),
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            other => Err(format!("unknown algorithm {other:?}; known are Ed25519, RS256, ES256")),
        }
    }
}

/// The public half, ready to verify with.
enum PublicKey {
    Ed25519(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point: 4, x, y.
    P256(Vec<u8>),
}

/// The private half, ready to sign with.
enum PrivateKey {
    Ed25519(signature::Ed25519KeyPair),
    Rsa(Box<signature::RsaKeyPair>),
    P256(signature::EcdsaKeyPair),
}

/// A key: verifies, perhaps signs. Its `Debug` shows nothing private.
pub struct Key {
    kid: String,
    algorithm: Algorithm,
    ops: Option<Vec<String>>,
    public: PublicKey,
    private: Option<PrivateKey>,
    document: Map<String, Value>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("key_ops", &self.ops)
            .field("private", &self.private.as_ref().map(|_| "***"))
            .finish_non_exhaustive()
    }
}

/// The members that may be published, of any of the key types.
const PUBLIC_MEMBERS: [&str; 9] = ["crv", "x", "y", "n", "e", "key_ops", "alg", "kid", "kty"];

impl Key {
    /// Reads one key. `Ok(None)` is a key of a type, curve or algorithm that we do not know: it is
    /// skipped, as DiracX's library does.
    pub(super) fn parse(document: &Map<String, Value>) -> Result<Option<Self>, &'static str> {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let kty = text("kty").ok_or("kty is missing")?;
        let (algorithm, public) = match (kty, text("crv")) {
            ("OKP", Some("Ed25519")) => {
                let x = bytes(document, "x")?.ok_or("x is missing")?;
                if x.len() != 32 {
                    return Err("x must be 32 bytes");
                }
                (Algorithm::Ed25519, PublicKey::Ed25519(x))
            }
            ("EC", Some("P-256")) => (Algorithm::Es256, PublicKey::P256(point(document)?)),
            ("RSA", _) => {
                let n = bytes(document, "n")?.ok_or("n is missing")?;
                let e = bytes(document, "e")?.ok_or("e is missing")?;
                // the sizes that signatures are verified for
                if !(256..=1024).contains(&n.len()) {
                    return Err("RSA keys must have 2048 to 8192 bits");
                }
                (Algorithm::Rs256, PublicKey::Rsa { n, e })
            }
            _ => return Ok(None),
        };
        if text("alg").is_some_and(|declared| declared != algorithm.as_str()) {
            return Ok(None);
        }
        let ops = match document.get("key_ops") {
            None | Some(Value::Null) => None,
            Some(Value::Array(ops)) => {
                let ops = ops.iter().map(|op| op.as_str().map(str::to_owned)).collect::<Option<_>>();
                Some(ops.ok_or("key_ops must be a list of strings")?)
            }
            Some(_) => return Err("key_ops must be a list of strings"),
        };
        let private = private_key(document, &public)?;
        let kid = match document.get("kid") {
            None => thumbprint(document, kty),
            Some(Value::String(kid)) => kid.clone(),
            Some(_) => return Err("kid must be a string"),
        };
        let mut document = document.clone();
        document.retain(|name, _| PUBLIC_MEMBERS.contains(&name.as_str()));
        document.entry("kid").or_insert_with(|| Value::String(kid.clone()));
        Ok(Some(Self { kid, algorithm, ops, public, private, document }))
    }

    /// Its id; the thumbprint of RFC 7638 if the key store gives none.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether its `key_ops` allow signing. A key without `key_ops` never signs.
    pub fn may_sign(&self) -> bool {
        self.ops.as_ref().is_some_and(|ops| ops.iter().any(|op| op == "sign"))
    }

    /// Whether its `key_ops`, if there are any, allow verifying.
    pub fn may_verify(&self) -> bool {
        self.ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    /// Whether it has what signing needs.
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// The members that everybody may see, in the order of the key store.
    pub fn public_document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// Whether `signature` over `message` was made with this key.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            PublicKey::Ed25519(x) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature)
            }
            PublicKey::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            PublicKey::P256(point) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
            }
        }
        .is_ok()
    }

    /// The signature over `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let random = SystemRandom::new();
        match self.private.as_ref().ok_or("its private half is missing")? {
            PrivateKey::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            PrivateKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| "RSA signing failed")?;
                Ok(signature)
            }
            PrivateKey::P256(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| "ECDSA signing failed")?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

fn private_key(
    document: &Map<String, Value>,
    public: &PublicKey,
) -> Result<Option<PrivateKey>, &'static str> {
    let Some(d) = bytes(document, "d")? else { return Ok(None) };
    match public {
        PublicKey::Ed25519(x) => signature::Ed25519KeyPair::from_seed_and_public_key(&d, x)
            .map(|pair| Some(PrivateKey::Ed25519(pair)))
            .map_err(|_| "x does not belong to d"),
        PublicKey::P256(point) => signature::EcdsaKeyPair::from_private_key_and_public_key(
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            &d,
            point,
            &SystemRandom::new(),
        )
        .map(|pair| Some(PrivateKey::P256(pair)))
        .map_err(|_| "x and y do not belong to d"),
        PublicKey::Rsa { n, e } => {
            let part = |name| bytes(document, name);
            let (Some(p), Some(q)) = (part("p")?, part("q")?) else { return Ok(None) };
            let (Some(dp), Some(dq), Some(qi)) = (part("dp")?, part("dq")?, part("qi")?) else {
                return Ok(None);
            };
            let components = ring::rsa::KeyPairComponents {
                public_key: ring::rsa::PublicKeyComponents { n, e },
                d: &d,
                p: &p,
                q: &q,
                dP: &dp,
                dQ: &dq,
                qInv: &qi,
            };
            signature::RsaKeyPair::from_components(&components)
                .map(|pair| Some(PrivateKey::Rsa(Box::new(pair))))
                .map_err(|_| "the parts of the RSA key do not belong together")
        }
    }
}

/// A base64url member, without the leading zeros that some writers leave in numbers. `None` if absent.
fn bytes(document: &Map<String, Value>, name: &str) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(value) = document.get(name) else { return Ok(None) };
    let text = value.as_str().ok_or("a key member is not text")?;
    // padding is not allowed by the RFC, and harmless
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| "a key member is no base64url")?;
    let number = matches!(name, "n" | "e" | "p" | "q" | "dp" | "dq" | "qi");
    let zeros = if number { bytes.iter().take_while(|byte| **byte == 0).count() } else { 0 };
    Ok(Some(bytes[zeros..].to_vec()))
}

fn point(document: &Map<String, Value>) -> Result<Vec<u8>, &'static str> {
    let x = bytes(document, "x")?.ok_or("x is missing")?;
    let y = bytes(document, "y")?.ok_or("y is missing")?;
    if x.len() != 32 || y.len() != 32 {
        return Err("x and y must be 32 bytes");
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

/// RFC 7638: the hash of the required members, in the order of their names.
fn thumbprint(document: &Map<String, Value>, kty: &str) -> String {
    let required: &[&str] = match kty {
        "OKP" => &["crv", "kty", "x"],
        "EC" => &["crv", "kty", "x", "y"],
        _ => &["e", "kty", "n"],
    };
    let members: Vec<String> = required
        .iter()
        .filter_map(|name| {
            document.get(*name).map(|value| format!("{}:{value}", Value::String((*name).to_owned())))
        })
        .collect();
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}
