//! What is kept of jobs besides their status: attributes and parameters.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;

use crate::{
    error::Result,
    logic::{metadata::MetadataPatch, parameters::ParameterValue},
};

/// The parameters of a job, by name.
pub type Parameters = BTreeMap<String, ParameterValue>;

/// How attributes and parameters of jobs are set and read.
#[async_trait]
pub trait MetadataStore: Send + Sync {
    /// Applies patches, all or none; `config` has the shares of those whose task queues change. The answer names the
    /// jobs that exist.
    async fn patch_metadata(
        &self,
        deadline: Deadline,
        patches: Vec<MetadataPatch>,
        config: Arc<Config>,
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<JobId>>;

    /// The parameters of these names, all if there are none; jobs that do not exist are absent.
    async fn parameters(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<JobId, Parameters>>;
}
