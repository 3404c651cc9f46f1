//! What the commands that change a repository have in common.

use std::fmt::Display;

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

pub(super) fn other(error: impl Display) -> Failure {
    Failure::Other(error.to_string())
}
