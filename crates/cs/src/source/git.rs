//! A configuration in a git repository: read from the commit, never from the work tree.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use gix::bstr::BStr;

use super::{DOCUMENT, Document, Revision, SourceError, check_size, text_of};

/// A repository on a file system that this process sees.
pub(super) struct Repository {
    path: PathBuf,
    revision: String,
}

impl Repository {
    pub(super) fn new(path: &Path, revision: &str) -> Self {
        Self { path: path.to_owned(), revision: revision.to_owned() }
    }

    /// Whether it is there.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        self.git().map(drop)
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

/// The error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
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
