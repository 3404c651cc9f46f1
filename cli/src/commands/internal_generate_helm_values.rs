//! `dirac internal legacy generate-helm-values`.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use diracx_cs::helm_values::helm_values;

use super::internal::{other, read_cfg};
use crate::{failure::Failure, output::tell};

/// Make a first values file for a Helm chart of the configuration of DIRAC
///
/// It has the keys of DiracX's chart. What DIRAC does not know says FILL ME.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateHelmValuesArguments {
    /// The CFG file that the configuration server of DIRAC serves
    #[arg(long, value_name = "FILE")]
    public_cfg: PathBuf,
    /// Where to write the values, a YAML file. Only you can read it
    #[arg(long, value_name = "FILE")]
    output_file: PathBuf,
    /// The CFG file with the passwords, usually dirac.cfg on the server. What it says counts more
    #[arg(long, value_name = "FILE")]
    secret_cfg: Option<PathBuf>,
}

/// Makes it.
pub(crate) fn run(arguments: &GenerateHelmValuesArguments) -> Result<(), Failure> {
    let GenerateHelmValuesArguments { public_cfg, output_file, secret_cfg } = arguments;
    let public = read_cfg(public_cfg)?;
    let secret = secret_cfg.as_deref().map(read_cfg).transpose()?;
    let values = helm_values(&public, secret.as_deref()).map_err(other)?;
    fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(output_file)
        .and_then(|mut file| file.write_all(values.as_bytes()))
        .map_err(|error| Failure::Other(format!("cannot write {}: {error}", output_file.display())))?;
    tell("The file is incomplete and needs manual editing (grep for 'FILL ME')");
    Ok(())
}
