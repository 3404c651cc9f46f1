//! Somebody typed a command that there is not, or none: which ones there are.

use std::ffi::OsString;

use clap::{Command, CommandFactory as _, error::ErrorKind};

use crate::arguments::Dirac;

/// The commands that could stand where the unknown or missing one does, a line each; nothing if something else is wrong.
pub(crate) fn choices(error: &clap::Error, arguments: impl IntoIterator<Item = OsString>) -> String {
    if !matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand) {
        return String::new();
    }
    let root = Dirac::command();
    let there = arguments
        .into_iter()
        .skip(1)
        .fold(&root, |command, argument| command.find_subcommand(&argument).unwrap_or(command));
    let choices: Vec<&Command> = there.get_subcommands().filter(|choice| !choice.is_hide_set()).collect();
    let width = choices.iter().map(|choice| choice.get_name().len()).max().unwrap_or(0);
    let line = |choice: &&Command| {
        let about = choice.get_about().map(ToString::to_string).unwrap_or_default();
        format!("\n  {:<width$}  {about}", choice.get_name())
    };
    format!("\nCommands:{}", choices.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn said(line: &str) -> String {
        let words = || line.split(' ').map(OsString::from);
        let error = Dirac::try_parse_from(words()).unwrap_err();
        choices(&error, words())
    }

    #[test]
    fn whoever_mistypes_a_command_is_shown_those_that_there_are() {
        let all = said("dirac xyzzy");
        for command in ["login", "whoami", "jobs", "config"] {
            assert!(all.contains(&format!("\n  {command} ")), "{command} in {all}");
        }
        let of_jobs = said("dirac --output json jobs xyzzy");
        assert!(of_jobs.contains("\n  submit ") && !of_jobs.contains("login"), "{of_jobs}");
        // without any option clap shows the whole help
        assert_eq!(said("dirac jobs --output json"), said("dirac jobs xyzzy"));
    }

    #[test]
    fn other_mistakes_are_told_without_a_list() {
        for line in ["dirac whoami --nonsense", "dirac jobs status", "dirac --help"] {
            assert_eq!(said(line), "", "{line}");
        }
    }
}
