//! What is told of pilots.

use async_trait::async_trait;
use diracx_core::{JobId, search::Table};
use diracx_db::{
    Deadline,
    search::{Plan, Rows},
};

use crate::error::Result;

/// How pilots are looked at.
#[async_trait]
pub trait QueryStore: Send + Sync {
    /// The rows of a plan.
    async fn search(&self, deadline: Deadline, plan: Plan) -> Result<Rows>;

    /// The groups of a plan.
    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table>;

    /// The numbers of the pilots that ran any of these jobs.
    async fn pilots_of(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<Vec<i64>>;
}
