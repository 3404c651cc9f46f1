//! A look into the databases behind a service's back.

#![expect(clippy::unwrap_used, reason = "a test whose database fails cannot go on")]

use std::time::Duration;

use diesel::{connection::SimpleConnection as _, prelude::*, sql_types::Text};
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, SimpleAsyncConnection as _};
use diracx_db::DbUrl;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    cell: String,
}

/// The texts that a query finds in its one column, which is called `cell`.
pub async fn cells(db: &DbUrl, sql: &str) -> Vec<String> {
    let rows: Vec<Row> = match db {
        DbUrl::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
            diesel::sql_query(sql).load(&mut conn).unwrap()
        }
        DbUrl::MySql(url) => {
            let mut conn = AsyncMysqlConnection::establish(url).await.unwrap();
            diesel_async::RunQueryDsl::load(diesel::sql_query(sql), &mut conn).await.unwrap()
        }
    };
    rows.into_iter().map(|row| row.cell).collect()
}

/// How many rows of a table fit a condition.
pub async fn count(db: &DbUrl, table: &str, condition: &str) -> u32 {
    let sql = format!("SELECT CAST(COUNT(*) AS CHAR(20)) AS cell FROM {table} WHERE {condition}");
    cells(db, &sql).await[0].parse().unwrap()
}

/// Runs statements.
pub async fn execute(db: &DbUrl, statements: &str) {
    match db {
        DbUrl::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
            conn.batch_execute(statements).unwrap();
        }
        DbUrl::MySql(url) => {
            let mut conn = AsyncMysqlConnection::establish(url).await.unwrap();
            conn.batch_execute(statements).await.unwrap();
        }
    }
}

/// Another client of a MariaDB.
pub async fn connection(db: &DbUrl) -> AsyncMysqlConnection {
    let DbUrl::MySql(url) = db else { panic!("another database") };
    AsyncMysqlConnection::establish(url).await.unwrap()
}

/// Returns once a statement about this table of a MariaDB waits for somebody's lock.
pub async fn waits_for_lock(db: &DbUrl, table: &str) {
    let waiting = format!("trx_state = 'LOCK WAIT' AND trx_query LIKE '%{table}%'");
    let waits = async {
        while count(db, "information_schema.INNODB_TRX", &waiting).await == 0 {
            // The server shows the same again to who asks sooner.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.unwrap();
}
