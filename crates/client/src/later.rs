//! A channel to a server of this process that is made later than its client.

use std::{
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt};

use crate::AnyChannel;

/// Connects a channel that was given out before.
#[derive(Debug, Clone)]
pub struct Later(Arc<OnceLock<AnyChannel>>);

impl Later {
    /// From now on calls arrive. Only the first time counts.
    pub fn connect(self, channel: AnyChannel) {
        let _ = self.0.set(channel);
    }
}

/// A channel whose calls are UNAVAILABLE until it is connected: for two services that call each other.
pub fn later() -> (AnyChannel, Later) {
    let slot = Arc::new(OnceLock::new());
    (AnyChannel::new(Waiting(Arc::clone(&slot))), Later(slot))
}

#[derive(Clone)]
struct Waiting(Arc<OnceLock<AnyChannel>>);

impl Service<http::Request<Body>> for Waiting {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.0.get() {
            Some(channel) => Box::pin(channel.clone().oneshot(request)),
            None => Box::pin(async { Err(Status::unavailable("this service is not there yet")) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use diracx_proto::auth::v1::GetJwksRequest;
    use tonic::Code;

    use super::*;
    use crate::in_process;

    #[tokio::test]
    async fn calls_arrive_once_the_other_side_is_there() {
        let (channel, other_side) = later();
        let code = async |channel: AnyChannel| {
            crate::auth(channel).get_jwks(GetJwksRequest {}).await.unwrap_err().code()
        };
        assert_eq!(code(channel.clone()).await, Code::Unavailable);
        let server = tower::service_fn(|_: http::Request<Body>| async {
            Ok::<_, std::convert::Infallible>(Status::unimplemented("no").into_http())
        });
        other_side.connect(in_process(server));
        assert_eq!(code(channel).await, Code::Unimplemented);
    }
}
