//! What the internal commands have in common.

use std::{fmt::Display, fs, io::Read as _, path::Path};

use diracx_core::cfg::MAX_BYTES;
use diracx_cs::{admin::Change, commits::Repository};

use crate::{failure::Failure, output::tell};

/// Makes a change and a commit of it, and tells so; `what` as in "Successfully added … to".
pub(super) fn commit(config_repo: &str, change: &Change, what: &str) -> Result<(), Failure> {
    let repository = Repository::open(config_repo).map_err(other)?;
    let head = repository.head().map_err(other)?;
    let changed = change.apply(&head.text).map_err(other)?;
    tell(&format!("Writing back configuration to {}", repository.file().display()));
    repository.commit(head, &changed.text, &changed.message).map_err(other)?;
    tell(&format!("Successfully added {what} to {config_repo}"));
    Ok(())
}

/// A configuration of DIRAC; no more of it than can be one.
pub(super) fn read_cfg(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", path.display())))?;
    Ok(text)
}

pub(super) fn other(error: impl Display) -> Failure {
    Failure::Other(error.to_string())
}
