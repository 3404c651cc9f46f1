//! The directory that holds everything a first start makes: keys, configuration, database.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_URL_SAFE};
use chrono::{DateTime, Utc};
use diracx_server::token::{KeyKind, KeyStoreError, rotate_key};
use ring::rand::{SecureRandom, SystemRandom};

use crate::dev_config;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Something in it cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two processes would ruin each other's jobs.
    #[error("{} is in use by another diracx-standalone", .0.display())]
    InUse(PathBuf),
    /// Its path would break the database URL.
    #[error("{} must be valid UTF-8 without '?'", .0.display())]
    Path(PathBuf),
    /// No key can be made.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
}

/// The directory, locked for this process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    text: String,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, and locks it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Io { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let text = path.to_str().filter(|text| !text.contains('?')).map(str::to_owned);
        let text = text.ok_or_else(|| DataDirError::Path(path.clone()))?;
        let lock_path = path.join("lock");
        let failed = |source| DataDirError::Io { path: lock_path.clone(), source };
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, text, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key store, made as `rotate-jwk` makes it: one Ed25519 key.
    pub fn keystore(&self, now: DateTime<Utc>) -> Result<String, DataDirError> {
        let path = self.path.join("keystore.json");
        if !path.exists() {
            write_secret(&path, &rotate_key(None, KeyKind::Ed25519, now)?)?;
        }
        Ok(format!("{}/keystore.json", self.text))
    }

    /// The key that seals the state of logins, in the form of Fernet keys.
    pub fn state_key(&self) -> Result<String, DataDirError> {
        self.random_text("state.key")
    }

    /// The key with which secrets of pilots are hashed.
    pub fn pilot_pepper(&self) -> Result<String, DataDirError> {
        self.random_text("pilot-pepper.key")
    }

    /// A random text of 256 bits, made once.
    fn random_text(&self, name: &str) -> Result<String, DataDirError> {
        let path = self.path.join(name);
        if !path.exists() {
            let mut key = [0; 32];
            SystemRandom::new().fill(&mut key).map_err(|_| KeyStoreError::NoRandomness)?;
            write_secret(&path, &BASE64_URL_SAFE.encode(key))?;
        }
        let key = fs::read_to_string(&path).map_err(|source| DataDirError::Io { path, source })?;
        Ok(key.trim().to_owned())
    }

    /// The URL of the databases of a service, which are one file.
    pub fn database_url(&self, service: &str) -> String {
        format!("sqlite+aiosqlite:///{}/{service}.db", self.text)
    }

    /// The configuration for development, kept in step with the address that the issuer has.
    pub fn configuration(&self, issuer: &str) -> Result<Configuration, DataDirError> {
        let directory = self.path.join("config");
        let path = directory.join("default.yml");
        let failed = |source| DataDirError::Io { path: path.clone(), source };
        let before = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let text = match &before {
            Some(text) => dev_config::with_issuer(text, issuer),
            None => dev_config::new(issuer),
        };
        if before.as_ref() != Some(&text) {
            fs::create_dir_all(&directory).map_err(failed)?;
            replace(&path, &text, 0o644)?;
        }
        Ok(Configuration {
            source: format!("{}/config/default.yml", self.text),
            uses_dev_idp: dev_config::uses(&text, issuer),
        })
    }

    /// Where sandboxes are kept.
    pub fn sandboxes(&self) -> PathBuf {
        self.path.join("sandboxes")
    }

    /// Where the local executor works.
    pub fn executor(&self) -> PathBuf {
        self.path.join("executor")
    }
}

/// Whether a start on this directory would have the development identity provider. Changes nothing.
pub fn would_use_dev_idp(data_dir: &Path) -> bool {
    fs::read_to_string(data_dir.join("config/default.yml")).map_or(true, |text| dev_config::uses_any(&text))
}

/// A configuration of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// What `DIRACX_CONFIG_BACKEND_URL` would say.
    pub source: String,
    /// Whether it still sends people to the development identity provider.
    pub uses_dev_idp: bool,
}

fn write_secret(path: &Path, text: &str) -> Result<(), DataDirError> {
    replace(path, text, 0o600)
}

/// Writes a file so that after a crash there is the old one or the new one.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), DataDirError> {
    let temporary = path.with_extension("new");
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| DataDirError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use diracx_server::KeyStore;

    use super::*;

    const ISSUER: &str = "http://127.0.0.1:8000/dev-idp";

    #[test]
    fn secrets_are_made_once_and_are_for_the_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(&directory.path().join("new/data")).unwrap();
        let keystore = data.keystore(DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(KeyStore::load(&keystore).unwrap().keys().len(), 1);
        let key = data.state_key().unwrap();
        assert_eq!((key.len(), data.state_key().unwrap()), (44, key));
        let pepper = data.pilot_pepper().unwrap();
        assert_eq!((pepper.len(), data.pilot_pepper().unwrap()), (44, pepper));
        let before = fs::read(&keystore).unwrap();
        data.keystore(DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(fs::read(&keystore).unwrap(), before);
        for file in ["keystore.json", "state.key", "pilot-pepper.key"] {
            assert_eq!(fs::metadata(data.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_directory_serves_one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDir::open(directory.path()).unwrap();
        assert!(matches!(DataDir::open(directory.path()), Err(DataDirError::InUse(_))));
        drop(first);
        assert!(DataDir::open(directory.path()).is_ok());
    }

    #[test]
    fn the_configuration_follows_the_address_and_keeps_what_people_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path()).unwrap();
        let first = data.configuration(ISSUER).unwrap();
        assert!(first.uses_dev_idp);
        let path = Path::new(&first.source);
        let edited = fs::read_to_string(path).unwrap() + "\n# mine\n";
        fs::write(path, &edited).unwrap();

        let moved = "http://127.0.0.1:9000/dev-idp";
        assert!(data.configuration(moved).unwrap().uses_dev_idp);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(moved) && text.ends_with("# mine\n") && !text.contains(ISSUER));

        fs::write(path, text.replace(moved, "https://idp.example.org")).unwrap();
        assert!(!data.configuration(ISSUER).unwrap().uses_dev_idp);
        assert!(fs::read_to_string(path).unwrap().contains("https://idp.example.org"));
    }
}
