//! Errors on REST: what a service says in gRPC's words becomes DiracX's status, headers and `{"detail": …}`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use diracx_core::{Explain, Reason};
use diracx_server::{
    status::{StatusInfo, to_status},
    telemetry::{TRACEPARENT, TraceContext},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    render::{internal_error, json_response},
    validation::Problems,
};

/// The header with the stable reason of an error.
pub const ERROR_REASON: HeaderName = HeaderName::from_static("diracx-error-reason");

/// When to come back to a database or a service that is down and does not say: DiracX's answer.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(10);
/// When to come back after too many calls.
const OVERLOADED_RETRY: Duration = Duration::from_secs(1);

/// Why a request gets no answer of its own kind.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request is not what the route takes.
    Invalid(Problems),
    /// A service refused, or could not be reached.
    Failed(Status),
    /// As [`Failed`](Self::Failed), where every 401 says how to authenticate: the routes of OAuth2.
    OAuth(Status),
    /// The gateway itself refuses.
    Detail(StatusCode, Value),
}

impl Refusal {
    /// A refusal with a sentence.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Detail(status, Value::String(detail.into()))
    }

    /// A 400 with a sentence.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A 403 as access policies give it.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden")
    }

    /// One of our own errors.
    pub(crate) fn explained(error: impl Explain) -> Self {
        Self::Failed(to_status(error))
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

impl From<Problems> for Refusal {
    fn from(problems: Problems) -> Self {
        Self::Invalid(problems)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(problems) => problems.into_response(),
            Self::Failed(status) => of_status(&status, false),
            Self::OAuth(status) => of_status(&status, true),
            Self::Detail(status, detail) => json_response(status, &json!({ "detail": detail })),
        }
    }
}

/// The HTTP status for a gRPC status. `reason` tells apart what gRPC has one code for.
pub(crate) fn http_status(code: Code, reason: Option<&str>) -> StatusCode {
    let is = |wanted: Reason| reason == Some(wanted.as_str());
    match code {
        Code::Unauthenticated if is(Reason::AuthorizationHeaderInvalid) => StatusCode::BAD_REQUEST,
        Code::Unavailable if is(Reason::IdentityProviderFailed) => StatusCode::BAD_GATEWAY,
        // As DiracX has it.
        Code::NotFound if is(Reason::SandboxNotFound) => StatusCode::BAD_REQUEST,
        Code::AlreadyExists if is(Reason::SandboxAlreadyAssigned) => StatusCode::BAD_REQUEST,
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded | Code::Cancelled => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal | Code::Unknown | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer for a status. The text of what is our fault, or not from a service of ours, stays in the log.
fn of_status(status: &Status, oauth: bool) -> Response {
    let info = StatusInfo::of(status);
    let code = http_status(status.code(), info.reason.as_deref());
    let mut response = match code {
        StatusCode::INTERNAL_SERVER_ERROR => {
            tracing::error!(error = %status, "a service failed");
            internal_error()
        }
        StatusCode::SERVICE_UNAVAILABLE if info.reason.is_none() => {
            tracing::warn!(error = %status, "a service cannot be reached");
            json_response(
                code,
                &json!({ "detail": "A part of the system cannot be reached, try again later" }),
            )
        }
        code => json_response(code, &json!({ "detail": status.message() })),
    };
    let headers = response.headers_mut();
    let reason = match &info.reason {
        Some(reason) => HeaderValue::from_str(reason).ok(),
        None => (code == StatusCode::SERVICE_UNAVAILABLE)
            .then(|| HeaderValue::from_static(Reason::ServiceUnavailable.as_str())),
    };
    if let Some(reason) = reason {
        headers.insert(ERROR_REASON, reason);
    }
    if let Some(delay) = retry_after(code, info.retry_after) {
        headers.insert(RETRY_AFTER, delay);
    }
    if code == StatusCode::UNAUTHORIZED && (oauth || info.is(Reason::TokenMissing)) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    add_trace(headers);
    response
}

/// The header that tells where in the traces and logs this request is.
fn add_trace(headers: &mut HeaderMap) {
    if let Some(context) = TraceContext::current() {
        headers.insert(TRACEPARENT, context.to_header());
    }
}

/// Whole seconds, rounded up: a caller who comes back too early is turned away again.
fn retry_after(code: StatusCode, asked: Option<Duration>) -> Option<HeaderValue> {
    let delay = match code {
        StatusCode::SERVICE_UNAVAILABLE => asked.unwrap_or(UNAVAILABLE_RETRY),
        StatusCode::TOO_MANY_REQUESTS => asked.unwrap_or(OVERLOADED_RETRY),
        _ => asked?,
    };
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    Some(HeaderValue::from(seconds.max(1)))
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
