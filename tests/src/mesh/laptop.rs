//! The standalone as a newcomer starts it: told nothing but a directory and an address.

use anyhow::Result;
use tempfile::TempDir;

use super::{Process, free_port};
use crate::dirac::Dirac;

/// A standalone with its own keys, configuration, databases and identity provider.
pub struct Laptop {
    /// The process.
    pub standalone: Process,
    /// Where it is served.
    pub base: String,
    directory: TempDir,
}

impl Laptop {
    /// Starts one in a fresh directory, with these further arguments.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let directory = TempDir::new()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let base = format!("http://{address}");
        let data = directory.path().join("data").display().to_string();
        let arguments = [&["--data-dir", &data], arguments].concat();
        let mut standalone =
            Process::start("diracx-standalone", &address, &arguments, &[], directory.path())?;
        standalone.wait_until_ready(&format!("{base}/api/health/ready")).await?;
        Ok(Self { standalone, base, directory })
    }

    /// The `dirac` of somebody who uses it; everybody has a credentials file of his own.
    pub fn dirac(&self, who: &str) -> Dirac {
        Dirac::new(&self.base, self.directory.path().join(format!("{who}.json")))
    }
}
