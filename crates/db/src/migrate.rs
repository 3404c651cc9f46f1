//! Bringing tables up to date, from migrations embedded in the binary.
//!
//! Tables that DIRAC or DiracX made are adopted as they are: migrations create what is missing
//! and never alter shared tables.

use std::time::Duration;

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    migration::MigrationSource, sql_query, sql_types,
};
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

/// How long a process waits for another one that migrates the same database.
const PATIENCE: Duration = Duration::from_secs(60);

/// Creates or updates the tables of a database. Several processes may do so at once: one works, the others wait.
///
/// # Errors
/// If a migration fails, or if another process is at it for longer than a minute.
pub async fn migrate(url: &DbUrl, migrations: Migrations) -> DbResult<()> {
    migrate_within(url, migrations, PATIENCE).await
}

/// As [`migrate`], but waits so long for another process, in whole seconds on MySQL.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_within(url: &DbUrl, migrations: Migrations, patience: Duration) -> DbResult<()> {
    let url = url.clone();
    tokio::task::spawn_blocking(move || match url {
        DbUrl::Sqlite(path) => sqlite(&path, migrations, patience),
        DbUrl::MySql(url) => mysql(&url, migrations, patience),
    })
    .await
    .unwrap_or(Err(DbError::Panicked))
}

fn unavailable(database: &'static str) -> impl Fn(String) -> DbError {
    move |detail| DbError::Unavailable { database, detail: detail.into() }
}

fn sqlite(path: &std::path::Path, migrations: Migrations, patience: Duration) -> DbResult<()> {
    let failed = unavailable(migrations.database);
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| failed(format!("{}: {e}", parent.display())))?;
    }
    // whoever reads this wants to know which file it is
    let broken = |problem: String| failed(format!("{}: {problem}", path.display()));
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).map_err(|e| broken(e.to_string()))?;
    let patience_ms = patience.as_millis();
    let settings = format!(
        "PRAGMA busy_timeout = {patience_ms}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    );
    conn.batch_execute(&settings).map_err(|e| broken(e.to_string()))?;
    // One process at a time, and all or nothing.
    conn.exclusive_transaction(|conn| run(conn, (migrations.sqlite)()).map_err(Failed::Migration)).map_err(
        |error| match error {
            Failed::Migration(text) => broken(text),
            Failed::Statement(error) => broken(error.to_string()),
        },
    )
}

/// What `GET_LOCK` says: 1 if it is ours, 0 if somebody has it, and nothing if it failed.
#[derive(QueryableByName)]
struct Lock {
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    taken: Option<i64>,
}

fn mysql(url: &str, migrations: Migrations, patience: Duration) -> DbResult<()> {
    let failed = unavailable(migrations.database);
    let mut conn =
        AsyncConnectionWrapper::<AsyncMysqlConnection>::establish(url).map_err(|e| failed(e.to_string()))?;
    let patience_seconds = patience.as_secs();
    let lock = format!(
        "SELECT CAST(GET_LOCK(CONCAT('diracx-migrations-', DATABASE()), {patience_seconds}) AS SIGNED) AS taken"
    );
    let lock: Lock = sql_query(lock).get_result(&mut conn)?;
    if lock.taken != Some(1) {
        return Err(failed(format!("another process has been migrating for {patience_seconds} s")));
    }
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
