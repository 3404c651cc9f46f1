//! Where a page or a stream goes on, as a text: opaque to clients, and good for one search only.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{Place, Position};

/// The form of the tokens; another one gets another number.
const VERSION: u8 = 1;

/// A position has at most one value of each column, and the columns are short; longer than this is no token of ours.
const LONGEST: usize = 32 * 1024;

/// A text that cannot be used as a token, as the end of a sentence that names its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Nobody gave it, or the search has no such place.
    #[error("is not one that this rpc gave")]
    Foreign,
    /// It was given for something else.
    #[error("belongs to another search: only its place may change")]
    OtherSearch,
}

/// What a token belongs to: a short hash of the request, without what may differ from page to page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding([u8; 8]);

impl Binding {
    /// Of an encoded request in which only that remains which has to stay the same.
    pub fn of(rpc: &str, request: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(rpc);
        hash.update([0]);
        hash.update(request);
        let mut short = [0; 8];
        short.copy_from_slice(&hash.finalize()[..8]);
        Self(short)
    }
}

/// Where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The place.
    pub place: Place,
    /// How many rows came before, if that is counted.
    pub sent: u64,
}

impl Token {
    /// As a text.
    pub fn write(&self, binding: Binding) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(binding.0);
        bytes.extend(self.sent.to_le_bytes());
        match &self.place {
            Place::Skip(rows) => {
                bytes.push(b'n');
                bytes.extend(rows.to_le_bytes());
            }
            Place::Behind(position) => {
                bytes.push(b'k');
                bytes.extend(position.to_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what a client sends; nothing if it is empty.
    pub fn read(text: &str, binding: Binding) -> Result<Option<Self>, BadToken> {
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = Some(text)
            .filter(|text| text.len() <= LONGEST)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let (bound, token) = bytes.as_deref().and_then(parts).ok_or(BadToken::Foreign)?;
        if bound == binding { Ok(Some(token)) } else { Err(BadToken::OtherSearch) }
    }
}

fn parts(bytes: &[u8]) -> Option<(Binding, Token)> {
    let bytes = bytes.strip_prefix(&[VERSION])?;
    let (bound, bytes) = bytes.split_first_chunk()?;
    let (sent, bytes) = bytes.split_first_chunk()?;
    let place = match bytes.split_first()? {
        (b'n', rows) => Place::Skip(u64::from_le_bytes(rows.try_into().ok()?)),
        (b'k', position) => Place::Behind(Position::from_bytes(position)?),
        _ => return None,
    };
    Some((Binding(*bound), Token { place, sent: u64::from_le_bytes(*sent) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding = Binding([7; 8]);

    #[test]
    fn a_token_comes_back_and_belongs_to_its_search() {
        let token = Token { place: Place::Skip(12), sent: 3 };
        let text = token.write(BINDING);
        assert_eq!(Token::read(&text, BINDING), Ok(Some(token)));
        assert_eq!(Token::read("", BINDING), Ok(None));
        assert_eq!(Token::read(&text, Binding([8; 8])), Err(BadToken::OtherSearch));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = Token { place: Place::Skip(12), sent: 0 }.write(BINDING);
        let cut = &good[..good.len() - 2];
        for text in ["rubbish", "c2tpcDo1", "ä", cut, &"A".repeat(LONGEST + 1)] {
            assert_eq!(Token::read(text, BINDING), Err(BadToken::Foreign), "{text}");
        }
    }
}
