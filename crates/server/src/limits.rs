//! Never more work than we can do: what is too much is turned away at once, with the advice to come
//! back, instead of waiting in a queue until nobody needs the answer.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use diracx_core::{Explain, Explanation, Reason};
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tower::{Layer, Service};

use crate::{RpcRequest, RpcResponse, status::to_status};

/// When to come back to a server that has too much to do.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How much is too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls that are worked on at the same time.
    pub concurrency: usize,
    /// The largest request message, in bytes.
    pub max_request_bytes: usize,
    /// The largest answer message, in bytes.
    pub max_response_bytes: usize,
    /// How long a call may take whose caller says nothing.
    pub default_deadline: Duration,
    /// How long any call may take.
    pub max_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 1024,
            max_request_bytes: 16 * 1024 * 1024,
            max_response_bytes: 64 * 1024 * 1024,
            default_deadline: Duration::from_secs(30),
            max_deadline: Duration::from_secs(120),
        }
    }
}

/// Gives a generated server (or client) the message sizes of some [`Limits`], which are methods of
/// each generated type and of no trait: `with_message_limits!(JobsServiceServer::new(jobs), limits)`.
#[macro_export]
macro_rules! with_message_limits {
    ($server:expr, $limits:expr) => {
        $server
            .max_decoding_message_size($limits.max_request_bytes)
            .max_encoding_message_size($limits.max_response_bytes)
    };
}

/// The server has as much work as it can do.
#[derive(Debug, thiserror::Error)]
#[error("the server has as much work as it can do, try again later")]
pub struct Overloaded;

impl Explain for Overloaded {
    fn explain(&self) -> Explanation {
        Explanation::resource_exhausted(Reason::Overloaded).retry_after(RETRY_AFTER)
    }
}

/// Turns calls away when too many are being worked on. Services made by clones of one layer share
/// the count.
#[derive(Debug, Clone)]
pub struct LoadShedLayer {
    places: Arc<Semaphore>,
}

impl LoadShedLayer {
    /// So many calls at the same time.
    pub fn new(concurrency: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS))) }
    }
}

impl<S> Layer<S> for LoadShedLayer {
    type Service = LoadShed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LoadShed { places: self.places.clone(), inner }
    }
}

/// See [`LoadShedLayer`].
#[derive(Debug, Clone)]
pub struct LoadShed<S> {
    places: Arc<Semaphore>,
    inner: S,
}

impl<S> Service<RpcRequest> for LoadShed<S>
where
    S: Service<RpcRequest, Response = RpcResponse, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = RpcResponse;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<RpcResponse, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: RpcRequest) -> Self::Future {
        match self.places.clone().try_acquire_owned() {
            Err(_) => Box::pin(async { Ok(to_status(Overloaded).into_http()) }),
            Ok(place) => {
                let work = self.inner.call(request);
                Box::pin(async move {
                    let answer = work.await;
                    drop(place);
                    answer
                })
            }
        }
    }
}
