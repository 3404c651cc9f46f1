//! Between the contract and the domain: every conversion that more than one program needs.
//!
//! What comes from outside is checked here (`TryFrom`, with the path of the field that is wrong); what goes
//! outside cannot fail (`From`).

mod job;
pub mod pilot;
pub mod search;
pub mod status;
mod table;
pub mod time;

use std::fmt;

use diracx_core::{Explain, Explanation, Reason};

/// A field of a request that has a value it may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    field: String,
    problem: String,
    reason: Reason,
}

impl Invalid {
    /// `problem` completes the sentence that `field` begins, as in `page_size: must not be negative`.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), reason: Reason::InvalidField }
    }

    /// Something that a search may not say.
    pub fn search(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { reason: Reason::InvalidSearch, ..Self::field(field, problem) }
    }

    /// The same, told by somebody who knows in which message the field is: `parent` is its path.
    #[must_use]
    pub fn within(mut self, parent: impl fmt::Display) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

impl Explain for Invalid {
    fn explain(&self) -> Explanation {
        Explanation::invalid_argument(self.reason)
            .with("field", &self.field)
            .violation(&self.field, &self.problem)
    }
}

/// Converts each of `items`, or says which of `field` is wrong.
fn each<T, U: TryFrom<T, Error = Invalid>>(field: &str, items: Vec<T>) -> Result<Vec<U>, Invalid> {
    items
        .into_iter()
        .enumerate()
        .map(|(i, item)| U::try_from(item).map_err(|invalid| invalid.within(format_args!("{field}[{i}]"))))
        .collect()
}
