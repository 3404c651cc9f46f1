//! What the jobs service keeps, as units of work: each method is one transaction.
//!
//! JobDB and JobLoggingDB may be on different servers. Records are committed before the job rows that
//! they belong to, so a crash in between leaves records of jobs that do not exist, which
//! nobody sees, and never a job without its record.

pub mod schema;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use diracx_core::{JobId, jdl::JobDescription, search::Table};
use diracx_db::{DbResult, DbUrl, DbUrls, Deadline, Migrations, search::Plan};

use crate::{
    error::{Error, Result},
    logic::transitions::{StatusChange, StatusUpdates},
};

mod mysql;
mod sqlite;

/// Jobs to be made.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose they are.
    pub owner: String,
    /// Under which group.
    pub owner_group: String,
    /// In which VO.
    pub vo: String,
    /// What they do; checked, and lacking only their numbers.
    pub jobs: Arc<[JobDescription]>,
    /// When they were accepted.
    pub at: DateTime<Utc>,
    /// Identifies the call for a repetition.
    pub request_key: Option<String>,
}

/// Jobs that were made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Submitted {
    /// In the order of the submission.
    pub ids: Vec<JobId>,
    /// Whether they came of parameters.
    pub parametric: bool,
    /// When they were accepted.
    pub at: DateTime<Utc>,
}

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The preferred user name.
    pub owner: String,
    /// The group.
    pub owner_group: String,
    /// The VO.
    pub vo: String,
}

/// The description of a job, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDescription {
    /// As submitted.
    pub original_jdl: String,
    /// As executed.
    pub jdl: String,
    /// Whose it is.
    pub ownership: Ownership,
}

/// One record of a job's history, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRecord {
    /// The status from then on.
    pub status: String,
    /// The minor status from then on.
    pub minor_status: String,
    /// The application status from then on.
    pub application_status: String,
    /// When.
    pub time: DateTime<Utc>,
    /// Who reported it.
    pub source: String,
}

/// Rows of a search, and for each its history if that was asked for.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The rows.
    pub table: Table,
    /// By job.
    pub histories: BTreeMap<JobId, Vec<HistoryRecord>>,
}

/// What is kept of jobs.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Makes jobs: all of them, or none. A repetition of a call gets what the first one made.
    async fn submit(&self, deadline: Deadline, submission: Submission) -> Result<Submitted>;

    /// The rows of a search. With `history`, its first column is `JobID`.
    async fn search(&self, deadline: Deadline, plan: Plan, history: bool) -> Result<Found>;

    /// The groups of a summary.
    async fn summarise(&self, deadline: Deadline, plan: Plan) -> Result<Table>;

    /// Whose the jobs are; those that do not exist are absent.
    async fn ownerships(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<BTreeMap<JobId, Ownership>>;

    /// The descriptions of the jobs; those that do not exist are absent.
    async fn descriptions(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, StoredDescription>>;

    /// The histories of the jobs; those without any are absent.
    async fn histories(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>>;

    /// Applies status updates; jobs that do not exist are absent from the answer.
    async fn set_statuses(
        &self,
        deadline: Deadline,
        updates: StatusUpdates,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<JobId, StatusChange>>;

    /// Asks the databases for a sign of life.
    async fn ping(&self, deadline: Deadline) -> DbResult<()>;
}

/// Where the databases are.
#[derive(Debug, Clone)]
pub struct JobDatabases {
    /// JobDB.
    pub job_db: DbUrl,
    /// JobLoggingDB.
    pub job_logging_db: DbUrl,
    /// How many connections to each MySQL database at the most.
    pub connections: u32,
}

/// Opens the store on the databases' kind.
pub async fn open(databases: &JobDatabases) -> Result<Arc<dyn JobStore>> {
    let urls = [("JobDB", databases.job_db.clone()), ("JobLoggingDB", databases.job_logging_db.clone())];
    match DbUrls::new(&urls)? {
        DbUrls::Sqlite(files) => {
            let databases = diracx_db::sqlite::Databases::open(&files)?;
            Ok(Arc::new(sqlite::Store(databases)))
        }
        DbUrls::MySql(schemas) => {
            let databases = diracx_db::mysql::Databases::open(&schemas, databases.connections).await?;
            Ok(Arc::new(mysql::Store(databases)))
        }
    }
}

const SQLITE_JOB_DB: EmbeddedMigrations = embed_migrations!("migrations/sqlite/job_db");
const MYSQL_JOB_DB: EmbeddedMigrations = embed_migrations!("migrations/mysql/job_db");
const SQLITE_JOB_LOGGING_DB: EmbeddedMigrations = embed_migrations!("migrations/sqlite/job_logging_db");
const MYSQL_JOB_LOGGING_DB: EmbeddedMigrations = embed_migrations!("migrations/mysql/job_logging_db");

/// Creates the tables that are missing.
pub async fn migrate(databases: &JobDatabases) -> Result<()> {
    let job_db = Migrations { database: "JobDB", sqlite: || SQLITE_JOB_DB, mysql: || MYSQL_JOB_DB };
    let job_logging_db = Migrations {
        database: "JobLoggingDB",
        sqlite: || SQLITE_JOB_LOGGING_DB,
        mysql: || MYSQL_JOB_LOGGING_DB,
    };
    diracx_db::migrate(&databases.job_db, job_db).await.map_err(Error::from)?;
    diracx_db::migrate(&databases.job_logging_db, job_logging_db).await.map_err(Error::from)
}
