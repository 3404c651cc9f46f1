//! Secrets: how they are made, and what is kept of them.
//!
//! Only a keyed hash is kept. The key, the pepper, is in the settings and not in the database: whoever writes to the
//! database cannot make a secret, and whoever reads it cannot use one.

use std::{fmt, fmt::Write, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};

use crate::error::{Error, Result};

/// A shorter key could be guessed, if the database were stolen.
const SHORTEST: usize = 32;

/// The key of the hashes. Its `Debug` is `***`.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

/// A pepper that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at least {SHORTEST} characters; `openssl rand -hex 32` makes a good one")]
pub struct WeakPepper;

/// What is hashed. One can never be taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What pilots get their first token for.
    Secret,
    /// What pilots go on with.
    RefreshToken,
}

impl Pepper {
    /// The keyed hash of a secret: 64 hexadecimal digits.
    pub fn hash(&self, kind: Kind, secret: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(match kind {
            Kind::Secret => b"pilot secret\0",
            Kind::RefreshToken => b"pilot refresh token\0",
        });
        context.update(secret.as_bytes());
        context.sign().as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl FromStr for Pepper {
    type Err = WeakPepper;

    fn from_str(text: &str) -> Result<Self, WeakPepper> {
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(WeakPepper);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A new secret of 256 bits.
pub fn new_secret() -> Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_the_pepper_and_on_what_it_is_of() {
        let pepper = |text: &str| text.repeat(SHORTEST).parse::<Pepper>().unwrap();
        let hash = pepper("a").hash(Kind::Secret, "secret");
        assert_eq!(hash.len(), 64);
        assert_eq!(hash, pepper("a").hash(Kind::Secret, "secret"));
        assert_ne!(hash, pepper("b").hash(Kind::Secret, "secret"));
        assert_ne!(hash, pepper("a").hash(Kind::RefreshToken, "secret"));
        assert_ne!(new_secret().unwrap(), new_secret().unwrap());
    }

    #[test]
    fn a_pepper_is_long_and_not_shown() {
        assert_eq!("short".parse::<Pepper>().unwrap_err(), WeakPepper);
        assert_eq!(format!("{:?}", "long".repeat(8).parse::<Pepper>().unwrap()), "***");
    }
}
