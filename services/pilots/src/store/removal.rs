//! What is forgotten of pilots.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_db::Deadline;

use crate::{error::Result, logic::transitions::StoredStatus};

/// How pilots are forgotten, with all that belongs to them.
#[async_trait]
pub trait RemovalStore: Send + Sync {
    /// Forgets those of the pilots that have ended, or all of them; returns the others, and where they are.
    async fn forget(
        &self,
        deadline: Deadline,
        stamps: Vec<PilotStamp>,
        forced: bool,
    ) -> Result<BTreeMap<PilotStamp, StoredStatus>>;

    /// Forgets up to `count` pilots that ended before `ended`, or were aborted before `aborted`, and what came of calls
    /// that nobody repeats any more; returns how many pilots.
    async fn forget_old(
        &self,
        deadline: Deadline,
        ended: DateTime<Utc>,
        aborted: DateTime<Utc>,
        count: usize,
        now: DateTime<Utc>,
    ) -> Result<usize>;
}
