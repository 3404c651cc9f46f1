//! Planned statuses begin, and those that have expired end.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diracx_core::Clock;
use diracx_db::Deadline;

use super::plan::{Book, Changes};
use crate::{
    error::Result,
    model::Kept,
    policy::Maintain,
    store::{Decided, StatusStore},
};

/// What was put into effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Plans that have begun.
    pub begun: usize,
    /// Statuses that have ended.
    pub ended: usize,
    /// Nothing more is due.
    pub done: bool,
}

/// Whether anything has to begin or to end.
pub fn is_due(kept: &Kept, now: DateTime<Utc>) -> bool {
    kept.plans.iter().any(|plan| plan.effective <= now)
        || kept.returns.iter().any(|row| row.expiration <= now)
}

/// Puts into effect what is due, at the most `most` of it.
///
/// What ends does so first: a plan that begins at that time finds the element as it is without the status that ended.
pub fn plan(kept: Kept, now: DateTime<Utc>, most: usize) -> (Changes, Applied) {
    let mut book = Book::open(kept, now);
    let now = book.now();
    let returns = book.returns().into_iter().filter(|row| row.expiration <= now);
    let ending: Vec<_> = returns.take(most).collect();
    let mut applied = Applied::default();
    for row in &ending {
        applied.ended += usize::from(book.end(row));
    }
    let plans = book.plans().into_iter().filter(|plan| plan.effective <= now);
    let beginning: Vec<_> = plans.take(most - ending.len()).collect();
    for plan in &beginning {
        book.unplan(&plan.key);
        if !book.has_room_for(plan) {
            tracing::warn!("what was planned for {} is dropped: it is now of another type", plan.key.name);
        } else if plan.expiration > now {
            book.begin(plan.clone());
            applied.begun += 1;
        } else {
            // nobody was here all the while that it should have held
            tracing::warn!("what was planned for {} is over before it began", plan.key.name);
        }
    }
    let left = book.plans().iter().any(|plan| plan.effective <= now)
        || book.returns().iter().any(|row| row.expiration <= now);
    applied.done = !left;
    (book.close(), applied)
}

/// Does it. Whoever else does so at the same time is waited for, and leaves nothing to do.
pub async fn apply(
    _: &Maintain,
    store: &dyn StatusStore,
    clock: &dyn Clock,
    deadline: Deadline,
    most: usize,
) -> Result<Applied> {
    let now = clock.now();
    let decide = move |kept: Kept| {
        let (changes, applied) = plan(kept, now, most);
        Decided { changes, applied, ..Decided::default() }
    };
    let applied = store.change(deadline, Arc::new(decide)).await?.applied;
    if applied.begun + applied.ended > 0 {
        tracing::info!("{} planned statuses have begun, {} have ended", applied.begun, applied.ended);
    }
    Ok(applied)
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
