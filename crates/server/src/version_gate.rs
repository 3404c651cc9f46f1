//! Turns away clients that are too old to be safe, and tells them what to do.
//!
//! A client says its version in the metadata (or header) `diracx-client-version`. Who says nothing is
//! served: browsers and tools cannot know.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use diracx_core::version::{Version, VersionError, check_client_version};
use futures::future::{Either, Ready, ready};
use tower::{Layer, Service};

use crate::{RpcRequest, RpcResponse, status::to_status};

/// The name of the metadata, and of the REST header.
pub const CLIENT_VERSION: &str = "diracx-client-version";

/// The oldest version that is served unless an installation asks for newer ones.
pub const DEFAULT_MINIMUM: &str = "0.0.1a1";

/// Knows the oldest version that is served. Cheap to clone; also a layer for gRPC.
#[derive(Debug, Clone)]
pub struct VersionGate {
    minimum: Arc<Version>,
}

impl VersionGate {
    /// A gate for clients of this version and newer ones.
    pub fn new(minimum: Version) -> Self {
        Self { minimum: Arc::new(minimum) }
    }

    /// The oldest version that is served.
    pub fn minimum(&self) -> &Version {
        &self.minimum
    }

    /// Whether a client with this header is served. For gRPC and REST alike.
    pub fn check(&self, header: Option<&[u8]>) -> Result<(), VersionError> {
        let header = header.unwrap_or_default();
        check_client_version(&String::from_utf8_lossy(header), &self.minimum)
    }
}

impl<S> Layer<S> for VersionGate {
    type Service = VersionGated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VersionGated { gate: self.clone(), inner }
    }
}

/// See [`VersionGate`].
#[derive(Debug, Clone)]
pub struct VersionGated<S> {
    gate: VersionGate,
    inner: S,
}

impl<S> Service<RpcRequest> for VersionGated<S>
where
    S: Service<RpcRequest, Response = RpcResponse, Error = Infallible>,
{
    type Response = RpcResponse;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<RpcResponse, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: RpcRequest) -> Self::Future {
        let header = request.headers().get(CLIENT_VERSION).map(http::HeaderValue::as_bytes);
        match self.gate.check(header) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(error) => Either::Right(ready(Ok(to_status(error).into_http()))),
        }
    }
}
