//! `docs/reference/`: written from the help texts of the programs, by the test that calls every rpc as everybody, and
//! by those that read the status machines, so that it cannot be out of date.

use std::{fmt::Write as _, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::shell::{WRITE_DOCS, cargo, read, root, run};

/// The processes an administrator runs, in the order of the document.
const PROCESSES: &[&str] = &[
    "diracx-standalone",
    "diracx-gateway",
    "diracx-auth",
    "diracx-config",
    "diracx-jobs",
    "diracx-pilots",
    "diracx-rss",
];

/// What tells cargo to build every program that the documents describe and the end-to-end tests run. The whole
/// workspace is selected each time: with part of it, dependencies would be built again with other features.
pub(crate) const PROGRAMS: &[&str] = &[
    "--workspace",
    "--bin=diracx-standalone",
    "--bin=diracx-gateway",
    "--bin=diracx-auth",
    "--bin=diracx-config",
    "--bin=diracx-jobs",
    "--bin=diracx-pilots",
    "--bin=diracx-rss",
    "--bin=dirac",
];

/// Where `cargo build` puts programs.
pub(crate) fn binaries() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join("debug")
}

/// Builds the programs and writes the documents.
pub(crate) fn write() -> Result<()> {
    run(cargo().args(["build"]).args(PROGRAMS))?;
    for (path, text) in documents()? {
        let path = root().join(path);
        std::fs::create_dir_all(path.parent().context("a document without a directory")?)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("  wrote {}", path.display());
    }
    run(tests().env(WRITE_DOCS, "true"))
}

/// The tests that write `docs/reference/access.md`, `job-status.md` and `pilot-status.md`, or compare them. They need
/// the services, which this program had better not be built with.
fn tests() -> Command {
    let mut command = cargo();
    command.args([
        "test",
        "--quiet",
        "--workspace",
        "--test=policy",
        "--test=job_status",
        "--test=pilot_status",
    ]);
    command
}

/// Compares the documents with what the built programs say now.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in documents()? {
        let stored = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        if stored != text {
            let difference = stored.lines().zip(text.lines()).find(|(old, new)| old != new);
            let (old, new) = difference.unwrap_or(("(the texts differ in length)", ""));
            stale.push(format!("{path} is out of date (`{old}` is now `{new}`)"));
        }
    }
    if !stale.is_empty() {
        bail!("{}; `cargo xtask docs` writes them anew", stale.join("; "));
    }
    run(&mut tests())
}

fn documents() -> Result<[(&'static str, String); 2]> {
    Ok([("docs/reference/settings.md", settings()?), ("docs/reference/cli.md", command_line()?)])
}

fn settings() -> Result<String> {
    let mut text = String::from(
        "# Settings of the processes\n\n\
         Each process says this with `--help`; `cargo xtask docs` writes it down. A setting is an option of\n\
         the command line, or the environment variable named beside it; the command line wins.\n",
    );
    for process in PROCESSES {
        write!(text, "\n## {process}\n\n```text\n{}\n```\n", help(process, &[])?.trim_end())?;
    }
    Ok(text)
}

fn command_line() -> Result<String> {
    let mut text = String::from(
        "# The command line\n\n\
         `dirac` says this with `--help` after each command; `cargo xtask docs` writes it down.\n",
    );
    add_commands(&mut text, &mut Vec::new())?;
    Ok(text)
}

fn add_commands(text: &mut String, path: &mut Vec<String>) -> Result<()> {
    let path_now: Vec<&str> = path.iter().map(String::as_str).collect();
    let help = help("dirac", &path_now)?;
    let title = [&["dirac"], path_now.as_slice()].concat().join(" ");
    write!(text, "\n## {title}\n\n```text\n{}\n```\n", help.trim_end())?;
    for command in subcommands(&help) {
        path.push(command.to_owned());
        add_commands(text, path)?;
        path.pop();
    }
    Ok(())
}

/// The names in the `Commands:` block of a help text, the built-in `help` aside.
fn subcommands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // A description that wraps is indented further than the names.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

/// The long help of a program, at a fixed width and independent of who asks.
fn help(name: &str, commands: &[&str]) -> Result<String> {
    let mut command = Command::new(binaries().join(name));
    command.args(commands).arg("--help").env("COLUMNS", "100").env_remove("HOME");
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("DIRACX_") {
            command.env_remove(variable);
        }
    }
    let text = read(&mut command)?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_help_text_are_found() {
        let help = "About\n\nUsage: x\n\nCommands:\n  login   Log in\n  jobs    Work\n          with jobs\n  help    Print\n\nOptions:\n  -h";
        assert_eq!(subcommands(help), ["login", "jobs"]);
    }

    #[test]
    fn a_help_text_without_commands_has_none() {
        assert!(subcommands("About\n\nOptions:\n  -h").is_empty());
    }
}
