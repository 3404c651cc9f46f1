//! Checks requests the way DiracX's clients know it: everything that is wrong, at once, each with its place.
//!
//! A request is read into a [`serde_json::Value`] and taken apart by small functions, one per type. They
//! convert as leniently as pydantic does (`"5"` is a whole number, `"yes"` is a flag), collect every
//! [`Problem`] with its [`Loc`], and the answer is a 422 in FastAPI's shape.

pub(crate) mod body;
pub(crate) mod datetime;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod loc;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod scalar;
pub(crate) mod search;
pub(crate) mod status;

pub(crate) use loc::Loc;
pub(crate) use problem::Problems;

#[cfg(test)]
mod tests;
