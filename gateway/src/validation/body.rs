//! Bodies: how much, how long, and what they are.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::{Loc, Problems, json};
use crate::error::Refusal;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes at the most.
    pub(crate) bytes: usize,
    /// From the first to the last of them.
    pub(crate) time: Duration,
}

/// Reads a body to its end.
pub(crate) async fn read(body: Body, limits: Limits) -> Result<Bytes, Refusal> {
    let Ok(read) = tokio::time::timeout(limits.time, Limited::new(body, limits.bytes).collect()).await else {
        let text = format!("The body did not arrive within {} s", limits.time.as_secs());
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let text = format!("The body is larger than {} bytes", limits.bytes);
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Err(_) => Err(Refusal::bad_request("The body broke off")),
    }
}

/// The value of a JSON body. Nothing, and the literal `null`, are no value. A body of another type is a text,
/// which no request of ours wants, so that the answer tells what it should have been.
pub(crate) fn value(headers: &HeaderMap, body: &Bytes) -> Result<Option<Value>, Refusal> {
    if body.is_empty() {
        return Ok(None);
    }
    if !is_json(headers) {
        return Ok(Some(Value::String(String::from_utf8_lossy(body).into_owned())));
    }
    let text =
        std::str::from_utf8(body).map_err(|_| Refusal::bad_request("There was an error parsing the body"))?;
    match json::parse(text).map_err(Refusal::Invalid)? {
        Value::Null => Ok(None),
        value => Ok(Some(value)),
    }
}

/// Reads a body that must be there.
pub(crate) fn required<T>(
    problems: &mut Problems,
    value: Option<&Value>,
    read: impl FnOnce(&mut Problems, &Loc<'_>, &Value) -> Option<T>,
) -> Option<T> {
    let Some(value) = value else {
        problems.missing(&Loc::BODY, &Value::Null);
        return None;
    };
    read(problems, &Loc::BODY, value)
}

/// `application/json`, `application/…+json`, or not said.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return true };
    let kind = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}
