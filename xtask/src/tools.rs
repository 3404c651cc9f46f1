//! Tools that are not part of the toolchain: found, or installed below `.tools/`, pinned.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell::{
    apt_install, cargo, find, in_ci, may_use_apt, program, read, root, run, succeeds, tools_dir,
};

const BUF_VERSION: &str = "1.75.0";
const DENY_VERSION: &str = "0.20.2";
const FUZZ_VERSION: &str = "0.13.2";

/// The oldest Python that DiracX runs on, its clients and its server.
const OLDEST_PYTHON: (u32, u32) = (3, 11);

/// What is copied into a virtual environment when everything is there.
const LOCK: &str = "lock.txt";

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

/// A virtual environment, `.tools/<name>`, with exactly the packages of `tests/data/python/<name>.txt`. They are
/// small downloads, so they are installed wherever there is Python.
pub(crate) fn python_environment(name: &str) -> Result<Tool> {
    let Some(python) = find("python3") else {
        let how = "there is no python3: `apt-get install python3 python3-venv` installs it";
        return Ok(Tool::Missing(how.to_owned()));
    };
    let version = read(program(&python).args(["-c", "import sys; print(*sys.version_info[:2])"]))?;
    if !is_new_enough(&version) {
        let (major, minor) = OLDEST_PYTHON;
        let version = version.trim().replace(' ', ".");
        return Ok(Tool::Missing(format!(
            "DiracX needs Python {major}.{minor} or newer, and this is {version}"
        )));
    }
    Ok(match install_python(&python, name) {
        Ok(place) => Tool::At(place),
        Err(error) => Tool::Missing(format!("pip cannot install {name} now: {error:#}")),
    })
}

/// Major and minor version, with a blank between them.
fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split_whitespace().map(str::parse::<u32>);
    matches!((parts.next(), parts.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST_PYTHON)
}

fn install_python(python: &Path, name: &str) -> Result<PathBuf> {
    let lock = root().join("tests/data/python").join(format!("{name}.txt"));
    let locked = std::fs::read(&lock).with_context(|| lock.display().to_string())?;
    let place = tools_dir().join(name);
    if std::fs::read(place.join(LOCK)).is_ok_and(|installed| installed == locked) {
        return Ok(place);
    }
    let made = run(program(python).args(["-m", "venv", "--clear"]).arg(&place));
    if made.is_err() && in_ci() && may_use_apt() {
        // Debian's python3 comes without it.
        apt_install(&["python3-venv"])?;
        run(program(python).args(["-m", "venv", "--clear"]).arg(&place))?;
    } else {
        made?;
    }
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
    run(program(place.join("bin/python")).args(pip).arg(&lock))?;
    std::fs::write(place.join(LOCK), &locked)?;
    Ok(place)
}

fn install_debian(package: &str) -> Result<()> {
    if !may_use_apt() {
        bail!("{package} is missing, and this is neither Debian nor root");
    }
    apt_install(&[package])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_is_too_old_is_not_taken() {
        let taken = ["3 11", "3 14\n", "4 0", "3 10", "2 7", "", "three"].map(is_new_enough);
        assert_eq!(taken, [true, true, true, false, false, false, false]);
    }
}
