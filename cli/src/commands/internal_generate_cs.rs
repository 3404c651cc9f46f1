//! `dirac internal generate-cs`.

use diracx_cs::commits;

use super::internal::other;
use crate::{failure::Failure, output::tell};

/// Make a repository with a configuration that has no VOs
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateCsArguments {
    /// Where: a path or git+file:///path. The directory must be empty or absent
    config_repo: String,
}

/// Makes the repository.
pub(crate) fn run(arguments: &GenerateCsArguments) -> Result<(), Failure> {
    let GenerateCsArguments { config_repo } = arguments;
    let file = commits::create(config_repo).map_err(other)?;
    tell(&format!("Writing back configuration to {}", file.display()));
    tell(&format!("Successfully created repo in {config_repo}"));
    Ok(())
}
