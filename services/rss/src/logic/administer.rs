//! Statuses are set and forgotten.

use std::sync::Arc;

use super::plan::{Book, Entry, Refusal, Target, Update};
use crate::{Deps, error::Result, model::Kept, policy::Administer, store::Decided};

/// Sets the statuses that may be set; of each, what is kept now or why it was not set.
pub async fn set(
    deps: &Deps,
    permits: Vec<(Administer, Update)>,
) -> Result<Vec<Result<Vec<Entry>, Refusal>>> {
    if permits.is_empty() {
        return Ok(Vec::new());
    }
    let now = deps.clock.now();
    let updates: Vec<Update> = permits.into_iter().map(|(_, update)| update).collect();
    let count = updates.len();
    let decide = move |kept: Kept| {
        let mut book = Book::open(kept, now);
        let outcomes = updates.iter().map(|update| book.set(update)).collect();
        Decided { changes: book.close(), outcomes, ..Decided::default() }
    };
    let outcomes = deps.store.change(crate::deadline(), Arc::new(decide)).await?.outcomes;
    deps.keeper.refresh().await;
    tracing::info!(element.count = count, "set the statuses of {count} elements");
    Ok(outcomes)
}

/// Forgets the elements; of each, why not. Those that are gone already are no error.
pub async fn remove(deps: &Deps, permits: Vec<(Administer, Target)>) -> Result<Vec<Result<(), Refusal>>> {
    if permits.is_empty() {
        return Ok(Vec::new());
    }
    let now = deps.clock.now();
    let targets: Vec<Target> = permits.into_iter().map(|(_, target)| target).collect();
    let count = targets.len();
    let decide = move |kept: Kept| {
        let mut book = Book::open(kept, now);
        let outcomes = targets.iter().map(|target| book.remove(target).map(|()| Vec::new())).collect();
        Decided { changes: book.close(), outcomes, ..Decided::default() }
    };
    let outcomes = deps.store.change(crate::deadline(), Arc::new(decide)).await?.outcomes;
    deps.keeper.refresh().await;
    tracing::info!(element.count = count, "forgot {count} elements");
    Ok(outcomes.into_iter().map(|outcome| outcome.map(drop)).collect())
}

/// Cancels what is planned; of each, what was planned or why it still is. Where nothing is planned is no error.
pub async fn cancel(
    deps: &Deps,
    permits: Vec<(Administer, Target)>,
) -> Result<Vec<Result<Vec<Entry>, Refusal>>> {
    if permits.is_empty() {
        return Ok(Vec::new());
    }
    let now = deps.clock.now();
    let decide = move |kept: Kept| {
        let mut book = Book::open(kept, now);
        let outcomes = permits.iter().map(|(permit, target)| book.cancel(target, permit.owner())).collect();
        Decided { changes: book.close(), outcomes, ..Decided::default() }
    };
    let outcomes = deps.store.change(crate::deadline(), Arc::new(decide)).await?.outcomes;
    deps.keeper.refresh().await;
    let count: usize = outcomes.iter().flatten().map(Vec::len).sum();
    tracing::info!(plan.count = count, "cancelled {count} planned statuses");
    Ok(outcomes)
}
