//! From arguments and environment to settings, or to everything that is wrong with them.

use std::{
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use clap::{Command, Parser, builder::Resettable};

use super::{Environment, Problems, Resolve};

/// The exit code for settings that cannot be used (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;

/// Why there are no settings.
#[derive(Debug)]
pub enum Failure {
    /// The command line itself is wrong; or help or the version was asked for.
    CommandLine(clap::Error),
    /// Values cannot be used.
    Problems(Problems),
}

impl Failure {
    /// Tells the person at the terminal, and gives the exit code: 0 for help and version, else 64.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::CommandLine(error) => {
                // a terminal that is gone cannot be told that it is gone
                let _ = error.print();
                if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
            }
            Self::Problems(problems) => {
                let count = problems.all().len();
                let noun = if count == 1 { "setting is" } else { "settings are" };
                eprint!("{count} {noun} not usable:\n{problems}");
                ExitCode::from(EXIT_USAGE)
            }
        }
    }
}

/// The settings from these arguments and this environment, in place of the process's own.
/// `dotenv_problems` are those that reading the environment found.
pub fn parse_settings_from<A: Parser + Resolve>(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    environment: &Environment,
    dotenv_problems: Vec<(String, super::DotenvError)>,
) -> Result<A::Settings, Failure> {
    let mut problems = Problems::default();
    for (name, problem) in dotenv_problems {
        problems.note(&name, problem);
    }
    let mut matches = with_environment(A::command(), environment)
        .try_get_matches_from(arguments)
        .map_err(Failure::CommandLine)?;
    let raw = A::from_arg_matches_mut(&mut matches).map_err(Failure::CommandLine)?;
    match raw.resolve(environment, &mut problems) {
        Some(settings) if problems.is_empty() => Ok(settings),
        None if problems.is_empty() => {
            problems.note("settings", "cannot be used");
            Err(Failure::Problems(problems))
        }
        _ => Err(Failure::Problems(problems)),
    }
}

/// Makes what the environment says the defaults of the arguments. So variables of dotenv files and
/// other spellings count, without changing the environment of the process.
fn with_environment(command: Command, environment: &Environment) -> Command {
    command
        .mut_args(|argument| {
            let value = argument.get_env().and_then(|name| environment.get(name.to_str()?));
            // clap would ask the process's environment first, which need not be the one that counts
            let of_process = argument.get_env().and_then(std::env::var_os);
            let differs = of_process.as_deref() != value.map(OsStr::new);
            let argument = if differs { argument.env(Resettable::Reset) } else { argument };
            match value.map(str::to_owned) {
                Some(value) => argument.required(false).default_value(value).hide_default_value(true),
                None => argument,
            }
        })
        .mut_subcommands(|subcommand| with_environment(subcommand, environment))
}
