//! What is kept of task queues.

use std::sync::Arc;

use async_trait::async_trait;
use diracx_core::config::Config;
use diracx_db::Deadline;

use crate::error::Result;

/// What was put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintained {
    /// Queues whose priority changed.
    pub changed: usize,
    /// Queues that were empty.
    pub removed: usize,
    /// The queue behind which to go on; none if this was the end.
    pub next: Option<i64>,
}

/// How task queues are put in order.
#[async_trait]
pub trait TaskQueueStore: Send + Sync {
    /// Looks at `count` queues behind the one with the number `after`: removes those that are empty, and writes the
    /// priorities of the others as the shares in `config` have them.
    async fn maintain_task_queues(
        &self,
        deadline: Deadline,
        after: i64,
        count: usize,
        config: Arc<Config>,
    ) -> Result<Maintained>;
}
