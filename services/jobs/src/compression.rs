//! Job descriptions as DIRAC stores them: base64 of zlib, or plain in old rows.

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

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

/// For the column.
pub fn compress(text: &str) -> String {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(text.len() / 2), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(text.as_bytes());
    STANDARD.encode(encoder.finish().unwrap_or_default())
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
    fn what_python_packed_and_old_plain_rows_are_read() {
        assert!(decompress("eJyLjs0vKMnMz4sFABVbBIo=").is_err(), "a checksum that is wrong");
        assert_eq!(decompress("eJxLTEoGAAJNASc=").unwrap(), "abc");
        assert_eq!(decompress("[ A = 1; ]").unwrap(), "[ A = 1; ]");
        assert!(decompress("%%%").is_err());
    }
}
