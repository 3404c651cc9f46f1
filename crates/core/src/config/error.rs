//! What is wrong with a configuration, and where.

use std::fmt;

use crate::explain::{Explain, Explanation, Reason};

/// More problems than this help nobody; the rest are only counted.
const SHOWN: usize = 20;

/// Where in the text of a configuration something is; both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// One thing that is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The keys from the top.
    pub path: Vec<String>,
    /// Where in the text, if whoever read the text has found out.
    pub place: Option<Place>,
    /// What, such as `is required`.
    pub message: String,
}

impl Problem {
    /// The keys, joined by dots, such as `Registry.lhcb.Groups.user.Properties`. Each is shortened, for they come
    /// from outside.
    pub fn dotted(&self) -> String {
        const LONGEST: usize = 80;
        let short = |key: &String| -> String {
            if key.len() <= LONGEST {
                key.clone()
            } else {
                key.chars().take(LONGEST).chain(['…']).collect()
            }
        };
        self.path.iter().map(short).collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.dotted())?;
        }
        write!(f, "{}", self.message)
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
        Self { problems: vec![Problem { path: Vec::new(), place: None, message: message.into() }] }
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
                explanation.violation(problem.dotted(), &problem.message)
            })
    }
}
