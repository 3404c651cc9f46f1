//! What goes when jobs go.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;

use crate::error::Result;

/// How jobs are forgotten.
#[async_trait]
pub trait RemovalStore: Send + Sync {
    /// Removes jobs with all that belongs to them: all, or none. Of jobs that are gone it removes what was left behind.
    /// `config` has the shares of those whose task queues change.
    async fn remove_jobs(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
        config: Arc<Config>,
        now: DateTime<Utc>,
    ) -> Result<()>;
}
