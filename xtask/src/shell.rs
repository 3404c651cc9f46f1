//! Running other programs: always from the root of the repository, always announced.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Tells the tests behind `docs/reference/` to write it instead of comparing it.
pub(crate) const WRITE_DOCS: &str = "DIRACX_WRITE_DOCS";

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where what we install for ourselves goes; git ignores it.
pub(crate) fn tools_dir() -> PathBuf {
    root().join(".tools")
}

/// Are we on the build server, where nothing may be skipped?
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// `cargo`, the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Tests that would write documents had better compare them, unless `cargo xtask docs` says otherwise.
    command.env_remove(WRITE_DOCS);
    forget_ourselves(&mut command);
    command
}

/// Takes away what cargo set for us: a cargo below us would take it for its own package, and build anew what looks
/// at it, such as `ring` and everything above.
pub(crate) fn forget_ourselves(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
            command.env_remove(name);
        }
    }
}

/// Any program, from the root of the repository.
pub(crate) fn program(path: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(path);
    command.current_dir(root());
    command
}

/// Runs a program to its end and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("  $ {}", line(command));
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a program quietly and returns what it wrote to standard output.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}:\n{}", line(command), output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Does the program run and succeed? What it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Where a program is found, by PATH or in the places Debian keeps servers.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// May we install Debian packages here?
pub(crate) fn may_use_apt() -> bool {
    find("apt-get").is_some() && read(program("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Installs Debian packages, refreshing the lists first.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    let apt = |arguments: &[&str]| {
        run(program("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]).args(arguments))
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], packages].concat())
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().display())
}

/// The command as a person would type it, paths below the repository shortened.
fn line(command: &Command) -> String {
    let root = format!("{}/", root().display());
    let program = Path::new(command.get_program());
    let shown =
        if program.file_stem().is_some_and(|stem| stem == "cargo") { Path::new("cargo") } else { program };
    let mut text = shown.display().to_string().replace(&root, "");
    for argument in command.get_args() {
        let argument = argument.to_string_lossy().replace(&root, "");
        let quote = if argument.is_empty() || argument.contains([' ', '"', '*']) { "'" } else { "" };
        let _ = write!(text, " {quote}{argument}{quote}");
    }
    text
}
