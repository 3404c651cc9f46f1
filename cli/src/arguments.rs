//! The command line: the tree of commands and what all of them understand.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use diracx_client::ServerAddress;

use crate::{
    commands::{
        internal_add_group::AddGroupArguments, internal_add_user::AddUserArguments,
        internal_add_vo::AddVoArguments, internal_cs_sync::CsSyncArguments,
        internal_generate_cs::GenerateCsArguments,
        internal_generate_helm_values::GenerateHelmValuesArguments, jobs_delete::DeleteArguments,
        jobs_kill::KillArguments, jobs_parameters::ParametersArguments, jobs_reschedule::RescheduleArguments,
        jobs_search::SearchArguments, jobs_status::StatusArguments, jobs_submit::SubmitArguments,
        jobs_summary::SummaryArguments, jobs_wait::WaitArguments, jobs_watch::WatchArguments,
        login::LoginArguments, rss_cancel::CancelArguments, rss_history::HistoryArguments,
        rss_list::ListArguments, rss_set::SetArguments, sandbox_get::GetArguments,
    },
    output::Format,
};

/// Submit jobs to DIRAC and look after them.
#[derive(Debug, Parser)]
#[command(name = "dirac", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Dirac {
    #[command(flatten, next_help_heading = "Options of every command")]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  it worked
  1  the server refused or failed
  2  the command is wrong
  3  you are not logged in, or not any more
  4  the server cannot be reached, or did not answer in time
  5  jobs wait: the jobs have ended, but not all of them are Done
  6  jobs wait: the time is over and jobs have not ended";

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Address of the DiracX server, such as https://diracx.example.org
    #[arg(long, env = "DIRACX_URL", global = true, hide_env_values = true, value_name = "URL")]
    pub(crate) url: Option<ServerAddress>,

    /// How to print the answer [default: a table on a terminal, else JSON]
    #[arg(
        short, long, alias = "output-format", env = "DIRACX_OUTPUT_FORMAT", global = true, hide_env_values = true,
        value_name = "FORMAT", value_parser = Format::parse, hide_possible_values = true,
        help = "How to print the answer, json or table [default: table on a terminal, else json]"
    )]
    pub(crate) output: Option<Format>,

    /// File or directory of the certificates to verify the server with [default: the system's]
    #[arg(long, env = "DIRACX_CA_PATH", global = true, hide_env_values = true, value_name = "PATH")]
    pub(crate) ca_path: Option<PathBuf>,

    /// Where your login is kept [default: ~/.cache/diracx/credentials.json]
    #[arg(long, env = "DIRACX_CREDENTIALS_PATH", global = true, hide_env_values = true, value_name = "PATH")]
    pub(crate) credentials_path: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(LoginArguments),
    /// Give the login back to the server and forget it
    Logout,
    /// Show who you are, as the server sees it
    Whoami,
    /// Look at the configuration of the installation
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Submit jobs and look after them
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Look at the statuses of sites and resources, and set them
    Rss {
        #[command(subcommand)]
        command: RssCommand,
    },
    /// Fetch the files that jobs read and wrote
    Sandbox {
        #[command(subcommand)]
        command: SandboxCommand,
    },
    /// Make and change the repository of the configuration, on this machine and without a server
    #[command(hide = true)]
    Internal {
        #[command(subcommand)]
        command: InternalCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the whole configuration, as JSON
    Dump,
    /// Show which revision is served, how old it is, and what went wrong since
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InternalCommand {
    #[command(flatten)]
    Repository(RepositoryCommand),
    /// The same four commands, for those who look for them here: dirac internal config add-vo …
    Config {
        #[command(subcommand)]
        command: RepositoryCommand,
    },
    /// Come from DIRAC to DiracX
    Legacy {
        #[command(subcommand)]
        command: LegacyCommand,
    },
}

/// What is done to the repository of a configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum RepositoryCommand {
    #[command(visible_alias = "generate")]
    GenerateCs(GenerateCsArguments),
    AddVo(AddVoArguments),
    AddGroup(AddGroupArguments),
    AddUser(AddUserArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LegacyCommand {
    CsSync(CsSyncArguments),
    GenerateHelmValues(GenerateHelmValuesArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    Submit(SubmitArguments),
    Search(SearchArguments),
    Status(StatusArguments),
    Summary(SummaryArguments),
    Parameters(ParametersArguments),
    Wait(WaitArguments),
    Watch(WatchArguments),
    Kill(KillArguments),
    Delete(DeleteArguments),
    Reschedule(RescheduleArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RssCommand {
    List(ListArguments),
    Set(SetArguments),
    Cancel(CancelArguments),
    History(HistoryArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    Get(GetArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Dirac::command().debug_assert();
    }

    #[test]
    fn formats_are_understood_as_diracx_spells_them_too() {
        let format = |arguments: &[&str]| {
            let all = ["dirac"].iter().chain(arguments).chain(&["whoami"]);
            Dirac::try_parse_from(all).map(|dirac| dirac.global.output).ok().flatten()
        };
        assert_eq!(format(&["--output", "json"]), Some(Format::Json));
        assert_eq!(format(&["--output-format", "RICH"]), Some(Format::Table));
        assert_eq!(format(&["-o", "table"]), Some(Format::Table));
        assert_eq!(format(&["-o", "xml"]), None);
    }
}
