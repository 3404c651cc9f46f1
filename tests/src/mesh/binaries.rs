//! The programs under test, built if they are not there.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, Result, anyhow, bail};

/// The programs that the suite runs.
const PROGRAMS: &[&str] = &[
    "diracx-standalone",
    "diracx-gateway",
    "diracx-auth",
    "diracx-config",
    "diracx-jobs",
    "diracx-pilots",
    "diracx-rss",
    "dirac",
];

/// Set by `cargo xtask test`, which has built the programs: a second look would only cost time.
const BUILT: &str = "DIRACX_TEST_PROGRAMS_ARE_BUILT";

/// Where a program is. Cargo makes sure that it is not older than its source.
///
/// # Errors
/// If it does not build.
pub fn program(name: &str) -> Result<PathBuf> {
    static BUILD: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let directory = BUILD.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    let program = directory.as_ref().map_err(|error| anyhow!("{error}"))?.join(name);
    if !program.is_file() {
        bail!("cargo built no {}", program.display());
    }
    Ok(program)
}

fn build() -> Result<PathBuf> {
    let directory = target_directory()?;
    if std::env::var_os(BUILT).is_some() {
        return Ok(directory);
    }
    // Several tests may come here at once: cargo takes turns by itself.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--workspace"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for program in PROGRAMS {
        cargo.args(["--bin", program]);
    }
    if directory.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cargo is not here")?;
    if !output.status.success() {
        bail!("the programs do not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(directory)
}

/// `target/debug`, from where this test program is: `target/debug/deps/`.
fn target_directory() -> Result<PathBuf> {
    let here = std::env::current_exe().context("where am I?")?;
    let directory = here.parent().and_then(Path::parent).context("not in a target directory")?;
    Ok(directory.to_path_buf())
}
