//! What is changed of pilots.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_db::Deadline;

use crate::{error::Result, logic::metadata::Patches, policy::PilotScope};

/// How pilots change.
#[async_trait]
pub trait ChangeStore: Send + Sync {
    /// Does what can be done of the patches, or all of them; one outcome for each. A pilot of which nothing changes is
    /// left alone. `own` is when the token of a pilot was issued that changes itself; it must not be barred since.
    async fn patch(
        &self,
        deadline: Deadline,
        patches: Patches,
        scope: PilotScope,
        own: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Result<()>>>;

    /// Marks pilots Aborted that have not ended.
    async fn abort(
        &self,
        deadline: Deadline,
        ids: Vec<i64>,
        reason: String,
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// Marks pilots Deleted that are at work and have given no sign of life since then; returns which.
    async fn give_up(
        &self,
        deadline: Deadline,
        ids: Vec<i64>,
        since: DateTime<Utc>,
        reason: String,
        now: DateTime<Utc>,
    ) -> Result<Vec<PilotStamp>>;

    /// Notes when pilots were last heard of, unless they have been heard of since.
    async fn heard_of(&self, deadline: Deadline, pilots: BTreeMap<i64, DateTime<Utc>>) -> Result<()>;
}
