//! A configuration in a git repository: read from the commit, never from the work tree.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use chrono::DateTime;
use gix::{bstr::BStr, credentials::protocol::Outcome, progress::Discard, remote::Direction};

use super::{DOCUMENT, Document, Revision, SourceError, check_size, text_of, url::without_credentials};

/// A repository on a file system that this process sees.
pub(super) struct Repository {
    path: PathBuf,
    revision: String,
}

impl Repository {
    pub(super) fn open(path: &Path, revision: &str) -> Result<Self, SourceError> {
        let repository = Self { path: path.to_owned(), revision: revision.to_owned() };
        repository.git()?;
        Ok(repository)
    }

    pub(super) fn latest(&self) -> Result<Revision, SourceError> {
        let git = self.git()?;
        let missing =
            |reason: String| SourceError::NoSuchRevision { revision: self.revision.clone(), reason };
        let commit = git
            .rev_parse_single(BStr::new(&format!("{}^{{commit}}", self.revision)))
            .map_err(|error| missing(chain(&error)))?
            .object()
            .map_err(|error| missing(chain(&error)))?
            .into_commit();
        let committed = commit.time().map_err(|error| missing(chain(&error)))?;
        let modified = DateTime::from_timestamp(committed.seconds, 0)
            .ok_or_else(|| missing("its commit has an impossible date".to_owned()))?;
        Ok(Revision { id: commit.id.to_string(), modified })
    }

    pub(super) fn document(&self, revision: &Revision) -> Result<Document, SourceError> {
        let name = format!("{DOCUMENT} of commit {}", revision.id);
        let bytes = self.blob(revision, &name)?;
        Ok(Document { text: text_of(bytes, &name)?, name })
    }

    fn blob(&self, revision: &Revision, name: &str) -> Result<Vec<u8>, SourceError> {
        let unreadable = |reason: String| SourceError::Unreadable { file: name.to_owned(), reason };
        let git = self.git()?;
        let id =
            gix::ObjectId::from_hex(revision.id.as_bytes()).map_err(|error| unreadable(chain(&error)))?;
        let commit = git.find_commit(id).map_err(|error| unreadable(chain(&error)))?;
        let tree = commit.tree().map_err(|error| unreadable(chain(&error)))?;
        let entry = tree
            .lookup_entry_by_path(DOCUMENT)
            .map_err(|error| unreadable(chain(&error)))?
            .ok_or_else(|| unreadable("the commit has no such file".to_owned()))?;
        if !entry.mode().is_blob() {
            return Err(unreadable("it is not a plain file".to_owned()));
        }
        let header = git.find_header(entry.object_id()).map_err(|error| unreadable(chain(&error)))?;
        check_size(header.size(), name)?;
        let mut blob = entry.object().map_err(|error| unreadable(chain(&error)))?;
        Ok(std::mem::take(&mut blob.data))
    }

    /// Opened anew each time: a few file reads, and no stale view of packs and references.
    /// Isolated: neither the environment nor the machine's git settings play a part.
    fn git(&self) -> Result<gix::Repository, SourceError> {
        gix::open_opts(&self.path, gix::open::Options::isolated())
            .map_err(|error| SourceError::NotARepository { path: self.path.clone(), reason: chain(&error) })
    }
}

/// A private copy of a remote repository, removed with this value.
pub(super) struct Mirror {
    url: String,
    copy: Repository,
    directory: tempfile::TempDir,
}

impl Mirror {
    pub(super) fn create(url: &str, revision: &str) -> Result<Self, SourceError> {
        // reqwest is built without a default; a second installation in the process is refused, and fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |reason: String| SourceError::Fetch { url: without_credentials(url), reason };
        let directory =
            tempfile::TempDir::with_prefix("diracx-config-").map_err(|error| failed(error.to_string()))?;
        gix::init_bare(directory.path()).map_err(|error| failed(chain(&error)))?;
        let copy = Repository::open(directory.path(), revision)?;
        Ok(Self { url: url.to_owned(), copy, directory })
    }

    pub(super) fn latest(&mut self) -> Result<Revision, SourceError> {
        self.fetch()?;
        self.copy.latest()
    }

