#![doc = include_str!("../README.md")]

mod audit;
pub mod chores;
mod codes;
mod deps;
pub mod enrichment;
mod error;
#[cfg(test)]
mod fixtures;
mod idp;
mod key_file;
mod logic;
mod observe;
mod policy;
mod service;
pub mod settings;
mod state;
mod store;

use diracx_proto::{
    FILE_DESCRIPTOR_SET,
    auth::v1::auth_service_server::{AuthServiceServer, SERVICE_NAME},
};
use diracx_server::{AccessTable, RpcService, Stack, access::AccessError, with_message_limits};
use tonic::service::Routes;

pub use deps::{AuthDb, Deps};
pub use enrichment::{TokenPolicies, TokenPolicy};
pub use error::Error;
pub use idp::{Cause, IdentityProviders, IdpError};
pub use logic::component::{BadComponentKeys, ComponentKeys};
pub use observe::observe;
pub use state::{NoStateKey, StateKey};
pub use store::{DATABASE, MIGRATIONS};

/// The name of this component in its tokens.
pub const COMPONENT: &str = "auth";

/// Who may call what, as the contract declares it.
pub fn access() -> Result<AccessTable, AccessError> {
    AccessTable::from_descriptor_set(FILE_DESCRIPTOR_SET, &[SERVICE_NAME])
}

/// The service with every layer around it: to be served, or called in process.
pub fn service(deps: Deps, stack: &Stack) -> RpcService {
    let server = with_message_limits!(AuthServiceServer::new(service::Auth(deps)), stack.limits);
    stack.layered(Routes::new(server))
}
