//! What the resource status service keeps: `ResourceStatusDB`, DIRAC's tables and two of our own.
//!
//! The tables have a row for each element, some thousands at the most, and changes are rare. So reading means reading
//! all of them, and a change is decided over all of them, locked.

mod schema;

/// The store on MySQL and MariaDB.
mod mysql;
/// The store on SQLite.
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use diracx_db::{DbResult, DbUrl, DbUrls, Deadline, Migrations};

use crate::{
    error::Result,
    logic::{
        due::Applied,
        history::{Past, Record},
        plan::{Changes, Entry, Refusal},
    },
    model::Kept,
};

/// The logical name of the database, in settings and messages.
pub const DATABASE: &str = "ResourceStatusDB";

/// How to make or adopt the tables.
pub const MIGRATIONS: Migrations =
    Migrations { database: DATABASE, sqlite: sqlite_migrations, mysql: mysql_migrations };

fn sqlite_migrations() -> EmbeddedMigrations {
    const EMBEDDED: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
    EMBEDDED
}

fn mysql_migrations() -> EmbeddedMigrations {
    const EMBEDDED: EmbeddedMigrations = embed_migrations!("migrations/mysql");
    EMBEDDED
}

/// What to change, and what to tell about it.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    /// What is written.
    pub changes: Changes,
    /// What became of each update.
    pub outcomes: Vec<Result<Vec<Entry>, Refusal>>,
    /// What was put into effect.
    pub applied: Applied,
}

/// Decides over what is kept. It may be asked again if another transaction was in the way.
pub type Decide = Arc<dyn Fn(Kept) -> Decided + Send + Sync>;

/// What is kept of elements. Each method is one transaction.
#[async_trait]
pub trait StatusStore: Send + Sync {
    /// Asks the database for a sign of life.
    async fn ping(&self, deadline: Deadline) -> DbResult<()>;
    /// Everything but the past, of one moment.
    async fn everything(&self, deadline: Deadline) -> Result<Kept>;
    /// Writes what is decided over everything. Nobody else changes anything meanwhile.
    async fn change(&self, deadline: Deadline, decide: Decide) -> Result<Decided>;
    /// Records of the past, newest first.
    async fn history(&self, deadline: Deadline, past: Past) -> Result<Vec<Record>>;
}

/// Opens the database; `connections` at the most, on MySQL.
pub async fn open(url: &DbUrl, connections: u32) -> Result<Arc<dyn StatusStore>> {
    match DbUrls::new(&[(DATABASE, url.clone())])? {
        DbUrls::Sqlite(files) => Ok(Arc::new(sqlite::Store(diracx_db::sqlite::Databases::open(&files)?))),
        DbUrls::MySql(schemas) => {
            let databases = diracx_db::mysql::Databases::open(&schemas, connections).await?;
            Ok(Arc::new(mysql::Store(databases)))
        }
    }
}

/// Creates the tables that are missing.
pub async fn migrate(url: &DbUrl) -> Result<()> {
    Ok(diracx_db::migrate(url, MIGRATIONS).await?)
}
