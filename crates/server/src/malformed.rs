//! What tonic itself answers, in our words.
//!
//! tonic calls it INTERNAL when a request cannot be decoded; but that is the caller's mistake, and
//! INTERNAL is kept for ours. Answers of ours carry details, those of tonic do not.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use diracx_core::{Explain, Explanation, Reason};
use futures::{FutureExt, future::Map};
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::{RpcRequest, RpcResponse, status};

/// How tonic's answers to requests that cannot be decoded begin.
const DECODING: [&str; 5] = [
    "failed to decode Protobuf message",
    "protocol error: received message with",
    "Error decompressing",
    "Unexpected EOF decoding stream",
    "Missing request message",
];

/// The request message is damaged.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be decoded: {0}")]
struct Malformed(String);

impl Explain for Malformed {
    fn explain(&self) -> Explanation {
        Explanation::invalid_argument(Reason::InvalidField)
    }
}

/// Puts tonic's own answers into our words.
#[derive(Debug, Clone, Copy, Default)]
pub struct MalformedLayer;

impl<S> Layer<S> for MalformedLayer {
    type Service = Reworded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Reworded { inner }
    }
}

/// See [`MalformedLayer`].
#[derive(Debug, Clone)]
pub struct Reworded<S> {
    inner: S,
}

/// What a service gives.
type Answer = Result<RpcResponse, Infallible>;

impl<S> Service<RpcRequest> for Reworded<S>
where
    S: Service<RpcRequest, Response = RpcResponse, Error = Infallible>,
{
    type Response = RpcResponse;
    type Error = Infallible;
    type Future = Map<S::Future, fn(Answer) -> Answer>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: RpcRequest) -> Self::Future {
        self.inner.call(request).map(|answer| answer.map(reworded))
    }
}

fn reworded(response: RpcResponse) -> RpcResponse {
    let headers = response.headers();
    let failed = headers.get("grpc-status").is_some_and(|code| code == "13" || code == "2");
    if !failed || headers.contains_key("grpc-status-details-bin") {
        return response;
    }
    let status = Status::from_header_map(headers).unwrap_or_else(|| Status::unknown(""));
    let message = status.message();
    let decoding = DECODING.iter().any(|start| message.starts_with(start));
    if status.code() == Code::Internal && decoding {
        status::to_status(Malformed(message.to_owned())).into_http()
    } else {
        status::internal(message).into_http()
    }
}
