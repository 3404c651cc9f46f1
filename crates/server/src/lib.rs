#![doc = include_str!("../README.md")]

pub mod access;
pub mod deadline;
pub mod guard;
pub mod identity;
pub mod limits;
pub mod malformed;
pub mod panics;
mod process;
pub mod readiness;
pub mod serve;
pub mod settings;
mod spawn;
pub mod stack;
pub mod status;
pub mod telemetry;
pub mod token;
pub mod version_gate;

pub use access::AccessTable;
pub use deadline::Deadline;
pub use identity::{ComponentIdentity, Identity, PilotIdentity, UserIdentity, identity, user};
pub use process::run_process;
pub use readiness::Readiness;
pub use serve::shutdown_signal;
pub use spawn::spawn;
pub use stack::{BoxError, RpcService, Stack};
pub use status::{StatusInfo, to_status};
pub use token::{ComponentToken, KeyStore, TokenMinter, TokenVerifier};

/// What every layer of ours takes and gives.
type RpcRequest = http::Request<tonic::body::Body>;
/// See [`RpcRequest`].
type RpcResponse = http::Response<tonic::body::Body>;
