//! Starting a task that stays part of the trace it was started in.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::telemetry::TraceContext;

/// Runs `work` in a task of its own, in the span and trace of whoever starts it. Not under its
/// deadline: what needs a task of its own outlives the call.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let work = work.instrument(tracing::Span::current());
    match TraceContext::current() {
        Some(context) => tokio::spawn(context.scope(work)),
        None => tokio::spawn(work),
    }
}
