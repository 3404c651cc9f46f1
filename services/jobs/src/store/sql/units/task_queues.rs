//! Task queues are put in order.

use std::sync::Arc;

use async_trait::async_trait;
use diracx_core::config::Config;
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, task_queue};
use crate::{
    error::Result,
    store::{
        schema::TASK_QUEUE_DB,
        task_queues::{Maintained, TaskQueueStore},
    },
};

#[async_trait]
impl TaskQueueStore for Store {
    async fn maintain_task_queues(
        &self,
        deadline: Deadline,
        after: i64,
        count: usize,
        config: Arc<Config>,
    ) -> Result<Maintained> {
        self.databases
            .write(deadline, move |tx| {
                let config = Arc::clone(&config);
                async move { maintain(tx, after, count, &config).await }.boxed()
            })
            .await
    }
}

/// A page is one transaction. Others may have queues come and go between two pages: they divide the shares themselves.
async fn maintain(tx: &mut Tx, after: i64, count: usize, config: &Config) -> Result<Maintained> {
    let conn = tx.on(TASK_QUEUE_DB).await?;
    let page = task_queue::page(conn, after, i64::try_from(count).unwrap_or(i64::MAX)).await?;
    let removed = task_queue::remove_empty(conn, &page.queues).await?.len();
    let changed = task_queue::divide(conn, &page.groups, config, Some(&page.queues)).await?;
    let next = page.queues.last().copied().filter(|_| page.queues.len() == count);
    Ok(Maintained { changed, removed, next })
}
