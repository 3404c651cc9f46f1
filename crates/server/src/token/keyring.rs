//! The key store of a process, followed while it runs: keys are rotated without a restart.
//!
//! A key store that is a file is looked at again, at the most once a second, when it is used; what is new in it
//! counts from then on. A file that cannot be read, or that has no key to sign with, changes nothing: the keys
//! of before serve on, the log tells why, and it is looked at again. A token of an unknown key is a reason to look at
//! once, so that processes that share the file need not be told in any order.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;

use super::{Algorithm, KeyStore, KeyStoreError};

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The keys of the moment. Cheap to clone; clones see the same keys.
#[derive(Debug, Clone)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: ArcSwap<KeyStore>,
    generation: AtomicU64,
    file: Option<Watched>,
}

/// A file that may change.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    algorithms: Vec<Algorithm>,
    state: Mutex<Looked>,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    /// Of the file whose keys are used.
    stamp: Option<Stamp>,
    /// The file that was found unusable last: the log tells it once.
    unusable: Option<Unusable>,
}

/// A file without usable keys, or none where one should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unusable(Option<Stamp>);

/// What changes when somebody writes or replaces a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok()?, length: metadata.len(), inode: metadata.ino() })
    }
}

impl From<Arc<KeyStore>> for Keyring {
    /// Keys that stay as they are.
    fn from(keys: Arc<KeyStore>) -> Self {
        Self(Arc::new(Inner { current: ArcSwap::new(keys), generation: AtomicU64::new(0), file: None }))
    }
}

impl Keyring {
    /// Loads what a setting names, as [`KeyStore::load`] does, and follows it if it is a file.
    ///
    /// # Errors
    /// If it cannot be used, or has no key that signs with one of `algorithms`.
    pub fn open(setting: &str, algorithms: &[Algorithm]) -> Result<Self, KeyStoreError> {
        let path = KeyStore::path_of(setting)?;
        // before reading: what is written meanwhile is found the next time
        let stamp = path.and_then(Stamp::of);
        let keys = KeyStore::load(setting)?;
        keys.signing_key(algorithms)?;
        let file = path.map(|path| Watched {
            path: path.to_owned(),
            algorithms: algorithms.to_vec(),
            state: Mutex::new(Looked { at: Instant::now(), stamp, unusable: None }),
        });
        let generation = AtomicU64::new(0);
        Ok(Self(Arc::new(Inner { current: ArcSwap::from_pointee(keys), generation, file })))
    }

    /// The keys of this moment.
    pub fn current(&self) -> Arc<KeyStore> {
        self.look(INTERVAL);
        self.0.current.load_full()
    }

    /// The keys of this moment; if they do not know `kid`, those of this very instant. That costs a question to the
    /// file system for each invented key id, and no more.
    pub(super) fn knowing(&self, kid: Option<&str>) -> Arc<KeyStore> {
        let keys = self.current();
        match kid {
            Some(kid) if !keys.knows(kid) => {
                if let Some(file) = &self.0.file {
                    self.read(file, &mut file.state.lock().unwrap_or_else(PoisonError::into_inner));
                }
                self.0.current.load_full()
            }
            _ => keys,
        }
    }

    /// Changes whenever the keys do.
    pub(super) fn generation(&self) -> u64 {
        self.look(INTERVAL);
        self.0.generation.load(Ordering::Acquire)
    }

    /// The file that the keys are in, if they are in one.
    pub fn path(&self) -> Option<&Path> {
        self.0.file.as_ref().map(|file| file.path.as_path())
    }

    fn look(&self, interval: Duration) {
        let Some(file) = &self.0.file else { return };
        // whoever holds the lock looks for all of us
        let Ok(mut looked) = file.state.try_lock().or_else(|error| match error {
            std::sync::TryLockError::Poisoned(poisoned) => Ok(poisoned.into_inner()),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            return;
        };
        if looked.at.elapsed() < interval {
            return;
        }
        self.read(file, &mut looked);
    }

    /// Reads the file if it is not the one whose keys are used.
    fn read(&self, file: &Watched, looked: &mut Looked) {
        looked.at = Instant::now();
        // before reading: what is written meanwhile is found the next time
        let stamp = Stamp::of(&file.path);
        if stamp.is_some() && stamp == looked.stamp {
            return;
        }
        match KeyStore::read(&file.path)
            .and_then(|keys| keys.signing_key(&file.algorithms).map(drop).map(|()| keys))
        {
            Ok(keys) => {
                let kids: Vec<&str> = keys.keys().iter().map(super::Key::kid).collect();
                tracing::info!(keys = ?kids, "the key store has changed");
                self.0.current.store(Arc::new(keys));
                self.0.generation.fetch_add(1, Ordering::Release);
                looked.stamp = stamp;
                looked.unusable = None;
            }
            // its stamp is not kept: what is wrong may go without the file being written, such as who may read it
            Err(error) if looked.unusable != Some(Unusable(stamp)) => {
                looked.unusable = Some(Unusable(stamp));
                let error = crate::status::chain(&error);
                tracing::warn!(
                    error,
                    "the key store has changed and cannot be used; the keys of before serve on"
                );
            }
            Err(_) => {}
        }
    }

    /// Looks at the file now, whenever it was looked at last: for tests and for whoever has just changed it.
    pub fn look_now(&self) {
        if let Some(file) = &self.0.file {
            self.read(file, &mut file.state.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
