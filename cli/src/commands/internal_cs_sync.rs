//! `dirac internal legacy cs-sync`.

use std::{fs, path::PathBuf};

use diracx_cs::legacy::convert_text;

use super::internal::{other, read_cfg};
use crate::{failure::Failure, output::tell};

/// What must be set, so that nobody converts a configuration by accident.
const GUARD: &str = "DIRAC_COMPAT_ENABLE_CS_CONVERSION";

/// Convert the configuration of DIRAC, by the plan in its section DiracX/CsSync
///
/// DIRAC_COMPAT_ENABLE_CS_CONVERSION must be set to something.
#[derive(Debug, clap::Args)]
pub(crate) struct CsSyncArguments {
    /// The configuration of DIRAC, a CFG file
    old_file: PathBuf,
    /// Where to write that of DiracX, a YAML file
    new_file: PathBuf,
}

/// Converts.
pub(crate) fn run(arguments: &CsSyncArguments) -> Result<(), Failure> {
    if std::env::var_os(GUARD).is_none_or(|guard| guard.is_empty()) {
        return Err(Failure::Other(format!("{GUARD} must be set for the conversion to be possible")));
    }
    let CsSyncArguments { old_file, new_file } = arguments;
    let (old, new) = (old_file.display(), new_file.display());
    let text = read_cfg(old_file)?;
    let (document, remarks) = convert_text(&text).map_err(|error| other(format_args!("{old}: {error}")))?;
    for remark in remarks {
        tell(&remark);
    }
    fs::write(new_file, document).map_err(|error| Failure::Other(format!("cannot write {new}: {error}")))
}
