//! What is wrong with a configuration, and where.

use std::fmt;

use crate::explain::{Explain, Explanation, Reason};

/// More problems than this help nobody; the rest are only counted.
const SHOWN: usize = 20;

/// One thing that is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: the keys from the top, joined by dots, such as `Registry.lhcb.Groups.user.Properties`.
    pub path: String,
    /// What, such as `is required`.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// A document that is no DIRAC configuration. It lists every problem, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// An error about the document as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { problems: vec![Problem { path: String::new(), message: message.into() }] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().take(SHOWN).enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Explain for ConfigError {
    fn explain(&self) -> Explanation {
        self.problems
            .iter()
            .take(SHOWN)
            .fold(Explanation::unavailable(Reason::ConfigurationUnavailable), |explanation, problem| {
                explanation.violation(&problem.path, &problem.message)
            })
    }
}
