//! What is told of pilots.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, PilotStamp, search::Table};
use diracx_db::{
    Deadline,
    search::{Plan, Rows},
};

use crate::{error::Result, logic::transitions::StoredStatus};

/// What everything else about a pilot depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPilot {
    /// Its number.
    pub id: i64,
    /// Its stamp.
    pub stamp: PilotStamp,
    /// Its VO.
    pub vo: String,
    /// Where it is.
    pub status: StoredStatus,
    /// When it was last heard of, if that is known.
    pub last_update: Option<DateTime<Utc>>,
}

/// How pilots are looked at.
#[async_trait]
pub trait QueryStore: Send + Sync {
    /// The rows of a plan.
    async fn search(&self, deadline: Deadline, plan: Plan) -> Result<Rows>;

    /// The groups of a plan.
    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table>;

    /// The pilots with these stamps; those that nobody has are absent.
    async fn pilots(
        &self,
        deadline: Deadline,
        stamps: Vec<PilotStamp>,
    ) -> Result<BTreeMap<PilotStamp, KnownPilot>>;

    /// The pilots with these numbers; missing ones are absent.
    async fn pilots_by_id(&self, deadline: Deadline, ids: Vec<i64>) -> Result<BTreeMap<i64, KnownPilot>>;

    /// Since when the access tokens of pilots do not count; pilots of which all count are absent.
    async fn access_bars(
        &self,
        deadline: Deadline,
        stamps: Vec<PilotStamp>,
    ) -> Result<BTreeMap<PilotStamp, DateTime<Utc>>>;

    /// Up to `count` pilots at work that have given no sign of life since then, the oldest first.
    async fn silent_since(
        &self,
        deadline: Deadline,
        since: DateTime<Utc>,
        count: usize,
    ) -> Result<Vec<KnownPilot>>;

    /// The numbers of the pilots that ran any of these jobs.
    async fn pilots_of(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<Vec<i64>>;
}
