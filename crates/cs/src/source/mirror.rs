//! A configuration in a repository elsewhere: a private copy of it, brought up to date within limits.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use super::{
    Document, FetchSettings, Revision, SourceError,
    fetch::{Fetch, Wanted},
    git::{Repository, chain},
    url::without_credentials,
};

/// Every fetch that brings something leaves a pack behind; after so many the copy is made anew.
const MOST_PACKS: usize = 100;

/// How often a fetch is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long a fetch that is told to stop may take to do so, before nobody waits for it any more.
const GRACE: Duration = Duration::from_millis(500);

/// A private copy of a remote repository, removed with this value.
pub(super) struct Mirror {
    url: String,
    revision: String,
    settings: FetchSettings,
    copy: Copy,
    /// A fetch that did not stop when it was told to: the next one waits for its end.
    stuck: Option<Receiver<Result<(), String>>>,
}

/// Kept by whoever works in it; removed with the last of them.
#[derive(Clone)]
struct Copy(Arc<tempfile::TempDir>);

impl Copy {
    fn create() -> Result<Self, String> {
        let directory =
            tempfile::TempDir::with_prefix("diracx-config-").map_err(|error| error.to_string())?;
        gix::init_bare(directory.path()).map_err(|error| chain(&error))?;
        Ok(Self(Arc::new(directory)))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn packs(&self) -> PathBuf {
        self.path().join("objects/pack")
    }
}

impl Mirror {
    pub(super) fn create(url: &str, revision: &str, settings: FetchSettings) -> Result<Self, SourceError> {
        // reqwest is built without a default; a second installation in the process is refused, and fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let copy =
            Copy::create().map_err(|reason| SourceError::Fetch { url: without_credentials(url), reason })?;
        Ok(Self { url: url.to_owned(), revision: revision.to_owned(), settings, copy, stuck: None })
    }

    pub(super) fn latest(&mut self) -> Result<Revision, SourceError> {
        let copy = if files(&self.copy.packs()).0 > 2 * MOST_PACKS {
            Copy::create().map_err(|reason| self.failed(&reason))?
        } else {
            self.copy.clone()
        };
        self.fetch(&copy)?;
        let latest = Repository::new(copy.path(), &self.revision).latest()?;
        self.copy = copy;
        Ok(latest)
    }

    pub(super) fn document(&self, revision: &Revision) -> Result<Document, SourceError> {
        Repository::new(self.copy.path(), &self.revision).document(revision)
    }

    /// Fetches in a thread of its own, so that nothing that the network does can keep us longer than we want.
    fn fetch(&mut self, copy: &Copy) -> Result<(), SourceError> {
        if let Some(stuck) = self.stuck.take()
            && matches!(stuck.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout))
        {
            self.stuck = Some(stuck);
            return Err(self.failed("the attempt before this one has not ended yet"));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, done) = channel();
        let fetch = Fetch {
            url: self.url.clone(),
            into: copy.path().to_owned(),
            wanted: Wanted::of(&self.revision),
            ssh_command: self.settings.ssh_command.clone(),
            stop: stop.clone(),
        };
        let alive = copy.clone();
        std::thread::spawn(move || {
            // nobody listens when it took too long
            let _ = sender.send(fetch.run());
            drop(alive);
        });
        let before = files(&copy.packs()).1;
        let started = Instant::now();
        let too_long = loop {
            match done.recv_timeout(LOOK) {
                Ok(Err(reason)) => return Err(self.failed(&reason)),
                Ok(Ok(())) if files(&copy.packs()).1.saturating_sub(before) <= self.settings.max_bytes => {
                    return Ok(());
                }
                Ok(Ok(())) => return Err(self.refuse()?),
                Err(RecvTimeoutError::Disconnected) => return Err(self.failed("the fetch panicked")),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if started.elapsed() > self.settings.timeout {
                break format!("it takes longer than {} s", self.settings.timeout.as_secs_f64());
            }
            if files(&copy.packs()).1.saturating_sub(before) > self.settings.max_bytes {
                let refused = self.refuse()?;
                stop.store(true, Ordering::Relaxed);
                return Err(refused);
            }
        };
        stop.store(true, Ordering::Relaxed);
        if matches!(done.recv_timeout(GRACE), Err(RecvTimeoutError::Timeout)) {
            self.stuck = Some(done);
        }
        Err(self.failed(&too_long))
    }

    /// Goes on with an empty copy: what was too much shall not be taken for known the next time.
    fn refuse(&mut self) -> Result<SourceError, SourceError> {
        self.copy = Copy::create().map_err(|reason| self.failed(&reason))?;
        Ok(self.failed(&format!("it brings more than {} bytes", self.settings.max_bytes)))
    }

    /// git's own words may repeat the URL.
    fn failed(&self, reason: &str) -> SourceError {
        let shown = without_credentials(&self.url);
        SourceError::Fetch { reason: reason.replace(&self.url, &shown), url: shown }
    }
}

/// How many files a directory has, and their bytes together.
fn files(directory: &Path) -> (usize, u64) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len());
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}
