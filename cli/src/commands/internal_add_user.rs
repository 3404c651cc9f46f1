//! `dirac internal add-user`.

use diracx_cs::admin::Change;

use super::internal::commit;
use crate::failure::Failure;

/// Add a user to a VO and to groups of it
#[derive(Debug, clap::Args)]
pub(crate) struct AddUserArguments {
    /// The repository: a path or git+file:///path. The branch that is checked out is changed, unless another one is
    /// named with ?revision=
    config_repo: String,
    /// The VO of the user
    #[arg(long)]
    vo: String,
    /// The subject that the identity provider gives the user
    #[arg(long)]
    sub: String,
    /// The login in DIRAC
    #[arg(long, value_name = "LOGIN")]
    preferred_username: String,
    /// A group of the user; may be repeated [default: the VO's default group]
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
}

/// Adds the user.
pub(crate) fn run(arguments: AddUserArguments) -> Result<(), Failure> {
    let AddUserArguments { config_repo, vo, sub, preferred_username, group } = arguments;
    commit(&config_repo, &Change::AddUser { vo, sub, preferred_username, groups: group }, "user")
}
