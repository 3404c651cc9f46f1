//! A bug in one handler is one INTERNAL answer, not the end of the process or of its caller.

use std::{
    any::Any,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use tower::{Layer, Service};

use crate::{RpcRequest, RpcResponse, status};

/// Turns panics into INTERNAL. Where it happened is logged, never told.
#[derive(Debug, Clone, Copy, Default)]
pub struct CatchPanicLayer;

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CatchPanic { inner }
    }
}

/// See [`CatchPanicLayer`].
#[derive(Debug, Clone)]
pub struct CatchPanic<S> {
    inner: S,
}

impl<S> Service<RpcRequest> for CatchPanic<S>
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
        // a handler's state is behind its own locks, and the future is dropped: nothing half done is seen
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Err(panic) => Box::pin(async move { Ok(answer(&*panic)) }),
            Ok(work) => Box::pin(async move {
                match AssertUnwindSafe(work).catch_unwind().await {
                    Ok(result) => result,
                    Err(panic) => Ok(answer(&*panic)),
                }
            }),
        }
    }
}

fn answer(panic: &(dyn Any + Send)) -> RpcResponse {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without text");
    status::internal(&format!("a handler panicked: {text}")).into_http()
}
