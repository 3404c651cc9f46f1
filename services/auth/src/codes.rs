//! The random texts of logins, and how they are kept: as hashes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};

use crate::error::{Error, Result};

/// Consonants only, so that no code is a word.
const USER_CODE_ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Length of a user code.
const USER_CODE_LENGTH: usize = 8;

/// Bytes from the machine's source of randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}

/// A secret of 256 bits: a device code or an authorization code.
pub(crate) fn secret_code() -> Result<String> {
    random::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// What a person types: 8 consonants.
pub(crate) fn user_code() -> Result<String> {
    let mut code = String::with_capacity(USER_CODE_LENGTH);
    while code.len() < USER_CODE_LENGTH {
        // 240 is the largest multiple of 20 in a byte: what is above would favour some letters
        let letters = random::<16>()?.into_iter().filter(|byte| *byte < 240);
        code.extend(
            letters
                .map(|byte| char::from(USER_CODE_ALPHABET[usize::from(byte % 20)]))
                .take(USER_CODE_LENGTH - code.len()),
        );
    }
    Ok(code)
}

/// A user code as a person may type it, in the one form that is stored.
pub(crate) fn typed_user_code(text: &str) -> String {
    text.chars().filter(|c| *c != '-' && !c.is_whitespace()).take(64).collect::<String>().to_ascii_uppercase()
}

/// How a secret code is stored. Unsalted: the codes are random and long.
pub(crate) fn hashed(code: &str) -> String {
    hashed_bytes(code.as_bytes())
}

/// As [`hashed`], for secrets that are no text.
pub(crate) fn hashed_bytes(secret: &[u8]) -> String {
    use std::fmt::Write;
    digest(&SHA256, secret).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The PKCE challenge of a verifier, by the method `S256`.
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// A PKCE verifier: 64 hexadecimal digits.
pub(crate) fn verifier() -> Result<String> {
    use std::fmt::Write;
    Ok(random::<32>()?.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Compares in a time that does not tell where the texts differ.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    // hashes have one length and tell nothing about the texts, however long the comparison takes
    digest(&SHA256, one.as_bytes()).as_ref() == digest(&SHA256, other.as_bytes()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_form_that_clients_know_and_differ() {
        let code = user_code().unwrap();
        assert!(code.len() == 8 && code.bytes().all(|b| USER_CODE_ALPHABET.contains(&b)), "{code}");
        assert_ne!(code, user_code().unwrap());
        assert_eq!(secret_code().unwrap().len(), 43);
        assert_eq!(verifier().unwrap().len(), 64);
    }

    #[test]
    fn a_user_code_may_be_typed_carelessly() {
        assert_eq!(typed_user_code(" bcdf-ghjk\n"), "BCDFGHJK");
        assert!(typed_user_code(&"é".repeat(10_000)).len() < 200);
    }

    #[test]
    fn hashes_are_the_standard_ones() {
        assert_eq!(hashed("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // the example of RFC 7636
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn secrets_are_equal_only_if_they_are() {
        assert!(same_secret("abc", "abc"));
        assert!(!same_secret("abc", "abd") && !same_secret("", "a"));
    }
}
