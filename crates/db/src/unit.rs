//! What a unit of work is made of, on either backend.

use std::time::{Duration, Instant};

/// The place of a database in the list that a service opened.
///
/// A unit that changes several databases commits them in reverse order: the first of the list
/// holds the record that makes the change visible, so it comes last.
pub type DbIndex = usize;

/// When the caller stops waiting.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deadline(pub Option<Instant>);

impl Deadline {
    /// The caller waits for ever.
    pub const NONE: Self = Self(None);

    /// So long from now.
    pub fn after(delay: Duration) -> Self {
        Self(Some(Instant::now() + delay))
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at)
    }

    /// What is left, at the most `cap`.
    pub fn remaining(self, cap: Duration) -> Duration {
        self.0.map_or(cap, |at| at.saturating_duration_since(Instant::now()).min(cap))
    }
}

impl From<Option<Instant>> for Deadline {
    fn from(at: Option<Instant>) -> Self {
        Self(at)
    }
}
