//! What a network does for its callers, for calls within the process: the deadline ends the wait, and a
//! panic on the other side stays there.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use http::HeaderMap;
use tonic::{Status, body::Body};
use tower::Service;

/// A service that answers in time and without panics.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
}

impl<S> Guarded<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Status>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let deadline = timeout(request.headers());
        // nothing but the message and its metadata crosses from service to service
        request.extensions_mut().clear();
        // the future is dropped after a panic, so nobody sees what it left half done
        let work = match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(work) => AssertUnwindSafe(work).catch_unwind(),
            Err(panic) => return Box::pin(async move { Ok(panicked(&*panic)) }),
        };
        Box::pin(async move {
            let result = match deadline {
                Some(deadline) => match tokio::time::timeout(deadline, work).await {
                    Ok(result) => result,
                    Err(_) => return Ok(too_late()),
                },
                None => work.await,
            };
            result.unwrap_or_else(|panic| Ok(panicked(&*panic)))
        })
    }
}

/// The answer when the caller's time is up.
pub(crate) fn too_late() -> http::Response<Body> {
    Status::deadline_exceeded("the deadline of the call passed").into_http()
}

fn panicked(panic: &(dyn Any + Send)) -> http::Response<Body> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(error = text.unwrap_or("panic without text"), "a service in this process panicked");
    Status::internal("internal error").into_http()
}

/// What `grpc-timeout` says; nonsense says nothing.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (count, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if count.is_empty() || count.len() > 8 || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = count.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use diracx_proto::auth::v1::GetJwksRequest;
    use tonic::{Code, Request};

    use super::*;
    use crate::in_process;

    #[tokio::test]
    async fn the_deadline_of_a_call_ends_it() {
        let never =
            tower::service_fn(|_: http::Request<Body>| std::future::pending::<Result<_, Infallible>>());
        let mut request = Request::new(GetJwksRequest {});
        request.set_timeout(Duration::from_millis(100));
        let status = crate::auth(in_process(never)).get_jwks(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let panics = tower::service_fn(|request: http::Request<Body>| async move {
            assert!(request.uri().path().is_empty(), "oops");
            Ok::<_, Infallible>(http::Response::new(Body::empty()))
        });
        let status = crate::auth(in_process(panics)).get_jwks(GetJwksRequest {}).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for nonsense in ["", "S", "1", "-1S", "123456789m", "1x", "1 S"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
