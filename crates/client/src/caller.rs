//! What every call carries: the version of the client, a deadline, and the caller's token.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use tonic::{Status, body::Body};
use tower::Service;

use crate::{
    VERSION, VERSION_METADATA,
    channel::AnyChannel,
    guarded::{timeout, too_late},
};

const VERSION_HEADER: HeaderName = HeaderName::from_static(VERSION_METADATA);
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("grpc-timeout");
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// A token, or none, or why there should be one and is not.
pub type TokenResult = Result<Option<Arc<str>>, Status>;

type TokenSource = Arc<dyn Fn() -> BoxFuture<'static, TokenResult> + Send + Sync>;

/// Completes calls: what a call has already stays as it is.
#[derive(Clone)]
pub struct Caller {
    deadline: Duration,
    token: Option<TokenSource>,
}

impl Default for Caller {
    fn default() -> Self {
        Self { deadline: DEFAULT_DEADLINE, token: None }
    }
}

impl Caller {
    /// Calls wait that long for their answer, unless they say themselves how long. Default 30 s.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Calls carry the token that `source` has at the time.
    #[must_use]
    pub fn token<F, R>(mut self, source: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = TokenResult> + Send + 'static,
    {
        self.token = Some(Arc::new(move || Box::pin(source())));
        self
    }

    /// A channel whose calls are completed.
    pub fn on(self, channel: AnyChannel) -> AnyChannel {
        AnyChannel::new(Calling { caller: self, channel })
    }
}

#[derive(Clone)]
struct Calling {
    caller: Caller,
    channel: AnyChannel,
}

impl Service<http::Request<Body>> for Calling {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let fresh = self.channel.clone();
        // the one that was polled ready is the one to call
        let mut channel = std::mem::replace(&mut self.channel, fresh);
        let caller = self.caller.clone();
        Box::pin(async move {
            let headers = request.headers_mut();
            headers.entry(VERSION_HEADER).or_insert(HeaderValue::from_static(VERSION));
            headers.entry(TIMEOUT_HEADER).or_insert_with(|| {
                let millis = caller.deadline.as_millis().clamp(1, 99_999_999);
                HeaderValue::try_from(format!("{millis}m")).unwrap_or(HeaderValue::from_static("30S"))
            });
            let wait = timeout(headers).unwrap_or(caller.deadline);
            let answer = async {
                if let Some(source) = caller.token.filter(|_| !request.headers().contains_key(AUTHORIZATION))
                    && let Some(token) = source().await?
                {
                    let invalid = |_| Status::unauthenticated("the token has characters that no token has");
                    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(invalid)?;
                    bearer.set_sensitive(true);
                    request.headers_mut().insert(AUTHORIZATION, bearer);
                }
                channel.call(request).await
            };
            tokio::time::timeout(wait, answer).await.unwrap_or_else(|_| Ok(too_late()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Mutex};

    use diracx_proto::auth::v1::GetJwksRequest;
    use http::HeaderMap;
    use tonic::{Code, Request};

    use super::*;
    use crate::in_process;

    /// A server that remembers the headers of its only call.
    fn listener() -> (AnyChannel, Arc<Mutex<HeaderMap>>) {
        let seen = Arc::new(Mutex::new(HeaderMap::new()));
        let remembered = Arc::clone(&seen);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            *seen.lock().unwrap() = request.headers().clone();
            async { Ok::<_, Infallible>(Status::unimplemented("no").into_http()) }
        });
        (in_process(service), remembered)
    }

    #[tokio::test]
    async fn a_call_carries_version_deadline_and_token() {
        let (channel, seen) = listener();
        let caller = Caller::default().token(|| async { Ok(Some("abc".into())) });
        let _ = crate::auth(caller.on(channel)).get_jwks(GetJwksRequest {}).await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen[VERSION_METADATA], VERSION);
        assert_eq!(seen["authorization"], "Bearer abc");
        assert_eq!(seen["grpc-timeout"], "30000m");
    }

    #[tokio::test]
    async fn what_a_call_brings_along_stays() {
        let (channel, seen) = listener();
        let mut request = Request::new(GetJwksRequest {});
        request.set_timeout(Duration::from_secs(2));
        request.metadata_mut().insert("authorization", "Bearer own".parse().unwrap());
        let caller = Caller::default().token(|| async { Ok(Some("abc".into())) });
        let _ = crate::auth(caller.on(channel)).get_jwks(request).await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen["authorization"], "Bearer own");
        assert_eq!(timeout(&seen), Some(Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn a_call_is_not_made_when_there_should_be_a_token() {
        let (channel, seen) = listener();
        let caller = Caller::default().token(|| async { Err(Status::unauthenticated("log in")) });
        let status = crate::auth(caller.on(channel)).get_jwks(GetJwksRequest {}).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "log in"));
        assert!(seen.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let never = tower::service_fn(|_: http::Request<Body>| std::future::pending::<Result<_, Status>>());
        let channel = Caller::default().deadline(Duration::from_millis(10)).on(AnyChannel::new(never));
        let status = crate::auth(channel).get_jwks(GetJwksRequest {}).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
}
