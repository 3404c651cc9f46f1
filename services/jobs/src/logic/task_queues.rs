//! Putting the task queues in order.

use crate::{Deps, error::Result, policy::Maintain, store::task_queues::Maintained};

/// Looks at `count` queues behind the one with the number `after`.
pub async fn maintain(deps: &Deps, _: &Maintain, after: i64, count: usize) -> Result<Maintained> {
    deps.store.maintain_task_queues(crate::deadline(), after, count, deps.config.current()?).await
}