    pub(super) fn document(&self, revision: &Revision) -> Result<Document, SourceError> {
        self.copy.document(revision)
    }

    /// Makes every branch and tag of the copy what it is in the remote, also after a forced push.
    fn fetch(&self) -> Result<(), SourceError> {
        let shown = without_credentials(&self.url);
        // git's own words may repeat the URL.
        let failed = |reason: String| SourceError::Fetch {
            url: shown.clone(),
            reason: reason.replace(&self.url, &shown),
        };
        // A connection that does not come or trickles must end: 1 byte/s over 30 s is dead.
        let options = gix::open::Options::isolated().config_overrides([
            "gitoxide.http.connectTimeout=10000",
            "http.lowSpeedLimit=1",
            "http.lowSpeedTime=30",
        ]);
        let git = gix::open_opts(self.directory.path(), options).map_err(|error| failed(chain(&error)))?;
        let remote = git
            .remote_at(self.url.as_str())
            .and_then(|remote| {
                remote.with_refspecs(
                    ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
                    Direction::Fetch,
                )
            })
            .map_err(|error| failed(chain(&error)))?;
        remote
            .connect(Direction::Fetch)
            .and_then(|connection| {
                connection
                    .with_credentials(in_url_only)
                    .prepare_fetch(Discard, gix::remote::ref_map::Options::default())
            })
            .and_then(|fetch| fetch.receive(Discard, &AtomicBool::new(false)))
            .map_err(|error| failed(chain(&error)))?;
        Ok(())
    }
}

/// Credentials come from the URL; no helper program is started and nobody is asked at a terminal.
#[expect(clippy::unnecessary_wraps, reason = "the form that gix asks for")]
fn in_url_only(action: gix::credentials::helper::Action) -> Result<Option<Outcome>, gix::Error> {
    match action {
        gix::credentials::helper::Action::Get(context) => {
            let url = context.url.as_ref().and_then(|url| gix::url::parse(BStr::new(url)).ok());
            let identity = url.and_then(|url| {
                Some(gix::sec::identity::Account {
                    username: url.user()?.to_owned(),
                    password: url.password().unwrap_or_default().to_owned(),
                    oauth_refresh_token: None,
                })
            });
            Ok(identity.map(|identity| Outcome { identity, next: context.into() }))
        }
        _ => Ok(None),
    }
}

/// The error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(directory: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .arg("-C")
            .arg(directory)
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    fn commit(directory: &Path, text: &str) {
        std::fs::write(directory.join(DOCUMENT), text).unwrap();
        git(directory, &["add", DOCUMENT]);
        git(directory, &["commit", "--quiet", "-m", "change"]);
    }

    #[test]
    fn a_mirror_follows_its_remote_also_through_a_forced_push() {
        let remote = tempfile::TempDir::new().unwrap();
        git(remote.path(), &["init", "--quiet", "--initial-branch", "master"]);
        commit(remote.path(), "first");
        let mut mirror = Mirror::create(&format!("file://{}", remote.path().display()), "master").unwrap();
        let first = mirror.latest().unwrap();
        assert_eq!(mirror.document(&first).unwrap().text, "first");

        commit(remote.path(), "second");
        let second = mirror.latest().unwrap();
        assert_eq!(mirror.document(&second).unwrap().text, "second");

        git(remote.path(), &["reset", "--quiet", "--hard", &first.id]);
        commit(remote.path(), "third");
        let third = mirror.latest().unwrap();
        assert_eq!(mirror.document(&third).unwrap().text, "third");
        assert_eq!(mirror.document(&second).unwrap().text, "second", "what was served can still be read");
    }

    #[test]
    fn a_remote_that_does_not_answer_is_an_error_without_the_password() {
        // Nobody listens on the discard port of the loopback address.
        let mut mirror = Mirror::create("https://user:secret@127.0.0.1:9/cs", "master").unwrap();
        let error = mirror.latest().unwrap_err().to_string();
        assert!(error.starts_with("cannot fetch from https://***@127.0.0.1:9/cs: "), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
