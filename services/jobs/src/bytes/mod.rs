//! Where the bytes of sandboxes are: behind one trait, S3 or a directory. docs/adr/0007 tells why.

mod directory;
mod s3;
mod sigv4;
mod ticket;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{Explain, Explanation, Reason, sandbox::Pfn};

pub use directory::{Directory, Incoming, Outgoing};
pub use s3::{S3, S3Credentials};
pub use ticket::{DownloadTicket, UploadTicket};

/// Bytes that are announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// What they are called.
    pub pfn: Pfn,
    /// How many there will be.
    pub size: i64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// Where and how to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Absolute, or a path on the address of the gateway.
    pub url: String,
    /// Names and values of the parts before the file, in their order.
    pub fields: Vec<(String, String)>,
}

/// What a removal left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// What is still there.
    pub left: BTreeSet<Pfn>,
    /// Whether the store does not answer at all: others need not be tried now.
    pub away: bool,
}

/// A place for bytes.
#[async_trait]
pub trait ByteStore: Send + Sync + 'static {
    /// Permits an upload.
    fn sign_upload(
        &self,
        announced: &Announced,
        now: DateTime<Utc>,
        validity: Duration,
    ) -> Result<Form, StoreError>;

    /// Permits downloads: a URL, absolute or a path on the address of the gateway.
    fn sign_download(&self, pfn: &Pfn, now: DateTime<Utc>, validity: Duration) -> Result<String, StoreError>;

    /// Whether the bytes are there.
    async fn has(&self, pfn: &Pfn) -> Result<bool, StoreError>;

    /// Removes bytes; those that are not there are removed already.
    async fn remove(&self, pfns: Vec<Pfn>) -> Removal;

    /// The directory, if that is what it is: then the bytes come to us.
    fn directory(&self) -> Option<&Directory> {
        None
    }
}

/// What can go wrong with bytes.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer.
    #[error("The store of sandboxes does not answer, try again later")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A permission that we did not give.
    #[error("The signature is not one of this server")]
    BadSignature,
    /// A permission that is over.
    #[error("The time to upload or download is over, ask for it again")]
    Expired,
    /// Bytes that are not those that were announced.
    #[error("The bytes are not those that were announced: {0}")]
    Mismatch(String),
    /// Bytes that are not there.
    #[error("The bytes of the sandbox are not there, they were never uploaded or have been removed")]
    Missing,
    /// We do not keep the bytes.
    #[error("The bytes of sandboxes are not kept here")]
    NotHere,
    /// Bytes that do not come.
    #[error("The bytes did not come in time")]
    TooSlow,
}

impl StoreError {
    fn io(error: std::io::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl Explain for StoreError {
    fn explain(&self) -> Explanation {
        match self {
            Self::Unavailable(_) => {
                Explanation::unavailable(Reason::SandboxStoreUnavailable).retry_after(Duration::from_secs(10))
            }
            Self::BadSignature => Explanation::permission_denied(Reason::Forbidden),
            Self::Expired => Explanation::permission_denied(Reason::SandboxUrlExpired),
            Self::Mismatch(_) => Explanation::invalid_argument(Reason::SandboxMismatch),
            Self::Missing => Explanation::not_found(Reason::SandboxNotFound),
            Self::NotHere => Explanation::unimplemented(Reason::Unimplemented),
            Self::TooSlow => Explanation::deadline_exceeded(Reason::DeadlineExceeded),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Percent-encodes everything but letters, digits and `-_.~`; slashes, too, unless they are kept.
pub(crate) fn percent_encoded(text: &str, keep_slashes: bool) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len() + 8), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            b'/' if keep_slashes => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_go_both_ways() {
        assert_eq!(unhex(&hex(&[0, 171, 255])), Some(vec![0, 171, 255]));
        for bad in ["0", "0g", "+1", "ä", "€1"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn urls_are_encoded_as_s3_wants_them() {
        assert_eq!(percent_encoded("a/b c:ü~", true), "a/b%20c%3A%C3%BC~");
        assert_eq!(percent_encoded("a/b", false), "a%2Fb");
    }
}
