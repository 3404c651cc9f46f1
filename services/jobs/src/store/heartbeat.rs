//! What is kept of heartbeats, and the commands that they fetch.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;

use crate::{
    error::Result,
    logic::{
        commands::{CommandKey, StoredCommand},
        heartbeat::Heartbeat,
    },
};

/// Jobs that are alive.
#[derive(Debug, Clone)]
pub struct Heartbeats {
    /// Each job once.
    pub beats: Vec<Heartbeat>,
    /// Whether the caller acknowledges commands. If not, those that it gets count as arrived.
    pub acknowledges: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// A command and the run that it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCommand {
    /// The command.
    pub command: StoredCommand,
    /// How often the job was rescheduled before.
    pub reschedule_counter: i64,
}

/// What heartbeats lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// The jobs that exist.
    pub jobs: BTreeSet<JobId>,
    /// What waits for them, by job, oldest first.
    pub commands: Vec<JobCommand>,
}

/// How jobs give signs of life, and learn what is wanted of them.
#[async_trait]
pub trait HeartbeatStore: Send + Sync {
    /// Notes that jobs are alive, and fetches their commands.
    async fn hear(&self, deadline: Deadline, heartbeats: Heartbeats, config: Arc<Config>) -> Result<Heard>;

    /// Notes that commands have arrived; those that do not wait (any more) are passed over.
    async fn acknowledge(&self, deadline: Deadline, commands: Vec<CommandKey>) -> Result<()>;
}
