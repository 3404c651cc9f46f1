#![doc = include_str!("../README.md")]

pub mod compression;
mod deps;
pub mod error;
pub mod logic;
pub mod policy;
pub mod service;
pub mod settings;
pub mod store;

pub use deps::{ConfigSource, Deps};
pub use error::{Error, Result};

use diracx_db::Deadline;
use diracx_proto::jobs::v1::jobs_service_server::JobsServiceServer;
use diracx_server::{RpcService, Stack};
use tonic::service::Routes;

/// The services that this crate serves, for the access table.
pub const SERVICES: &[&str] = &["diracx.jobs.v1.JobsService"];

/// How large a message may be: a bulk of job descriptions in, a page of 10,000 jobs out.
const MOST_BYTES_IN: usize = 32 << 20;
const MOST_BYTES_OUT: usize = 64 << 20;

/// `JobsService` with every layer around it, for a port or for clients in the same process.
pub fn rpc_service(deps: Deps, stack: &Stack) -> RpcService {
    let service = JobsServiceServer::new(service::Service { deps })
        .max_decoding_message_size(MOST_BYTES_IN)
        .max_encoding_message_size(MOST_BYTES_OUT);
    stack.layered(Routes::new(service))
}

/// When the caller of the current rpc stops waiting.
fn deadline() -> Deadline {
    Deadline(diracx_server::Deadline::current().map(|deadline| deadline.at().into_std()))
}
