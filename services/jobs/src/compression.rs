//! Job descriptions as DIRAC stores them: base64 of zlib, or plain in old rows.

use std::{cell::RefCell, io::Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compress, Compression, FlushCompress, Status, read::ZlibDecoder};

/// What a description may be at the most when it is unpacked.
const MOST_BYTES: u64 = 16 << 20;

/// A stored description that is none.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No base64.
    #[error("not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// No zlib, or no text.
    #[error("not compressed text: {0}")]
    Zlib(#[from] std::io::Error),
}

thread_local! {
    /// Its tables have some hundred kilobytes: to make them anew for each description takes longer than to use them.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), true));
}

/// For the column. Short texts become a fifth longer than at the best level, and no code tables are made for each.
pub fn compress(text: &str) -> String {
    let packed = COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let mut packed = Vec::with_capacity(text.len() / 2 + 64);
        let mut rest = text.as_bytes();
        loop {
            let before = compressor.total_in();
            // A fresh stream takes anything; only room can be missing.
            let Ok(Status::Ok | Status::BufError) =
                compressor.compress_vec(rest, &mut packed, FlushCompress::Finish)
            else {
                return packed;
            };
            let taken = usize::try_from(compressor.total_in() - before).unwrap_or(rest.len());
            rest = &rest[taken..];
            packed.reserve(packed.len().max(64));
        }
    });
    STANDARD.encode(packed)
}

/// From the column.
pub fn decompress(stored: &str) -> Result<String, Unreadable> {
    if stored.is_empty() || stored.trim_start().starts_with('[') {
        return Ok(stored.to_owned());
    }
    let packed = STANDARD.decode(stored.trim())?;
    let mut text = String::new();
    ZlibDecoder::new(packed.as_slice()).take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let jdl = "[ Executable = \"/bin/echo\"; Arguments = \"ħ\"; ]".repeat(50);
        assert_eq!(decompress(&compress(&jdl)).unwrap(), jdl);
        assert!(compress(&jdl).len() < jdl.len());
    }

    #[test]
    fn one_text_after_the_other_comes_out_whatever_its_length() {
        let noise = |length: u32| -> String {
            // Compresses badly, so that the result needs more room than was foreseen.
            let numbers = (0..length).map(|i| i.wrapping_mul(2_654_435_761) ^ (i << 7));
            numbers.map(|number| char::from(b'!' + u8::try_from((number >> 13) % 90).unwrap())).collect()
        };
        for text in [noise(100_000), String::from("[]"), noise(7), noise(3_000), "[ A = 1; ]".repeat(90_000)]
        {
            assert_eq!(decompress(&compress(&text)).unwrap(), text);
        }
    }

    #[test]
    fn what_python_packed_and_old_plain_rows_are_read() {
        assert!(decompress("eJyLjs0vKMnMz4sFABVbBIo=").is_err(), "a checksum that is wrong");
        assert_eq!(decompress("eJxLTEoGAAJNASc=").unwrap(), "abc");
        assert_eq!(decompress("[ A = 1; ]").unwrap(), "[ A = 1; ]");
        assert!(decompress("%%%").is_err());
    }
}
