//! Real git repositories.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use diracx_cs::{ConfigSource, SourceError};
use tempfile::TempDir;

pub(crate) const DOCUMENT: &str = include_str!("../data/small.yml");

/// A repository whose every commit holds one `default.yml`.
pub(crate) struct Repository(PathBuf, Option<TempDir>);

impl Repository {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let repository = Self(directory.path().to_owned(), Some(directory));
        repository.git(&["init", "--quiet", "--initial-branch", "master"]);
        repository
    }

    pub(crate) fn with(document: &str) -> Self {
        let repository = Self::new();
        repository.commit(document);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// One that is there.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned(), None)
    }

    pub(crate) fn url(&self) -> String {
        format!("git+file://{}", self.path().display())
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .arg("-C")
            .arg(self.path())
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn commit(&self, document: &str) -> String {
        fs::write(self.path().join("default.yml"), document).unwrap();
        self.git(&["add", "default.yml"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

pub(crate) fn read(source: &mut ConfigSource) -> Result<String, SourceError> {
    let revision = source.latest()?;
    Ok(source.document(&revision)?.expand(usize::MAX)?.document)
}

pub(crate) fn with_message(message: &str) -> String {
    DOCUMENT.replace("Ask the helpdesk", message)
}
