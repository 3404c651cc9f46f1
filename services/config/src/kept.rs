//! The last good document on disk: what a process serves that starts while the source is away.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use diracx_cs::{Document, Revision, SourceUrl};
use sha2::{Digest as _, Sha256};

/// How exactly it is remembered when the source last confirmed the document.
const GRAIN: Duration = Duration::from_secs(60);

/// What the first line begins with: a comment of YAML, so that the file can be read as the document that it is.
const HEAD: &str = "# revision ";

/// One file for one source. Processes with the same source may share it.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    confirmed: Mutex<Option<SystemTime>>,
}

/// What the file held.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) revision: Revision,
    pub(crate) document: Document,
    /// When a source last said that this is the newest.
    pub(crate) confirmed: DateTime<Utc>,
}

impl Kept {
    /// The file for a source in this directory, which is made if it is not there.
    pub(crate) fn open(directory: &Path, source: &SourceUrl) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let digest = Sha256::digest(source.to_string());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path: directory.join(format!("configuration-{name}.yml")), confirmed: Mutex::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a document that was found good. The file is replaced as a whole, whatever happens meanwhile.
    pub(crate) fn save(&self, revision: &Revision, document: &Document) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        writeln!(file, "{HEAD}{} of {}", revision.id, revision.modified.timestamp())?;
        file.write_all(document.text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Notes that the source confirms what is kept.
    pub(crate) fn confirm(&self, now: DateTime<Utc>) -> io::Result<()> {
        let now = SystemTime::from(now);
        let mut confirmed = self.confirmed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_new = confirmed.is_none_or(|before| now.duration_since(before).is_ok_and(|age| age >= GRAIN));
        if is_new {
            fs::File::options().write(true).open(&self.path)?.set_modified(now)?;
            *confirmed = Some(now);
        }
        Ok(())
    }

    /// What is kept, if anything is.
    pub(crate) fn load(&self) -> Option<Remembered> {
        let confirmed = fs::metadata(&self.path).ok()?.modified().ok()?;
        let text = fs::read_to_string(&self.path).ok()?;
        let (id, modified) = text.lines().next()?.strip_prefix(HEAD)?.split_once(" of ")?;
        let modified = DateTime::from_timestamp(modified.parse().ok()?, 0)?;
        let revision = Revision { id: id.to_owned(), modified };
        let name = self.path.display().to_string();
        Some(Remembered { revision, document: Document { name, text }, confirmed: confirmed.into() })
    }
}
