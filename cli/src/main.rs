#![doc = include_str!("../README.md")]

mod arguments;
mod changes;
mod commands;
mod condition;
mod connection;
mod elements;
mod failure;
mod job_numbers;
mod mistyped;
mod outcomes;
mod output;
mod progress;
mod status_report;
mod table;
mod times;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{
    Command, ConfigCommand, Dirac, InternalCommand, JobsCommand, LegacyCommand, RepositoryCommand,
    RssCommand, SandboxCommand,
};
use commands::{
    config_dump, config_status, internal_add_group, internal_add_user, internal_add_vo, internal_cs_sync,
    internal_generate_cs, internal_generate_helm_values, jobs_delete, jobs_kill, jobs_parameters,
    jobs_reschedule, jobs_search, jobs_status, jobs_submit, jobs_summary, jobs_wait, jobs_watch, login,
    logout, rss_cancel, rss_history, rss_list, rss_set, sandbox_get, whoami,
};
use failure::Failure;

fn main() -> ExitCode {
    let dirac = match Dirac::try_parse() {
        Ok(dirac) => dirac,
        Err(error) => {
            // to whom it belongs, help to stdout and complaints to stderr; nobody may be listening
            let _ = error.print();
            let choices = mistyped::choices(&error, std::env::args_os());
            if !choices.is_empty() {
                output::tell(&choices);
            }
            return ExitCode::from(if error.use_stderr() { failure::USAGE } else { failure::SUCCESS });
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Other(format!("cannot start: {error}")).report(),
    };
    match runtime.block_on(run(dirac)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(dirac: Dirac) -> Result<(), Failure> {
    let Dirac { global, command } = dirac;
    match command {
        Command::Login(arguments) => login::run(&global, arguments).await,
        Command::Logout => logout::run(&global).await,
        Command::Whoami => whoami::run(&global).await,
        Command::Config { command: ConfigCommand::Dump } => config_dump::run(&global).await,
        Command::Config { command: ConfigCommand::Status } => config_status::run(&global).await,
        Command::Internal { command } => match command {
            InternalCommand::Repository(command) | InternalCommand::Config { command } => change(command),
            InternalCommand::Legacy { command: LegacyCommand::CsSync(arguments) } => {
                internal_cs_sync::run(&arguments)
            }
            InternalCommand::Legacy { command: LegacyCommand::GenerateHelmValues(arguments) } => {
                internal_generate_helm_values::run(&arguments)
            }
        },
        Command::Jobs { command } => match command {
            JobsCommand::Submit(arguments) => jobs_submit::run(&global, arguments).await,
            JobsCommand::Search(arguments) => jobs_search::run(&global, arguments).await,
            JobsCommand::Status(arguments) => jobs_status::run(&global, arguments).await,
            JobsCommand::Summary(arguments) => jobs_summary::run(&global, arguments).await,
            JobsCommand::Parameters(arguments) => jobs_parameters::run(&global, arguments).await,
            JobsCommand::Wait(arguments) => jobs_wait::run(&global, arguments).await,
            JobsCommand::Watch(arguments) => jobs_watch::run(&global, arguments).await,
            JobsCommand::Kill(arguments) => jobs_kill::run(&global, arguments).await,
            JobsCommand::Delete(arguments) => jobs_delete::run(&global, arguments).await,
            JobsCommand::Reschedule(arguments) => jobs_reschedule::run(&global, arguments).await,
        },
        Command::Rss { command } => match command {
            RssCommand::List(arguments) => rss_list::run(&global, arguments).await,
            RssCommand::Set(arguments) => rss_set::run(&global, arguments).await,
            RssCommand::Cancel(arguments) => rss_cancel::run(&global, arguments).await,
            RssCommand::History(arguments) => rss_history::run(&global, arguments).await,
        },
        Command::Sandbox { command: SandboxCommand::Get(arguments) } => {
            sandbox_get::run(&global, arguments).await
        }
    }
}

/// Changes the repository of a configuration.
fn change(command: RepositoryCommand) -> Result<(), Failure> {
    match command {
        RepositoryCommand::GenerateCs(arguments) => internal_generate_cs::run(&arguments),
        RepositoryCommand::AddVo(arguments) => internal_add_vo::run(arguments),
        RepositoryCommand::AddGroup(arguments) => internal_add_group::run(arguments),
        RepositoryCommand::AddUser(arguments) => internal_add_user::run(arguments),
    }
}
