//! A configuration in a plain file, for installations that keep it elsewhere than in git.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, SubsecRound, Utc};
use sha2::{Digest, Sha256};

use super::{Document, MAX_DOCUMENT_BYTES, Revision, SourceError, check_size, text_of};

/// As many digits as a git commit has, so that clients see no difference.
const ID_DIGITS: usize = 40;

pub(super) struct File {
    path: PathBuf,
    /// What was read last: a look at the file system tells whether it is still so.
    seen: Option<Seen>,
}

struct Seen {
    size: u64,
    modified: SystemTime,
    revision: Revision,
    /// Given away to the first who reads them; a configuration may be large.
    bytes: Option<Vec<u8>>,
}

impl File {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: None }
    }

    /// Whether it is there.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        let metadata = fs::metadata(&self.path).map_err(|error| self.unreadable(&error))?;
        if metadata.is_file() { Ok(()) } else { Err(self.unreadable(&io::Error::other("is not a file"))) }
    }

    pub(super) fn latest(&mut self) -> Result<Revision, SourceError> {
        let metadata = fs::metadata(&self.path).map_err(|error| self.unreadable(&error))?;
        let modified = metadata.modified().map_err(|error| self.unreadable(&error))?;
        check_size(metadata.len(), &self.name())?;
        if let Some(seen) = &self.seen
            && seen.size == metadata.len()
            && seen.modified == modified
            && !is_recent(modified)
        {
            return Ok(seen.revision.clone());
        }
        let bytes = self.bytes()?;
        let id = id_of(&bytes);
        let revision = Revision { id, modified: DateTime::<Utc>::from(modified).trunc_subsecs(0) };
        self.seen =
            Some(Seen { size: metadata.len(), modified, revision: revision.clone(), bytes: Some(bytes) });
        Ok(revision)
    }

    /// The bytes whose hash the revision is.
    pub(super) fn document(&mut self, revision: &Revision) -> Result<Document, SourceError> {
        let name = self.name();
        let seen = self.seen.as_mut().filter(|seen| seen.revision == *revision);
        let bytes = match seen.and_then(|seen| seen.bytes.take()) {
            Some(bytes) => bytes,
            None => self.bytes()?,
        };
        if id_of(&bytes) != revision.id {
            return Err(SourceError::NoSuchRevision {
                revision: revision.id.clone(),
                reason: "a plain file has only its present content".to_owned(),
            });
        }
        Ok(Document { text: text_of(bytes, &name)?, name })
    }

    /// Reads no more than is allowed, even if the file grows meanwhile.
    fn bytes(&self) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        fs::File::open(&self.path)
            .and_then(|file| file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| self.unreadable(&error))?;
        check_size(bytes.len() as u64, &self.name())?;
        Ok(bytes)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn unreadable(&self, error: &io::Error) -> SourceError {
        SourceError::Unreadable { file: self.name(), reason: error.to_string() }
    }
}

/// Two writes within the clock's grain look alike, so a file that was written just now is always read.
fn is_recent(modified: SystemTime) -> bool {
    modified.elapsed().is_ok_and(|age| age.as_secs() < 2)
}

fn id_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).take(ID_DIGITS).map(hex).collect()
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0')
}
