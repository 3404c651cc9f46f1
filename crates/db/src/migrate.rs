//! Bringing tables up to date, from migrations embedded in the binary.
//!
//! Tables that DIRAC or DiracX made are adopted as they are: migrations create what is missing
//! and never alter shared tables.

use diesel::{Connection, SqliteConnection, connection::SimpleConnection, migration::MigrationSource};
use diesel_async::{AsyncMysqlConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use crate::{
    error::{DbError, DbResult},
    url::DbUrl,
};

/// The migrations of one database, for either backend.
#[derive(Clone, Copy)]
pub struct Migrations {
    /// The logical name, `JobDB`.
    pub database: &'static str,
    /// For SQLite.
    pub sqlite: fn() -> EmbeddedMigrations,
    /// For MySQL and MariaDB.
    pub mysql: fn() -> EmbeddedMigrations,
}

/// Creates or updates the tables of a database. Several processes may do so at once.
pub async fn migrate(url: &DbUrl, migrations: Migrations) -> DbResult<()> {
    let url = url.clone();
    tokio::task::spawn_blocking(move || match url {
        DbUrl::Sqlite(path) => sqlite(&path, migrations),
        DbUrl::MySql(url) => mysql(&url, migrations),
    })
    .await
    .unwrap_or(Err(DbError::Panicked))
}

fn unavailable(database: &'static str) -> impl Fn(String) -> DbError {
    move |detail| DbError::Unavailable { database, detail: detail.into() }
}

fn sqlite(path: &std::path::Path, migrations: Migrations) -> DbResult<()> {
    let failed = unavailable(migrations.database);
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| failed(format!("{}: {e}", parent.display())))?;
    }
    // whoever reads this wants to know which file it is
    let broken = |problem: String| failed(format!("{}: {problem}", path.display()));
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).map_err(|e| broken(e.to_string()))?;
    conn.batch_execute(
        "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
    )
    .map_err(|e| broken(e.to_string()))?;
    // One process at a time, and all or nothing.
    conn.exclusive_transaction(|conn| run(conn, (migrations.sqlite)()).map_err(Failed::Migration)).map_err(
        |error| match error {
            Failed::Migration(text) => broken(text),
            Failed::Statement(error) => broken(error.to_string()),
        },
    )
}

fn mysql(url: &str, migrations: Migrations) -> DbResult<()> {
    let failed = unavailable(migrations.database);
    let mut conn =
        AsyncConnectionWrapper::<AsyncMysqlConnection>::establish(url).map_err(|e| failed(e.to_string()))?;
    conn.batch_execute("DO GET_LOCK(CONCAT('diracx-migrations-', DATABASE()), 60)")?;
    let result = run(&mut conn, (migrations.mysql)()).map_err(failed);
    conn.batch_execute("DO RELEASE_LOCK(CONCAT('diracx-migrations-', DATABASE()))")?;
    result
}

fn run<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<(), String>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let applied = conn.run_pending_migrations(migrations).map_err(|e| e.to_string())?;
    for version in applied {
        tracing::info!(%version, "migrated");
    }
    Ok(())
}

enum Failed {
    Migration(String),
    Statement(diesel::result::Error),
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Statement(error)
    }
}
