//! The credentials file that all programs of a person share, DiracX's own included.
//!
//! Whoever reads or writes it holds its lock (`flock`); it is rewritten in place, because a new file
//! in its place would leave those who wait for the lock with the old one.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// A token with less time left, in seconds, is refreshed before it is used.
pub const REFRESH_AHEAD: i64 = 300;

/// A token is written down as if it expired that much earlier, in seconds.
pub const EXPIRY_MARGIN: i64 = 15;

/// The tokens of a login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Sent with every call.
    pub access_token: String,
    /// For the next access token.
    pub refresh_token: Option<String>,
    /// When the access token expires, Unix seconds.
    pub expires_on: i64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("expires_on", &self.expires_on).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Whether the access token is good for a while; `now` in Unix seconds.
    pub fn are_fresh(&self, now: i64) -> bool {
        self.expires_on.saturating_sub(now) > REFRESH_AHEAD
    }
}

/// Why the credentials cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file system says no.
    #[error("cannot use the credentials file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no credentials", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The place of the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsFile {
    path: PathBuf,
}

/// The credentials file, locked for everybody else until dropped.
#[derive(Debug)]
pub struct LockedCredentials {
    path: PathBuf,
    file: File,
}

impl CredentialsFile {
    /// At `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where every program of this person looks: `~/.cache/diracx/credentials.json`.
    pub fn in_home() -> Option<Self> {
        Some(Self::at(std::env::home_dir()?.join(".cache/diracx/credentials.json")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn io(&self, source: io::Error) -> CredentialsError {
        CredentialsError::Io { path: self.path.clone(), source }
    }

    /// The credentials, if there are any. Waits while somebody writes them.
    pub fn read(&self) -> Result<Option<Credentials>, CredentialsError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io(error)),
        };
        file.lock_shared().map_err(|error| self.io(error))?;
        LockedCredentials { path: self.path.clone(), file }.read().map(Some)
    }

    /// Locks the file as it is; nothing if there is none.
    pub fn lock(&self) -> Result<Option<LockedCredentials>, CredentialsError> {
        match OpenOptions::new().read(true).write(true).open(&self.path) {
            Ok(file) => self.locked(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io(error)),
        }
    }

    fn locked(&self, file: File) -> Result<LockedCredentials, CredentialsError> {
        file.lock().map_err(|error| self.io(error))?;
        Ok(LockedCredentials { path: self.path.clone(), file })
    }

    /// Whether credentials could be written: told before a person goes through a login for nothing.
    pub fn check_writable(&self) -> Result<(), CredentialsError> {
        if self.path.exists() {
            return OpenOptions::new().write(true).open(&self.path).map(drop).map_err(|error| self.io(error));
        }
        self.make_directory()?;
        let probe = self.path.with_extension(format!("probe-{}", std::process::id()));
        File::create(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(|error| self.io(error))
    }

    fn make_directory(&self) -> Result<(), CredentialsError> {
        match self.path.parent() {
            Some(directory) => std::fs::create_dir_all(directory).map_err(|error| self.io(error)),
            None => Ok(()),
        }
    }

    /// Replaces the credentials. Directories on the way are made; only the owner may read the file.
    pub fn write(&self, credentials: &Credentials) -> Result<(), CredentialsError> {
        self.make_directory()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path).map_err(|error| self.io(error))?;
        self.locked(file)?.write(credentials)
    }

    /// Removes the credentials. Was there a file?
    pub fn remove(&self) -> Result<bool, CredentialsError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.io(error)),
        }
    }
}

impl LockedCredentials {
    /// The credentials.
    pub fn read(&mut self) -> Result<Credentials, CredentialsError> {
        let mut text = String::new();
        let result = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_to_string(&mut text));
        result.map_err(|source| CredentialsError::Io { path: self.path.clone(), source })?;
        serde_json::from_str(&text)
            .map_err(|source| CredentialsError::Invalid { path: self.path.clone(), source })
    }

    /// Replaces the credentials.
    pub fn write(&mut self, credentials: &Credentials) -> Result<(), CredentialsError> {
        self.rewrite(credentials).map_err(|source| CredentialsError::Io { path: self.path.clone(), source })
    }

    /// There is no instant at which the file is empty: what is new goes over what is old in one write,
    /// padded with blanks to its length, and then the padding goes.
    fn rewrite(&mut self, credentials: &Credentials) -> io::Result<()> {
        let mut text = serde_json::to_vec(credentials)?;
        let length = text.len();
        let old = usize::try_from(self.file.metadata()?.len()).unwrap_or(0);
        text.resize(length.max(old.min(1 << 20)), b' ');
        #[cfg(unix)]
        {
            use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
            self.file.set_permissions(Permissions::from_mode(0o600))?;
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)?;
        self.file.set_len(length as u64)?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(token: &str) -> Credentials {
        Credentials { access_token: token.to_owned(), refresh_token: None, expires_on: 1 }
    }

    #[test]
    fn credentials_come_back_as_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        let file = CredentialsFile::at(directory.path().join("a/b/credentials.json"));
        assert_eq!(file.read().unwrap(), None);
        for token in ["a long token", "short"] {
            file.write(&credentials(token)).unwrap();
            assert_eq!(file.read().unwrap(), Some(credentials(token)));
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, r#"{"access_token":"short","refresh_token":null,"expires_on":1}"#);
        assert!(file.remove().unwrap());
        assert!(!file.remove().unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = CredentialsFile::at(directory.path().join("credentials.json"));
        std::fs::write(file.path(), "{}").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        file.write(&credentials("x")).unwrap();
        assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn something_else_in_the_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = CredentialsFile::at(directory.path().join("credentials.json"));
        std::fs::write(file.path(), "not JSON").unwrap();
        assert!(matches!(file.read(), Err(CredentialsError::Invalid { .. })));
    }

    #[test]
    fn readers_that_ask_for_no_lock_never_see_half_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = CredentialsFile::at(directory.path().join("credentials.json"));
        file.write(&credentials("begin")).unwrap();
        let path = file.path().to_owned();
        let writer = std::thread::spawn(move || {
            for i in 0..200 {
                file.write(&credentials(&"x".repeat(1 + i % 7 * 50))).unwrap();
            }
        });
        while !writer.is_finished() {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.is_empty());
        }
        writer.join().unwrap();
    }

    #[test]
    fn tokens_stay_out_of_debug() {
        assert!(!format!("{:?}", credentials("secret")).contains("secret"));
    }
}
