//! What is wrong with a request, in FastAPI's shape.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Loc, loc::Segment};
use crate::render::json_response;

/// How many problems an answer lists. A body with a million mistakes must not become an answer of a gigabyte.
const LISTED: usize = 200;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    loc: Vec<Segment>,
    msg: Cow<'static, str>,
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

/// Everything that is wrong so far.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Serialize))]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub(crate) fn add(
        &mut self,
        kind: &'static str,
        loc: &Loc<'_>,
        msg: impl Into<Cow<'static, str>>,
        input: &Value,
    ) {
        self.push(kind, loc, msg.into(), input, None);
    }

    /// Notes a problem that has something to compare with, such as a bound.
    pub(crate) fn add_with(
        &mut self,
        kind: &'static str,
        loc: &Loc<'_>,
        msg: impl Into<Cow<'static, str>>,
        input: &Value,
        ctx: Value,
    ) {
        self.push(kind, loc, msg.into(), input, Some(ctx));
    }

    /// Notes what one of DiracX's own checks would say.
    pub(crate) fn value_error(&mut self, loc: &Loc<'_>, msg: impl std::fmt::Display, input: &Value) {
        self.add_with("value_error", loc, format!("Value error, {msg}"), input, json!({ "error": {} }));
    }

    /// Notes that something required is not there; `input` is what it should be in.
    pub(crate) fn missing(&mut self, loc: &Loc<'_>, input: &Value) {
        self.add("missing", loc, "Field required", input);
    }

    /// Notes a value that is none of the permitted ones.
    pub(crate) fn not_one_of(&mut self, kind: &'static str, loc: &Loc<'_>, choices: &[&str], input: &Value) {
        let expected = alternatives(choices);
        self.add_with(
            kind,
            loc,
            format!("Input should be {expected}"),
            input,
            json!({ "expected": expected }),
        );
    }

    /// Takes over the problems of another attempt.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
        self.0.truncate(LISTED);
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value`, unless something was wrong.
    pub(crate) fn none_or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    fn push(
        &mut self,
        kind: &'static str,
        loc: &Loc<'_>,
        msg: Cow<'static, str>,
        input: &Value,
        ctx: Option<Value>,
    ) {
        if self.0.len() < LISTED {
            self.0.push(Problem { kind, loc: loc.path(), msg, input: input.clone(), ctx });
        }
    }
}

impl IntoResponse for Problems {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Answer {
            detail: Vec<Problem>,
        }
        json_response(StatusCode::UNPROCESSABLE_ENTITY, &Answer { detail: self.0 })
    }
}

/// `'a', 'b' or 'c'`.
fn alternatives(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("'{choice}'")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}
