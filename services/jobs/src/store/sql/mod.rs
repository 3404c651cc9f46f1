//! The store in SQL; compiled once per backend.
//!
//! `units/` has a file for each part of the contract, whose methods are the transactions. Beside it are the
//! statements, a file for each table.

use async_trait::async_trait;
use diracx_db::{DbResult, Deadline};

use super::{Conn, Databases, Tx, dialect, search, summary};
use crate::store::JobStore;

mod changes;
mod heart_beat_logging;
mod job;
mod job_command;
mod job_event;
mod job_logging;
mod job_parameter;
mod joint;
mod next_run;
mod sandbox;
mod sandbox_cleaning;
mod submission_request;
mod task_queue;
mod units;
mod watched;

/// The store on this backend.
pub(in crate::store) struct Store {
    databases: watched::Watched,
    joint: joint::Joint,
}

impl Store {
    pub(in crate::store) fn new(databases: Databases) -> Self {
        let databases = watched::Watched::new(databases);
        Self { joint: joint::Joint::new(&databases), databases }
    }
}

#[async_trait]
impl JobStore for Store {
    async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        self.databases.ping(deadline).await
    }
}
