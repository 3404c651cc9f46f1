//! What the pilots service keeps, as units of work: each method is one transaction.
//!
//! The contract has a part, and a file, for each kind of work; `sql/` keeps it in DIRAC's tables and in a few of ours.

pub mod change;
pub mod link;
pub mod query;
pub mod registration;
pub mod removal;
pub mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use diracx_db::{DbResult, DbUrl, DbUrls, Deadline, Migrations};

pub use self::{
    change::ChangeStore,
    link::{Link, LinkStore},
    query::{KnownPilot, QueryStore},
    registration::{Call, Made, NewPilot, Registration, RegistrationStore},
    removal::RemovalStore,
};
use crate::error::Result;

mod mysql;
mod sqlite;

/// What is kept of pilots.
#[async_trait]
pub trait PilotStore: RegistrationStore + QueryStore + ChangeStore + LinkStore + RemovalStore {
    /// Asks the database for a sign of life.
    async fn ping(&self, deadline: Deadline) -> DbResult<()>;
}

const NAME: &str = "PilotAgentsDB";

/// Opens the store on the database's kind.
pub async fn open(database: &DbUrl, connections: u32) -> Result<Arc<dyn PilotStore>> {
    match DbUrls::new(&[(NAME, database.clone())])? {
        DbUrls::Sqlite(files) => {
            let databases = diracx_db::sqlite::Databases::open(&files)?;
            Ok(Arc::new(sqlite::Store::new(databases)))
        }
        DbUrls::MySql(schemas) => {
            let databases = diracx_db::mysql::Databases::open(&schemas, connections).await?;
            Ok(Arc::new(mysql::Store::new(databases)))
        }
    }
}

/// Creates the tables that are missing.
pub async fn migrate(database: &DbUrl) -> Result<()> {
    const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
    const MYSQL: EmbeddedMigrations = embed_migrations!("migrations/mysql");
    let migrations = Migrations { database: NAME, sqlite: || SQLITE, mysql: || MYSQL };
    Ok(diracx_db::migrate(database, migrations).await?)
}
