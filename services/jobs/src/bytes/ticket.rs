//! Permissions to upload to the directory and to download from it, signed so that nobody else can make them.

use chrono::{DateTime, Utc};
use diracx_core::sandbox::Pfn;
use ring::hmac;

use super::{Announced, StoreError, hex, unhex};

/// The path of the gateway under which the bytes are.
pub(super) const PATH: &str = "/api/jobs/sandbox-store";

/// Permission to upload what was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTicket {
    /// What was announced.
    pub announced: Announced,
    /// Until when the upload may begin, in seconds since 1970.
    pub expires: i64,
}

/// Permission to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadTicket {
    /// What.
    pub pfn: Pfn,
    /// Until when the download may begin, in seconds since 1970.
    pub expires: i64,
}

/// The parts, each with its length, so that no two lists of parts are the same message.
fn message(parts: &[&str]) -> Vec<u8> {
    let mut message = Vec::with_capacity(256);
    for part in parts {
        message.extend_from_slice(&part.len().to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    message
}

fn sign(key: &hmac::Key, parts: &[&str]) -> String {
    hex(hmac::sign(key, &message(parts)).as_ref())
}

/// Compares in constant time.
fn verify(key: &hmac::Key, parts: &[&str], signature: &str) -> Result<(), StoreError> {
    let signature = unhex(signature).ok_or(StoreError::BadSignature)?;
    hmac::verify(key, &message(parts), &signature).map_err(|_| StoreError::BadSignature)
}

fn in_time(expires: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    if now.timestamp() <= expires { Ok(()) } else { Err(StoreError::Expired) }
}

impl UploadTicket {
    /// The fields of the form.
    pub(super) fn fields(&self, key: &hmac::Key) -> Vec<(String, String)> {
        let Announced { pfn, size, sha256 } = &self.announced;
        let (size, sha256, expires) = (size.to_string(), hex(sha256), self.expires.to_string());
        let signature = sign(key, &["upload", pfn.as_str(), &size, &sha256, &expires]);
        [
            ("key", pfn.key()),
            ("size", &size),
            ("sha256", &sha256),
            ("expires", &expires),
            ("signature", &signature),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Reads the fields of a form that was sent to a bucket.
    pub(super) fn read(
        key: &hmac::Key,
        bucket: &str,
        fields: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let field = |name: &str| {
            let found = fields.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str()).ok_or(StoreError::BadSignature)
        };
        let pfn = format!("/S3/{bucket}/{}", field("key")?);
        let (size, sha256, expires) = (field("size")?, field("sha256")?, field("expires")?);
        verify(key, &["upload", &pfn, size, sha256, expires], field("signature")?)?;
        // What we signed can be read.
        let expires = expires.parse().map_err(|_| StoreError::BadSignature)?;
        in_time(expires, now)?;
        let sha256 = unhex(sha256).and_then(|bytes| bytes.try_into().ok()).ok_or(StoreError::BadSignature)?;
        let announced = Announced {
            pfn: pfn.parse().map_err(|_| StoreError::BadSignature)?,
            size: size.parse().map_err(|_| StoreError::BadSignature)?,
            sha256,
        };
        Ok(Self { announced, expires })
    }
}

impl DownloadTicket {
    /// The URL, a path on the address of the gateway.
    pub(super) fn url(&self, key: &hmac::Key) -> String {
        let expires = self.expires.to_string();
        let signature = sign(key, &["download", self.pfn.as_str(), &expires]);
        let path = super::percent_encoded(self.pfn.key(), true);
        format!("{PATH}/{}/{path}?expires={expires}&signature={signature}", self.pfn.bucket())
    }

    /// Reads what came with a URL.
    pub(super) fn read(
        key: &hmac::Key,
        bucket: &str,
        object: &str,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let pfn = format!("/S3/{bucket}/{object}");
        verify(key, &["download", &pfn, &expires.to_string()], signature)?;
        in_time(expires, now)?;
        Ok(Self { pfn: pfn.parse().map_err(|_| StoreError::BadSignature)?, expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_428_000;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap()
    }

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    fn announced() -> Announced {
        let pfn = format!("/S3/sandboxes/alpha/users/alice/sha256:{}.tar.zst", hex(&[1; 32]));
        Announced { pfn: pfn.parse().unwrap(), size: 10, sha256: [1; 32] }
    }

    #[test]
    fn a_form_is_good_until_it_expires_and_only_unchanged() {
        let ticket = UploadTicket { announced: announced(), expires: NOW };
        let fields = ticket.fields(&key());
        let read = |fields: &[(String, String)], bucket: &str, at: i64| {
            UploadTicket::read(&key(), bucket, fields, DateTime::from_timestamp(at, 0).unwrap())
        };
        assert_eq!(read(&fields, "sandboxes", NOW).unwrap(), ticket);
        assert!(matches!(read(&fields, "sandboxes", NOW + 1), Err(StoreError::Expired)));
        assert!(matches!(read(&fields, "sandboxez", NOW), Err(StoreError::BadSignature)));
        for index in 0..fields.len() {
            let mut changed = fields.clone();
            let value = changed[index].1.pop().unwrap();
            changed[index].1.push(if value == '0' { '1' } else { '0' });
            assert!(
                matches!(read(&changed, "sandboxes", NOW), Err(StoreError::BadSignature)),
                "{}",
                fields[index].0
            );
            changed.remove(index);
            assert!(matches!(read(&changed, "sandboxes", NOW), Err(StoreError::BadSignature)));
        }
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        assert!(matches!(
            UploadTicket::read(&other, "sandboxes", &fields, now()),
            Err(StoreError::BadSignature)
        ));
    }

    #[test]
    fn a_permission_to_upload_is_none_to_download() {
        let pfn = announced().pfn;
        let ticket = DownloadTicket { pfn: pfn.clone(), expires: NOW };
        let url = ticket.url(&key());
        assert!(
            url.starts_with("/api/jobs/sandbox-store/sandboxes/alpha/users/alice/sha256%3A0101"),
            "{url}"
        );
        let signature = url.rsplit('=').next().unwrap();
        let read = |signature: &str, expires| {
            DownloadTicket::read(&key(), "sandboxes", pfn.key(), expires, signature, now())
        };
        assert_eq!(read(signature, NOW).unwrap(), ticket);
        assert!(matches!(read(signature, NOW + 60), Err(StoreError::BadSignature)));
        let upload = UploadTicket { announced: announced(), expires: NOW }.fields(&key());
        assert!(matches!(read(&upload[4].1, NOW), Err(StoreError::BadSignature)));
        assert!(matches!(read("", NOW), Err(StoreError::BadSignature)));
    }
}
