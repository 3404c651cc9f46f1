//! What is kept of the status of jobs.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;

use crate::{
    error::Result,
    logic::transitions::{StatusChange, StatusUpdates},
};

/// How jobs move through the status machine.
#[async_trait]
pub trait StatusStore: Send + Sync {
    /// Applies status updates; `config` has the shares of those whose task queues change; jobs that do not exist are absent from the answer.
    async fn set_statuses(
        &self,
        deadline: Deadline,
        updates: StatusUpdates,
        config: Arc<Config>,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<JobId, StatusChange>>;
}
