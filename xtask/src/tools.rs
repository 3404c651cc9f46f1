//! Tools that are not part of the toolchain: found, or installed below `.tools/`, pinned.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::shell::{apt_install, cargo, find, in_ci, may_use_apt, program, read, run, succeeds, tools_dir};

const BUF_VERSION: &str = "1.75.0";
const DENY_VERSION: &str = "0.20.2";
const FUZZ_VERSION: &str = "0.13.2";

/// A tool that is ready, or how to get it.
pub(crate) enum Tool {
    /// Where it is.
    At(PathBuf),
    /// Not here; this command installs it.
    Missing(String),
}

/// `buf`, from npm. It is one small download, so it is installed wherever there is npm.
pub(crate) fn buf() -> Result<Tool> {
    let directory = tools_dir().join(format!("buf-{BUF_VERSION}"));
    let executable = directory.join("node_modules/.bin/buf");
    if succeeds(program(&executable).arg("--version")) {
        return Ok(Tool::At(executable));
    }
    if find("npm").is_none() {
        if !in_ci() {
            return Ok(Tool::Missing("install npm (Debian: `apt-get install npm`), we do the rest".into()));
        }
        install_debian("npm")?;
    }
    std::fs::create_dir_all(&directory)?;
    let package = format!("@bufbuild/buf@{BUF_VERSION}");
    run(program("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(&directory)
        .arg(package))?;
    Ok(Tool::At(executable))
}

/// `cargo-deny`, from its source: about a minute in debug, so only the build server does it unasked.
pub(crate) fn cargo_deny() -> Result<Tool> {
    let ours = tools_dir().join("bin/cargo-deny");
    for candidate in [Some(ours.clone()), find("cargo-deny")].into_iter().flatten() {
        if succeeds(program(&candidate).arg("--version")) {
            return Ok(Tool::At(candidate));
        }
    }
    if !in_ci() {
        return Ok(Tool::Missing(format!(
            "`cargo install --locked --debug --root .tools --version {DENY_VERSION} cargo-deny` installs it"
        )));
    }
    let arguments =
        ["install", "--quiet", "--locked", "--debug", "--version", DENY_VERSION, "cargo-deny", "--root"];
    run(cargo().args(arguments).arg(tools_dir()))?;
    Ok(Tool::At(ours))
}

/// `cargo-fuzz`, from its source. Whoever asks for it wants to fuzz, so it is installed wherever it is missing.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    let ours = tools_dir().join("bin/cargo-fuzz");
    let pinned = |version: String| version.split_whitespace().last() == Some(FUZZ_VERSION);
    if !read(program(&ours).arg("--version")).is_ok_and(pinned) {
        let arguments =
            ["install", "--quiet", "--locked", "--debug", "--version", FUZZ_VERSION, "cargo-fuzz", "--root"];
        run(cargo().args(arguments).arg(tools_dir()))?;
    }
    Ok(ours)
}

/// Is there cargo-nextest? It runs the same tests as `cargo test`, faster and better isolated.
pub(crate) fn has_nextest() -> bool {
    succeeds(cargo().args(["nextest", "--version"]))
}

fn install_debian(package: &str) -> Result<()> {
    if !may_use_apt() {
        bail!("{package} is missing, and this is neither Debian nor root");
    }
    apt_install(&[package])
}
