//! Our errors on the wire: an [`Explanation`] becomes a `tonic::Status` with `google.rpc` details,
//! and a status read back tells reason, variables and retry delay again.
//!
//! This is the boundary where an error is logged, once, with everything that caused it. What the
//! caller gets is the sentence and its variables, never the causes; of our own bugs not even the
//! sentence, only the trace id under which the log has it.

use std::{collections::HashMap, error::Error, fmt::Write, time::Duration};

use diracx_core::{Code, Explain, Explanation, Reason};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

use crate::telemetry::TraceContext;

/// The domain of every `google.rpc.ErrorInfo` of ours.
pub const DOMAIN: &str = "diracx";

// A status travels in headers, of which clients take 16 KiB altogether: the sentence, where a byte may become three,
// and the details in base64, where the sentence stands once more. What is longer is cut.

/// The longest sentence.
const MAX_MESSAGE_BYTES: usize = 2 * 1024;
/// All variables and violations together.
const MAX_DETAIL_BYTES: usize = 3 * 1024;
/// One of them.
const MAX_VALUE_BYTES: usize = 512;

/// Turns an error into the status its caller gets, and logs what the caller does not get.
/// For `.map_err(to_status)` in services.
#[expect(clippy::needless_pass_by_value, reason = "so that it fits into map_err")]
pub fn to_status<E: Explain>(error: E) -> Status {
    let explanation = error.explain();
    let status = from_explanation(&explanation, &error.to_string());
    match explanation.code {
        Code::Internal => {
            tracing::error!(error = chain(&error), "answering INTERNAL: {}", error);
        }
        Code::Unavailable => {
            tracing::warn!(error = chain(&error), "answering UNAVAILABLE: {}", error);
        }
        code => tracing::debug!(error = chain(&error), "answering {code:?}: {}", error),
    }
    status
}

/// The status for an explanation and the sentence that goes with it. Logs nothing.
pub fn from_explanation(explanation: &Explanation, sentence: &str) -> Status {
    let mut room = MAX_DETAIL_BYTES;
    let mut variables: HashMap<String, String> = explanation
        .variables
        .iter()
        .filter_map(|(name, value)| Some(((*name).to_owned(), fitting(value, &mut room)?.to_owned())))
        .collect();
    let mut sentence = shortened(sentence, MAX_MESSAGE_BYTES).to_owned();
    if explanation.code == Code::Internal {
        variables.clear();
        sentence = match TraceContext::current() {
            Some(context) => {
                variables.insert("traceId".to_owned(), context.trace_id());
                format!("internal error, trace id {}", context.trace_id())
            }
            None => "internal error".to_owned(),
        };
    }
    let mut details = ErrorDetails::with_error_info(explanation.reason.as_str(), DOMAIN, variables);
    if let Some(delay) = explanation.retry_after {
        details.set_retry_info(Some(delay));
    }
    for (field, problem) in &explanation.violations {
        if let (Some(field), Some(problem)) = (fitting(field, &mut room), fitting(problem, &mut room)) {
            details.add_bad_request_violation(field, problem);
        }
    }
    Status::with_error_details(grpc_code(explanation.code), sentence, details)
}

/// The status for our own bug; `cause` goes to the log only.
pub fn internal(cause: &str) -> Status {
    tracing::error!(error = cause, "answering INTERNAL");
    from_explanation(&Explanation::internal(Reason::Internal), "")
}

/// What a status tells besides its code and sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusInfo {
    /// The stable reason, if the status came from one of our servers.
    pub reason: Option<String>,
    /// The variables of the sentence, by camelCase name.
    pub variables: HashMap<String, String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The fields that are wrong, and what is wrong with them.
    pub violations: Vec<(String, String)>,
}

impl StatusInfo {
    /// Reads the details of a status. A status of somebody else, or damaged details, give an empty one.
    pub fn of(status: &Status) -> Self {
        let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
        let (reason, variables) = match info {
            Some(info) => (Some(info.reason), info.metadata),
            None => (None, HashMap::new()),
        };
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let violations = status
            .get_details_bad_request()
            .map(|bad| bad.field_violations.into_iter().map(|v| (v.field, v.description)).collect())
            .unwrap_or_default();
        Self { reason, variables, retry_after, violations }
    }

    /// Whether the status has this reason.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason.as_deref() == Some(reason.as_str())
    }
}

/// The gRPC code of one of our codes.
pub fn grpc_code(code: Code) -> tonic::Code {
    match code {
        Code::InvalidArgument => tonic::Code::InvalidArgument,
        Code::FailedPrecondition => tonic::Code::FailedPrecondition,
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::PermissionDenied => tonic::Code::PermissionDenied,
        Code::NotFound => tonic::Code::NotFound,
        Code::AlreadyExists => tonic::Code::AlreadyExists,
        Code::ResourceExhausted => tonic::Code::ResourceExhausted,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::DeadlineExceeded => tonic::Code::DeadlineExceeded,
        Code::Unimplemented => tonic::Code::Unimplemented,
        Code::Internal => tonic::Code::Internal,
    }
}

/// The error and everything that caused it, in one line.
pub fn chain(error: &(dyn Error + '_)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        // writing to a String cannot fail
        let _ = write!(line, ": {next}");
        cause = next.source();
    }
    line
}

fn shortened(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// As much of a value as is of use, if there is room for it.
fn fitting<'a>(value: &'a str, room: &mut usize) -> Option<&'a str> {
    let value = shortened(value, MAX_VALUE_BYTES);
    *room = room.checked_sub(value.len())?;
    Some(value)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
