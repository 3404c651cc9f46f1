//! The layers in their order, around the routes of a service.
//!
//! Outermost first: telemetry (so that every answer is counted and has a trace), catch-panic, version
//! gate (a client that is too old learns that before anything else), load shedding, deadline, access
//! guard, the rewording of tonic's own answers, and then the routes.

use std::{convert::Infallible, error::Error, sync::Arc};

use tonic::service::Routes;
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};

use crate::{
    RpcRequest, RpcResponse,
    access::AccessTable,
    deadline::DeadlineLayer,
    guard::{AccessGuardLayer, Guard},
    limits::{Limits, LoadShedLayer},
    malformed::MalformedLayer,
    panics::CatchPanicLayer,
    telemetry::{Metrics, RpcTelemetryLayer},
    token::TokenVerifier,
    version_gate::VersionGate,
};

/// What clients of an [`RpcService`] see when the service is gone. In process that does not happen.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A service with everything around it. It is what a typed client takes as its channel, and what
/// [`serve`](crate::serve) puts on a port.
pub type RpcService = BoxCloneSyncService<RpcRequest, RpcResponse, BoxError>;

/// What the layers need. Cheap to clone; clones share counts and caches.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Who may call what.
    pub access: Arc<AccessTable>,
    /// Whose tokens are believed.
    pub verifier: TokenVerifier,
    /// Which clients are served.
    pub gate: VersionGate,
    /// How much is too much.
    pub limits: Limits,
    /// Where calls are counted.
    pub metrics: Metrics,
}

impl Stack {
    /// The routes with every layer around them.
    pub fn layered(&self, routes: Routes) -> RpcService {
        let layers = ServiceBuilder::new()
            .layer(RpcTelemetryLayer::new(self.metrics.clone(), self.access.clone()))
            .layer(CatchPanicLayer)
            .layer(self.gate.clone())
            .layer(LoadShedLayer::new(self.limits.concurrency))
            .layer(DeadlineLayer::new(
                self.limits.default_deadline,
                self.limits.max_deadline,
                self.access.clone(),
            ))
            .layer(AccessGuardLayer(Guard::new(self.access.clone(), self.verifier.clone())))
            .layer(MalformedLayer)
            .service(routes.prepare());
        BoxCloneSyncService::new(layers.map_err(|never: Infallible| match never {}))
    }
}
