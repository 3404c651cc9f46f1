//! The places that a configuration can come from. Everything here blocks: call it from a thread that may.

mod fetch;
mod file;
pub(crate) mod git;
mod mirror;
mod url;

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use diracx_core::{
    Explain, Explanation, Reason,
    config::{ConfigError, Gradual, GradualError, Served},
};

pub use url::{SourceUrl, SourceUrlError};

use crate::{
    places::locate,
    yaml::{self, YamlError},
};

/// A document larger than this is refused, bytes.
pub const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// The file in a repository that holds the configuration.
pub(crate) const DOCUMENT: &str = "default.yml";

/// Which state of the source a configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// 40 hexadecimal digits: the commit, or for a plain file a hash of its content.
    pub id: String,
    /// The committer's time, or the file's; whole seconds.
    pub modified: DateTime<Utc>,
}

/// Why a source gives no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL is wrong.
    #[error(transparent)]
    Url(#[from] SourceUrlError),
    /// There is no repository where the URL says.
    #[error("{} is not a git repository: {reason}", path.display())]
    NotARepository {
        /// Where.
        path: PathBuf,
        /// In git's words.
        reason: String,
    },
    /// The remote repository did not answer, or not as it should.
    #[error("cannot fetch from {url}: {reason}")]
    Fetch {
        /// Without credentials.
        url: String,
        /// In git's words.
        reason: String,
    },
    /// The branch, tag or commit does not exist.
    #[error("revision {revision} of the configuration does not exist: {reason}")]
    NoSuchRevision {
        /// As the URL names it.
        revision: String,
        /// In git's words.
        reason: String,
    },
    /// The commit has no readable `default.yml`.
    #[error("cannot read {file}: {reason}")]
    Unreadable {
        /// The file, with its commit if it has one.
        file: String,
        /// Why.
        reason: String,
    },
    /// Too much.
    #[error("{file} has {size} bytes, more than the {MAX_DOCUMENT_BYTES} allowed")]
    TooLarge {
        /// The file.
        file: String,
        /// Bytes.
        size: u64,
    },
    /// More than can be sent, once everything is filled in.
    #[error("{file}: with all defaults filled in it has more than {most} bytes, the most that can be sent")]
    TooLargeToServe {
        /// The file.
        file: String,
        /// Bytes.
        most: usize,
    },
    /// No YAML.
    #[error("{file}: {source}")]
    Yaml {
        /// The file.
        file: String,
        /// What and on which line.
        source: YamlError,
    },
    /// No DIRAC configuration.
    #[error("{file}: {source}")]
    Config {
        /// The file.
        file: String,
        /// What and under which keys.
        source: ConfigError,
    },
}

impl Explain for SourceError {
    fn explain(&self) -> Explanation {
        match self {
            Self::Config { source, .. } => source.explain(),
            _ => Explanation::unavailable(Reason::ConfigurationUnavailable),
        }
    }
}

impl SourceError {
    /// Whether it is the document that is wrong, so that reading it again changes nothing.
    pub fn is_about_the_document(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. } | Self::TooLargeToServe { .. } | Self::Yaml { .. } | Self::Config { .. }
        )
    }
}

/// The document of one revision, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// How messages name it.
    pub name: String,
    /// YAML.
    pub text: String,
}

impl Document {
    /// Checks it, and makes of it what is served: JSON with all defaults, of at most so many bytes.
    pub fn expand(&self, most: usize) -> Result<Served, SourceError> {
        let file = || self.name.clone();
        let mut vos = Vos(Gradual::new(most));
        let rest = yaml::parse_into(&self.text, &mut vos)
            .map_err(|source| SourceError::Yaml { file: file(), source })?;
        vos.0.finish(rest).map_err(|error| match error {
            GradualError::Config(error) => {
                SourceError::Config { file: file(), source: locate(&self.text, error) }
            }
            GradualError::TooLarge { most } => SourceError::TooLargeToServe { file: file(), most },
        })
    }
}

enum Kind {
    File(file::File),
    Git(git::Repository),
    Mirror(mirror::Mirror),
}

/// How a remote repository is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// A fetch that takes longer is given up.
    pub timeout: Duration,
    /// A fetch that brings more is given up.
    pub max_bytes: u64,
    /// How ssh is started, for `git+ssh`; `ssh` in batch mode if there is none.
    pub ssh_command: Option<String>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), max_bytes: 512 << 20, ssh_command: None }
    }
}

/// A place that a configuration comes from.
pub struct ConfigSource {
    url: SourceUrl,
    kind: Kind,
}

impl ConfigSource {
    /// Prepares a source. A local one must exist; a remote one is first asked by [`ConfigSource::latest`].
    pub fn open(url: &str) -> Result<Self, SourceError> {
        Self::open_with(url, FetchSettings::default())
    }

    /// As [`ConfigSource::open`], with limits.
    pub fn open_with(url: &str, fetch: FetchSettings) -> Result<Self, SourceError> {
        let source = Self::expect(url, fetch)?;
        match &source.kind {
            Kind::File(file) => file.check()?,
            Kind::Git(repository) => repository.check()?,
            Kind::Mirror(_) => {}
        }
        Ok(source)
    }

    /// As [`ConfigSource::open_with`], but a local source may be away for now.
    pub fn expect(url: &str, fetch: FetchSettings) -> Result<Self, SourceError> {
        let url: SourceUrl = url.parse()?;
        let kind = match &url {
            SourceUrl::File { path } => Kind::File(file::File::new(path)),
            SourceUrl::LocalGit { path, revision } => Kind::Git(git::Repository::new(path, revision)),
            SourceUrl::RemoteGit { url, revision } => {
                Kind::Mirror(mirror::Mirror::create(url, revision, fetch)?)
            }
        };
        Ok(Self { url, kind })
    }

    /// What is followed, without credentials.
    pub fn url(&self) -> &SourceUrl {
        &self.url
    }

    /// Which revision is the newest now. Cheap for local sources; asks the network for remote ones.
    pub fn latest(&mut self) -> Result<Revision, SourceError> {
        match &mut self.kind {
            Kind::File(file) => file.latest(),
            Kind::Git(repository) => repository.latest(),
            Kind::Mirror(mirror) => mirror.latest(),
        }
    }

    /// What was written at a revision.
    pub fn document(&mut self, revision: &Revision) -> Result<Document, SourceError> {
        match &mut self.kind {
            Kind::File(file) => file.document(revision),
            Kind::Git(repository) => repository.document(revision),
            Kind::Mirror(mirror) => mirror.document(revision),
        }
    }
}

/// Each VO is checked as soon as it is read.
struct Vos(Gradual);

impl yaml::Sink for Vos {
    fn begin(&mut self) {
        self.0.begin();
    }

    fn vo(&mut self, name: String, value: serde_json::Value) {
        self.0.vo(name, value);
    }
}

fn text_of(bytes: Vec<u8>, file: &str) -> Result<String, SourceError> {
    String::from_utf8(bytes)
        .map_err(|error| SourceError::Unreadable { file: file.to_owned(), reason: error.to_string() })
}

fn check_size(size: u64, file: &str) -> Result<(), SourceError> {
    if size > MAX_DOCUMENT_BYTES {
        return Err(SourceError::TooLarge { file: file.to_owned(), size });
    }
    Ok(())
}
