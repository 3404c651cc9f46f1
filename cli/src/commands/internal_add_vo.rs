//! `dirac internal add-vo`.

use diracx_cs::admin::Change;

use super::internal::commit;
use crate::failure::Failure;

/// Add a VO with one group, which has the property NormalUser and no members yet
#[derive(Debug, clap::Args)]
pub(crate) struct AddVoArguments {
    /// The repository: a path or git+file:///path. The branch that is checked out is changed, unless another one is
    /// named with ?revision=
    config_repo: String,
    /// The name of the VO
    #[arg(long)]
    vo: String,
    /// The issuer of its identity provider
    #[arg(long, value_name = "URL")]
    idp_url: String,
    /// The client id that it has there
    #[arg(long, value_name = "ID")]
    idp_client_id: String,
    /// The group of those who ask for none
    #[arg(long, value_name = "GROUP", default_value = "user")]
    default_group: String,
}

/// Adds it.
pub(crate) fn run(arguments: AddVoArguments) -> Result<(), Failure> {
    let AddVoArguments { config_repo, vo, idp_url, idp_client_id, default_group } = arguments;
    commit(&config_repo, &Change::AddVo { vo, default_group, idp_url, idp_client_id }, "vo")
}
