//! Answers as JSON, in DiracX's shapes.

pub(crate) mod table;
pub(crate) mod time;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

/// An answer of one JSON value.
pub(crate) fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json_bytes(status, text.into()),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            internal_error()
        }
    }
}

/// An answer of JSON text.
pub(crate) fn json_bytes(status: StatusCode, text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to our own mistakes. What went wrong is in the log.
pub(crate) fn internal_error() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
}
