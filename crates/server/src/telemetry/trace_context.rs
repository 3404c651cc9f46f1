//! W3C trace context: which trace the work at hand belongs to.
//!
//! Every call has one, whether or not anything is exported, so that an error can name the trace under
//! which the logs have it.

use std::{
    fmt,
    future::Future,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The name of the header (and metadata) of a trace context.
pub const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// A trace, and the span in it that calls what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

impl TraceContext {
    /// A new trace, which nobody asked to record.
    pub fn random() -> Self {
        let (high, low) = (u128::from(draw()), u128::from(draw()));
        Self { trace_id: high << 64 | low, span_id: draw(), sampled: false }
    }

    /// Reads the `traceparent` of a request. A damaged one counts as none.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(TRACEPARENT)?.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = (version.len(), trace.len(), span.len(), flags.len());
        if sizes != (2, 32, 16, 2) || ![version, trace, span, flags].iter().all(|part| hex(part)) {
            return None;
        }
        // version 0 ends here; later ones may go on, ff is forbidden
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let context = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// The context of the call that this task works for.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|context| *context).ok()
    }

    /// Runs `work` in this context.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// The context of a new span for work that somebody else may have begun: if spans are exported
    /// it is the one that is exported, else a new span id in the same (or a new) trace.
    pub fn of_span(span: &Span, caller: Option<Self>) -> Self {
        if let Some(caller) = caller {
            let remote = opentelemetry::Context::new().with_remote_span_context(caller.to_otel());
            // fails when spans are not exported, and does not matter then
            let _ = span.set_parent(remote);
        }
        let exported = span.context().span().span_context().clone();
        if exported.is_valid() {
            return Self {
                trace_id: u128::from_be_bytes(exported.trace_id().to_bytes()),
                span_id: u64::from_be_bytes(exported.span_id().to_bytes()),
                sampled: exported.is_sampled(),
            };
        }
        caller.map_or_else(Self::random, |caller| Self { span_id: draw(), ..caller })
    }

    /// The id of the trace, 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The value of a `traceparent` header.
    pub fn to_header(self) -> HeaderValue {
        // hexadecimal digits and hyphens are always a valid value
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }

    pub(super) fn to_otel(self) -> SpanContext {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        SpanContext::new(
            TraceId::from(self.trace_id),
            SpanId::from(self.span_id),
            flags,
            true,
            TraceState::NONE,
        )
    }
}

/// A number that does not come twice and is never 0. Ids need no secrecy, so the system is asked for
/// randomness once, and the rest is arithmetic (the mixing function of SplitMix64).
fn draw() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().1));
    let mut mixed = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_wire() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(TraceContext::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn damaged_contexts_count_as_none() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_call_stays_in_the_trace_of_its_caller() {
        let caller = TraceContext::random();
        let inner = TraceContext::of_span(&Span::none(), Some(caller));
        assert_eq!(inner.trace_id(), caller.trace_id());
        assert_ne!(inner.span_id, caller.span_id);
        let seen = inner.scope(async { crate::spawn(async { TraceContext::current() }).await.unwrap() });
        assert_eq!(seen.await, Some(inner));
    }
}
