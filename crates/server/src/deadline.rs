//! Deadlines: how long a caller waits, enforced here and told to whoever works for the call.
//!
//! The handler and everything it awaits can ask [`Deadline::current`]; a database passes what remains
//! on to the statement, an outgoing call on to the next server. A call within a call never gets more
//! time than the outer one, in process as over the network.

use std::{
    convert::Infallible,
    future::Future,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use diracx_core::{Explain, Explanation, Reason};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::{RpcRequest, RpcResponse, access::AccessTable, status::to_status};

/// The metadata in which gRPC clients say how long they wait.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";

tokio::task_local! {
    static CURRENT: Deadline;
}

/// The instant after which nobody waits for the answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at: Instant,
}

impl Deadline {
    /// That long from now.
    pub fn after(delay: Duration) -> Self {
        let now = Instant::now();
        // somebody who would wait for centuries waits for a day
        Self { at: now.checked_add(delay).unwrap_or(now + Duration::from_secs(86_400)) }
    }

    /// The deadline of the call that this task works for, if it has one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|deadline| *deadline).ok()
    }

    /// What remains of the current call's time; `None` if there is no limit.
    pub fn time_left() -> Option<Duration> {
        Self::current().map(Self::remaining)
    }

    /// The current call's deadline as an instant of the standard library, for those who know nothing
    /// of tokio, such as `diracx_db::Deadline::from`.
    pub fn current_instant() -> Option<std::time::Instant> {
        Self::current().map(|deadline| deadline.at.into_std())
    }

    /// The instant.
    pub fn at(self) -> Instant {
        self.at
    }

    /// What remains; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Runs `work` under this deadline, or the current one if that is earlier; `None` if it passes
    /// before the work is done, which is then dropped.
    pub async fn enforce<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let deadline = Self::current().map_or(self, |outer| outer.min(self));
        tokio::time::timeout_at(deadline.at, CURRENT.scope(deadline, work)).await.ok()
    }

    /// The value of `grpc-timeout` for a call under this deadline.
    pub fn to_grpc_timeout(self) -> HeaderValue {
        // at most eight digits: milliseconds for a day, then seconds
        let remaining = self.remaining();
        let millis = remaining.as_millis().max(1);
        let text =
            if millis < 100_000_000 { format!("{millis}m") } else { format!("{}S", remaining.as_secs()) };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("1S"))
    }
}

/// How long the caller says it waits. Nonsense counts as nothing said.
pub fn requested_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The deadline of the call passed.
#[derive(Debug, thiserror::Error)]
#[error("the deadline of the call passed")]
pub struct DeadlinePassed;

impl Explain for DeadlinePassed {
    fn explain(&self) -> Explanation {
        Explanation::deadline_exceeded(Reason::DeadlineExceeded)
    }
}

/// Enforces deadlines on rpcs.
#[derive(Debug, Clone)]
pub struct DeadlineLayer {
    default: Duration,
    maximum: Duration,
    table: Arc<AccessTable>,
}

impl DeadlineLayer {
    /// Calls that say nothing get `default`, none gets more than `maximum`; but rpcs that stream get
    /// as long as their caller says, or any time.
    pub fn new(default: Duration, maximum: Duration, table: Arc<AccessTable>) -> Self {
        Self { default, maximum, table }
    }

    fn deadline(&self, request: &RpcRequest) -> Option<Deadline> {
        let requested = requested_timeout(request.headers());
        let streaming = self.table.rule(request.uri().path()).is_some_and(|rule| rule.streaming);
        if streaming {
            requested.map(Deadline::after)
        } else {
            Some(Deadline::after(requested.unwrap_or(self.default).min(self.maximum)))
        }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = WithDeadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithDeadline { layer: self.clone(), inner }
    }
}

/// See [`DeadlineLayer`].
#[derive(Debug, Clone)]
pub struct WithDeadline<S> {
    layer: DeadlineLayer,
    inner: S,
}

impl<S> Service<RpcRequest> for WithDeadline<S>
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

    fn call(&mut self, mut request: RpcRequest) -> Self::Future {
        let Some(deadline) = self.layer.deadline(&request) else {
            return Box::pin(self.inner.call(request));
        };
        request.extensions_mut().insert(deadline);
        let work = self.inner.call(request);
        Box::pin(async move {
            match deadline.enforce(work).await {
                Some(answer) => answer,
                None => Ok(to_status(DeadlinePassed).into_http()),
            }
        })
    }
}
