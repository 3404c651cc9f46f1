//! Bytes in a directory: `<bucket>/<vo>/<group>/<user>/<file>`, each name encoded so that it stays one name.
//!
//! What arrives is written beside, counted and hashed on the way, and renamed into place only if it is what was
//! announced: a file in its place is whole. The key that signs permissions is in the directory, too, so that whoever
//! shares the directory shares the key.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::sandbox::Pfn;
use ring::{hmac, rand::SecureRandom};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::{
    Announced, ByteStore, DownloadTicket, Form, Removal, StoreError, UploadTicket, hex, ticket::PATH,
};

/// Where unfinished uploads are.
const INCOMING: &str = ".incoming";
/// Where the key is.
const KEY: &str = ".signing-key";
/// How long an unfinished upload is left alone: no upload takes so long.
const LEFTOVER: Duration = Duration::from_secs(86_400);
/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// A directory of bytes.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    key: hmac::Key,
}

impl Directory {
    /// Opens the directory, and makes it and its key if they are missing.
    ///
    /// # Errors
    /// It cannot be made or used.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root.join(INCOMING))?;
        let root = root.canonicalize()?;
        let key = signing_key(&root)?;
        Ok(Self { root, key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    fn path(&self, pfn: &Pfn) -> PathBuf {
        let names = std::iter::once(pfn.bucket()).chain(pfn.key().split('/'));
        names.fold(self.root.clone(), |path, name| path.join(file_name(name)))
    }

    /// Whether an upload is permitted, and which.
    ///
    /// # Errors
    /// It is not.
    pub fn permits_upload(
        &self,
        bucket: &str,
        fields: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<UploadTicket, StoreError> {
        UploadTicket::read(&self.key, bucket, fields, now)
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub async fn receive(&self, ticket: UploadTicket) -> Result<Incoming, StoreError> {
        let temporary = Temporary(self.root.join(INCOMING).join(Uuid::new_v4().simple().to_string()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = tokio::fs::OpenOptions::from(options).open(&temporary.0).await.map_err(StoreError::io)?;
        let place = self.path(&ticket.announced.pfn);
        Ok(Incoming { file, temporary, place, announced: ticket.announced, hash: Sha256::new(), size: 0 })
    }

    /// Opens a file for a download.
    ///
    /// # Errors
    /// The download is not permitted, or the file is not there.
    pub async fn send(
        &self,
        bucket: &str,
        object: &str,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<Outgoing, StoreError> {
        let ticket = DownloadTicket::read(&self.key, bucket, object, expires, signature, now)?;
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Missing,
            _ => StoreError::io(error),
        };
        let file = tokio::fs::File::open(self.path(&ticket.pfn)).await.map_err(missing)?;
        let size = file.metadata().await.map_err(StoreError::io)?.len();
        Ok(Outgoing { file, size })
    }

    /// Removes what uploads that never ended have left.
    pub async fn remove_leftovers(&self) {
        let incoming = self.root.join(INCOMING);
        let removed = tokio::task::spawn_blocking(move || remove_older(&incoming, LEFTOVER)).await;
        match removed {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!("removed {count} uploads that never ended"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot remove uploads that never ended"),
            Err(error) => tracing::error!(%error, "removing uploads that never ended"),
        }
    }
}

fn remove_older(directory: &Path, age: Duration) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let written = entry.metadata()?.modified()?;
        if SystemTime::now().duration_since(written).is_ok_and(|since| since > age) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The key of the directory. Of several processes that make one at the same time, the first one wins.
fn signing_key(root: &Path) -> io::Result<Vec<u8>> {
    let path = root.join(KEY);
    if let Some(key) = read_key(&path)? {
        return Ok(key);
    }
    let mut key = [0; 32];
    ring::rand::SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no random bytes"))?;
    let temporary = Temporary(root.join(INCOMING).join(Uuid::new_v4().simple().to_string()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary.0)?;
    io::Write::write_all(&mut file, &key)?;
    file.sync_all()?;
    match fs::hard_link(&temporary.0, &path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    read_key(&path)?.ok_or_else(|| io::Error::other(format!("{} vanished", path.display())))
}

fn read_key(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(key) if key.len() == 32 => Ok(Some(key)),
        Ok(_) => Err(io::Error::other(format!("{} is not a key of 32 bytes", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name that is one name on every file system: never empty, hidden, `..` or with a slash in it.
fn file_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b':' => out.push(byte.into()),
            b'.' if at > 0 => out.push('.'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A file that goes unless it is kept.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is gone already if it was renamed.
        let _ = fs::remove_file(&self.0);
    }
}

/// An upload under way. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub struct Incoming {
    file: tokio::fs::File,
    temporary: Temporary,
    place: PathBuf,
    announced: Announced,
    hash: Sha256,
    size: i64,
}

impl Incoming {
    /// How many bytes were announced.
    pub fn announced_size(&self) -> i64 {
        self.announced.size
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// There are more than announced, or they cannot be written.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.size += i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if self.size > self.announced.size {
            return Err(StoreError::Mismatch(format!("there are more than {}", self.announced.size)));
        }
        self.hash.update(bytes);
        self.file.write_all(bytes).await.map_err(StoreError::io)
    }

    /// Puts the bytes in their place, for good.
    ///
    /// # Errors
    /// They are not those that were announced, or cannot be written.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        if self.size != self.announced.size {
            let problem = format!("there are {} of {}", self.size, self.announced.size);
            return Err(StoreError::Mismatch(problem));
        }
        let found = self.hash.finalize();
        if found[..] != self.announced.sha256 {
            return Err(StoreError::Mismatch(format!("their SHA-256 is {}", hex(&found))));
        }
        self.file.flush().await.map_err(StoreError::io)?;
        self.file.sync_all().await.map_err(StoreError::io)?;
        let (temporary, place) = (self.temporary, self.place);
        let moved = tokio::task::spawn_blocking(move || {
            let parent = place.parent().unwrap_or(&place);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            fs::rename(&temporary.0, &place)?;
            fs::File::open(parent)?.sync_all()
        });
        moved.await.map_err(|error| StoreError::Unavailable(error.into()))?.map_err(StoreError::io)
    }
}

/// A download under way.
#[derive(Debug)]
pub struct Outgoing {
    file: tokio::fs::File,
    size: u64,
}

impl Outgoing {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// More bytes; none at the end.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn read(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut piece = vec![0; PIECE];
        let read = self.file.read(&mut piece).await.map_err(StoreError::io)?;
        piece.truncate(read);
        Ok(piece)
    }
}

#[async_trait]
impl ByteStore for Directory {
    fn sign_upload(
        &self,
        announced: &Announced,
        now: DateTime<Utc>,
        validity: Duration,
    ) -> Result<Form, StoreError> {
        let ticket = UploadTicket { announced: announced.clone(), expires: expires(now, validity) };
        let url = format!("{PATH}/{}", announced.pfn.bucket());
        Ok(Form { url, fields: ticket.fields(&self.key) })
    }

    fn sign_download(&self, pfn: &Pfn, now: DateTime<Utc>, validity: Duration) -> Result<String, StoreError> {
        Ok(DownloadTicket { pfn: pfn.clone(), expires: expires(now, validity) }.url(&self.key))
    }

    async fn has(&self, pfn: &Pfn) -> Result<bool, StoreError> {
        tokio::fs::try_exists(self.path(pfn)).await.map_err(StoreError::io)
    }

    async fn remove(&self, pfns: Vec<Pfn>) -> Removal {
        let all: BTreeSet<Pfn> = pfns.iter().cloned().collect();
        let files: Vec<_> = pfns.into_iter().map(|pfn| (self.path(&pfn), pfn)).collect();
        let removed = tokio::task::spawn_blocking(move || {
            let stays = |(path, pfn): (PathBuf, Pfn)| match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, "cannot remove {}", path.display());
                    Some(pfn)
                }
                _ => None,
            };
            files.into_iter().filter_map(stays).collect()
        });
        let left = removed.await.unwrap_or_else(|error| {
            tracing::error!(%error, "removing the bytes of sandboxes");
            all
        });
        Removal { left, away: false }
    }

    fn directory(&self) -> Option<&Directory> {
        Some(self)
    }
}

fn expires(now: DateTime<Utc>, validity: Duration) -> i64 {
    now.timestamp().saturating_add(i64::try_from(validity.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
