#![doc = include_str!("../README.md")]

mod deps;
pub mod error;
pub mod logic;
mod observe;
pub mod policy;
pub mod service;
pub mod settings;
pub mod store;

pub use deps::Deps;
pub use error::{Error, Result};
pub use observe::observe;

use diracx_db::Deadline;
use diracx_proto::{FILE_DESCRIPTOR_SET, pilots::v1::pilots_service_server::PilotsServiceServer};
use diracx_server::{AccessTable, RpcService, Stack, access::AccessError, with_message_limits};
use tonic::service::Routes;

/// The name of this component in its tokens.
pub const COMPONENT: &str = "pilots";

/// What is served.
const SERVICES: [&str; 1] = ["diracx.pilots.v1.PilotsService"];

/// Who may call what, as the contract declares it.
pub fn access() -> Result<AccessTable, AccessError> {
    AccessTable::from_descriptor_set(FILE_DESCRIPTOR_SET, &SERVICES)
}

/// `PilotsService` with every layer around it, for a port or for clients in the same process.
pub fn service(deps: Deps, stack: &Stack) -> RpcService {
    let pilots = service::Service { deps };
    stack.layered(Routes::new(with_message_limits!(PilotsServiceServer::new(pilots), stack.limits)))
}

/// When the caller of the current rpc stops waiting.
fn deadline() -> Deadline {
    diracx_server::Deadline::current_instant().into()
}
