//! What travels through the browser and the identity provider, sealed: the OAuth `state`.
//!
//! It is a Fernet token (AES-128-CBC and HMAC-SHA256) over base64url of JSON, as DiracX makes it, so that
//! both can serve one login while an installation moves from one to the other.

use std::fmt;

use aes::Aes128;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};
use chrono::{DateTime, Utc};
use ring::hmac;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codes,
    error::{Error, Result},
};

const VERSION: u8 = 0x80;
const IV: std::ops::Range<usize> = 9..25;
const MAC_LENGTH: usize = 32;

/// Longer states are none of ours.
const MAX_LENGTH: usize = 16 * 1024;

/// Seals and opens states.
#[derive(Clone)]
pub struct StateKey {
    signing: hmac::Key,
    encryption: [u8; 16],
}

/// A text that is no state key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state key must be 32 bytes in base64, as `openssl rand -base64 32` makes them")]
pub struct NoStateKey;

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl StateKey {
    /// Reads 32 bytes in base64 with either alphabet: deployments use both.
    pub fn parse(text: &str) -> Result<Self, NoStateKey> {
        let standard = text.trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
        let bytes = STANDARD.decode(format!("{standard}=")).map_err(|_| NoStateKey)?;
        let (signing, encryption) = bytes.split_at_checked(16).ok_or(NoStateKey)?;
        Ok(Self {
            signing: hmac::Key::new(hmac::HMAC_SHA256, signing),
            encryption: encryption.try_into().map_err(|_| NoStateKey)?,
        })
    }

    /// Seals `content`.
    pub fn seal(&self, content: &impl Serialize, now: DateTime<Utc>) -> Result<String> {
        let json = serde_json::to_vec(content).map_err(|_| Error::InvalidState)?;
        let plain = URL_SAFE.encode(json);
        let iv = codes::random::<16>()?;
        let cipher = cbc::Encryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        let mut token = vec![VERSION];
        token.extend(now.timestamp().to_be_bytes());
        token.extend(iv);
        token.extend(cipher.encrypt_padded_vec_mut::<Pkcs7>(plain.as_bytes()));
        let mac = hmac::sign(&self.signing, &token);
        token.extend(mac.as_ref());
        Ok(URL_SAFE.encode(token))
    }

    /// Opens what [`seal`](Self::seal) made with the same key; anything else is an invalid state.
    pub fn open<T: DeserializeOwned>(&self, state: &str) -> Result<T> {
        self.read(state).ok_or(Error::InvalidState)
    }

    fn read<T: DeserializeOwned>(&self, state: &str) -> Option<T> {
        if state.len() > MAX_LENGTH {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(state.trim_end_matches('=')).ok()?;
        let (signed, mac) = token.split_at_checked(token.len().checked_sub(MAC_LENGTH)?)?;
        hmac::verify(&self.signing, signed, mac).ok()?;
        if signed.first() != Some(&VERSION) {
            return None;
        }
        let iv: [u8; 16] = signed.get(IV)?.try_into().ok()?;
        let cipher = cbc::Decryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        let plain = cipher.decrypt_padded_vec_mut::<Pkcs7>(signed.get(IV.end..)?).ok()?;
        serde_json::from_slice(&URL_SAFE.decode(plain).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    // the key and the token of the Fernet specification's test vectors
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    fn key() -> StateKey {
        StateKey::parse(KEY).unwrap()
    }

    fn sealed() -> String {
        key().seal(&["alice", "ü"], Utc.timestamp_opt(1_700_000_000, 0).unwrap()).unwrap()
    }

    #[test]
    fn a_sealed_state_opens_again() {
        assert_eq!(key().open::<Vec<String>>(&sealed()).unwrap(), ["alice", "ü"]);
        assert_ne!(sealed(), sealed(), "two seals of the same content must differ");
    }

    #[test]
    fn the_form_is_that_of_fernet() {
        let published = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
        let token = URL_SAFE.decode(published).unwrap();
        let (signed, mac) = token.split_at(token.len() - MAC_LENGTH);
        hmac::verify(&key().signing, signed, mac).expect("the published token is signed with the key");
        let iv: [u8; 16] = signed[IV].try_into().unwrap();
        let cipher = cbc::Decryptor::<Aes128>::new(&key().encryption.into(), &iv.into());
        assert_eq!(cipher.decrypt_padded_vec_mut::<Pkcs7>(&signed[IV.end..]).unwrap(), b"hello");
    }

    #[test]
    fn both_alphabets_and_a_newline_are_read() {
        let standard = KEY.replace('-', "+").replace('_', "/");
        for text in [standard.clone(), format!("{KEY}\n"), standard.trim_end_matches('=').to_owned()] {
            assert_eq!(StateKey::parse(&text).unwrap().encryption, key().encryption);
        }
        for text in ["", "abc", "not base64 at all!", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 33])] {
            assert_eq!(StateKey::parse(text).err(), Some(NoStateKey), "{text}");
        }
        assert_eq!(format!("{:?}", key()), "***");
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let token = URL_SAFE.decode(sealed()).unwrap();
        for position in 0..token.len() {
            let mut changed = token.clone();
            changed[position] ^= 1;
            let state = URL_SAFE.encode(changed);
            assert!(key().open::<Vec<String>>(&state).is_err(), "byte {position}");
        }
    }

    #[test]
    fn another_key_does_not_open_it() {
        let other = StateKey::parse(&STANDARD.encode([7; 32])).unwrap();
        assert!(matches!(other.open::<Vec<String>>(&sealed()), Err(Error::InvalidState)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,300}") {
            prop_assert!(key().open::<Vec<String>>(&text).is_err());
        }
    }
}
