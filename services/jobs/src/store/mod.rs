//! What the jobs service keeps, as units of work: each method is one transaction.
//!
//! The contract has a part, and a file, for each kind of work; `sql/` keeps it in DIRAC's tables. The databases
//! may be on different servers. JobDB is committed last, so that a crash in between leaves records, queue entries or
//! assignments of jobs that do not exist, which nobody sees, and never a job without its record.

pub mod heartbeat;
pub mod metadata;
pub mod query;
pub mod removal;
pub mod reschedule;
pub mod sandbox;
pub mod schema;
pub mod status;
pub mod submission;
pub mod task_queues;
pub mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use diracx_db::{DbResult, DbUrl, DbUrls, Deadline, Migrations, url::MixedKinds};

pub use self::{
    heartbeat::{Heard, HeartbeatStore, Heartbeats, JobCommand},
    metadata::{MetadataStore, Parameters},
    query::{Found, HistoryRecord, Ownership, QueryStore, StoredDescription},
    removal::RemovalStore,
    reschedule::{NewRun, RescheduleStore, Rescheduling, RunDescription},
    sandbox::SandboxStore,
    status::StatusStore,
    submission::{Call, Made, Submission, SubmissionStore, Submitted},
    task_queues::TaskQueueStore,
    watch::{FeedEnds, JobEvent, Moment, WatchStore},
};
use crate::error::{Error, Result};

mod mysql;
mod sqlite;

/// What is kept of jobs.
#[async_trait]
pub trait JobStore:
    SubmissionStore
    + QueryStore
    + StatusStore
    + HeartbeatStore
    + RescheduleStore
    + MetadataStore
    + SandboxStore
    + WatchStore
    + RemovalStore
    + TaskQueueStore
{
    /// Asks the databases for a sign of life.
    async fn ping(&self, deadline: Deadline) -> DbResult<()>;
}

/// Where the databases are; all of one kind.
#[derive(Debug, Clone)]
pub struct JobDatabases {
    /// JobDB.
    pub job_db: DbUrl,
    /// JobLoggingDB.
    pub job_logging_db: DbUrl,
    /// TaskQueueDB.
    pub task_queue_db: DbUrl,
    /// SandboxMetadataDB.
    pub sandbox_metadata_db: DbUrl,
    /// How many connections to each MySQL database at the most.
    pub connections: u32,
}

impl JobDatabases {
    /// The databases in the order of their indices in [`schema`].
    ///
    /// # Errors
    /// They are not all of one kind.
    pub fn urls(&self) -> Result<DbUrls, MixedKinds> {
        DbUrls::new(&[
            ("JobDB", self.job_db.clone()),
            ("JobLoggingDB", self.job_logging_db.clone()),
            ("TaskQueueDB", self.task_queue_db.clone()),
            ("SandboxMetadataDB", self.sandbox_metadata_db.clone()),
        ])
    }
}

/// Opens the store on the databases' kind.
pub async fn open(databases: &JobDatabases) -> Result<Arc<dyn JobStore>> {
    match databases.urls()? {
        DbUrls::Sqlite(files) => {
            let databases = diracx_db::sqlite::Databases::open(&files)?;
            Ok(Arc::new(sqlite::Store::new(databases)))
        }
        DbUrls::MySql(schemas) => {
            let databases = diracx_db::mysql::Databases::open(&schemas, databases.connections).await?;
            Ok(Arc::new(mysql::Store::new(databases.read_committed())))
        }
    }
}

macro_rules! migrations {
    ($name:literal, sqlite: $sqlite:literal, mysql: $mysql:literal) => {{
        const SQLITE: EmbeddedMigrations = embed_migrations!($sqlite);
        const MYSQL: EmbeddedMigrations = embed_migrations!($mysql);
        Migrations { database: $name, sqlite: || SQLITE, mysql: || MYSQL }
    }};
}

/// Creates the tables that are missing.
pub async fn migrate(databases: &JobDatabases) -> Result<()> {
    let job_db = migrations!("JobDB", sqlite: "migrations/sqlite/job_db", mysql: "migrations/mysql/job_db");
    let job_logging_db = migrations!(
        "JobLoggingDB",
        sqlite: "migrations/sqlite/job_logging_db",
        mysql: "migrations/mysql/job_logging_db"
    );
    let task_queue_db = migrations!(
        "TaskQueueDB",
        sqlite: "migrations/sqlite/task_queue_db",
        mysql: "migrations/mysql/task_queue_db"
    );
    let sandbox_metadata_db = migrations!(
        "SandboxMetadataDB",
        sqlite: "migrations/sqlite/sandbox_metadata_db",
        mysql: "migrations/mysql/sandbox_metadata_db"
    );
    let all = [
        (&databases.job_db, job_db),
        (&databases.job_logging_db, job_logging_db),
        (&databases.task_queue_db, task_queue_db),
        (&databases.sandbox_metadata_db, sandbox_metadata_db),
    ];
    for (url, migrations) in all {
        diracx_db::migrate(url, migrations).await.map_err(Error::from)?;
    }
    Ok(())
}
