//! `dirac internal add-group`.

use diracx_cs::admin::{Change, NORMAL_USER};

use super::internal::commit;
use crate::failure::Failure;

/// Add a group without members
#[derive(Debug, clap::Args)]
pub(crate) struct AddGroupArguments {
    /// The repository: a path or git+file:///path. The branch that is checked out is changed, unless another one is
    /// named with ?revision=
    config_repo: String,
    /// The VO of the group
    #[arg(long)]
    vo: String,
    /// The name of the group
    #[arg(long)]
    group: String,
    /// A property of its members; may be repeated
    #[arg(long, value_name = "PROPERTY", default_value = NORMAL_USER)]
    properties: Vec<String>,
}

/// Adds it.
pub(crate) fn run(arguments: AddGroupArguments) -> Result<(), Failure> {
    let AddGroupArguments { config_repo, vo, group, properties } = arguments;
    commit(&config_repo, &Change::AddGroup { vo, group, properties }, "group")
}
