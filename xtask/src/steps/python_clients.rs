//! DiracX's own clients, which the tests run unmodified against us: each version in a virtual environment of its own,
//! with exactly the packages of its lock file.

use anyhow::{Result, bail};

use crate::{
    report::Ended,
    shell::in_ci,
    tools::{Tool, python_environment},
};

/// The lock files, `tests/data/python/<name>.txt`.
const CLIENTS: [&str; 2] = ["diracx-0.4.0", "diracx-0.7.0"];

/// Makes sure that each client is installed in `.tools/<name>`.
pub(super) fn python_clients() -> Result<Ended> {
    for client in CLIENTS {
        if let Tool::Missing(how) = python_environment(client)? {
            // Nothing is skipped on the build server.
            if in_ci() {
                bail!("{how}");
            }
            return Ok(Ended::Skipped(how));
        }
    }
    Ok(Ended::Passed)
}
