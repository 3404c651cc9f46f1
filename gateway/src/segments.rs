//! The variable parts of a path.

use axum::extract::{FromRequestParts, Path, rejection::PathRejection};
use http::StatusCode;

use crate::error::Refusal;

/// [`Path`], whose refusals are told as all others are: a path may hold bytes that are no text.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Refusal))]
pub(crate) struct Segments<T>(pub(crate) T);

impl From<PathRejection> for Refusal {
    fn from(_: PathRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "The path is no text")
    }
}
