#![doc = include_str!("../README.md")]

mod attempts;
mod caller;
mod connection;
mod context;
mod cors;
mod counted;
mod edge;
mod error;
mod grpc;
mod health;
mod outgoing;
pub mod process;
mod proxies;
mod public_url;
mod render;
mod routes;
mod routing;
mod segments;
mod serve;
mod settings;
mod tls;
mod validation;

use axum::Router;
use diracx_server::{TokenVerifier, telemetry::Metrics, version_gate::VersionGate};

pub use context::Backends;
pub use error::ERROR_REASON;
pub use grpc::GrpcError;
pub use health::Backend;
pub use proxies::TrustedProxies;
pub use serve::serve;
pub use settings::{GatewayArgs, GatewaySettings};
pub use tls::{Tls, TlsError};

/// Every REST path with its methods, as `Allow` lists them: what the contract with DiracX's clients is compared with.
pub fn rest_paths() -> Vec<(&'static str, &'static str)> {
    routes::table(routes::Optional { pilots: true, rss: true }).paths().to_vec()
}

/// Everything the gateway is made of.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The services behind it.
    pub backends: Backends,
    /// Whose tokens are believed.
    pub verifier: TokenVerifier,
    /// Which clients are served.
    pub gate: VersionGate,
    /// How it behaves towards its callers.
    pub settings: GatewaySettings,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// More REST paths, such as those of an extension or of the development identity provider.
    pub extra: Router,
}

impl Gateway {
    /// One router for REST, gRPC-Web and gRPC.
    ///
    /// # Errors
    /// If the descriptors of the contract cannot be offered by reflection.
    ///
    /// # Panics
    /// If a path of `extra` is one of ours.
    pub fn into_router(self) -> Result<Router, GrpcError> {
        let grpc = grpc::GrpcRouter::new(&self.backends)?;
        let (pilots, rss) = (self.backends.pilots.is_some(), self.backends.rss.is_some());
        let table = routes::table(routes::Optional { pilots, rss });
        let context = context::Context::new(self.backends, self.verifier, self.settings.clone());
        let counted = counted::Counted::new(&self.metrics, table.paths());
        let rest = table.into_router().with_state(context).merge(self.extra);
        Ok(edge::Edge::new(self.gate, &self.settings, counted, rest, grpc).into_router())
    }
}
