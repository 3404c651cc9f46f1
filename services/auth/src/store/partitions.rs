//! The monthly partitions of `RefreshTokens`, on MySQL and MariaDB.
//!
//! One process at a time works on them. Statements that change a table commit at once there, so each of them
//! leaves a table that is whole, and the next run goes on from what it finds.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use diracx_db::{DbError, DbResult, mysql::Conn};

use super::{
    DATABASE, Partitions,
    partition_plan::{Partition, at_first, plan},
};

/// Nobody else works on the partitions of this schema while it is held; it ends with the connection. Whoever is
/// there does so in moments or for minutes, so that waiting for long is of no use.
const LOCK: &str = "SELECT CAST(GET_LOCK(CONCAT('diracx-partitions-', DATABASE()), 2) AS SIGNED) AS taken";
const UNLOCK: &str = "DO RELEASE_LOCK(CONCAT('diracx-partitions-', DATABASE()))";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    below: Option<String>,
}

/// What `GET_LOCK` says: 1 if it is ours, 0 if somebody has it, and nothing if it failed.
#[derive(QueryableByName)]
struct Lock {
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    taken: Option<i64>,
}

#[derive(QueryableByName)]
struct Empty {
    #[diesel(sql_type = sql_types::BigInt)]
    rows: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    now: i64,
}

async fn lock(conn: &mut Conn) -> DbResult<()> {
    let lock: Lock = diesel::sql_query(LOCK).get_result(conn).await?;
    if lock.taken == Some(1) {
        return Ok(());
    }
    let detail = "another process works on the partitions of RefreshTokens".to_owned();
    Err(DbError::Unavailable { database: DATABASE, detail: detail.into() })
}

/// Divides the table by months if it is empty. One with rows is left as it is: dividing it may take long.
pub(super) async fn prepare(conn: &mut Conn) -> DbResult<()> {
    lock(conn).await?;
    let result = prepare_locked(conn).await;
    conn.batch_execute(UNLOCK).await?;
    result
}

async fn prepare_locked(conn: &mut Conn) -> DbResult<()> {
    if existing(conn).await?.is_some() {
        return Ok(());
    }
    let state: Empty = diesel::sql_query(
        "SELECT CAST(EXISTS (SELECT 1 FROM RefreshTokens) AS SIGNED) AS `rows`, \
         CAST(UNIX_TIMESTAMP() AS SIGNED) AS now",
    )
    .get_result(conn)
    .await?;
    let partitions = at_first(DateTime::from_timestamp(state.now, 0).unwrap_or_default());
    let statement = format!(
        "ALTER TABLE `RefreshTokens` PARTITION BY RANGE COLUMNS (`JTI`) ({})",
        definitions(&partitions)
    );
    if state.rows > 0 {
        tracing::warn!(
            "RefreshTokens has rows and no partitions; when there is time for it, run: {statement}"
        );
        return Ok(());
    }
    conn.batch_execute(&statement).await?;
    tracing::info!("RefreshTokens is divided by months");
    Ok(())
}

/// Makes the partitions of coming months and drops the old ones. `None` if the table has none.
pub(super) async fn maintain(
    conn: &mut Conn,
    now: DateTime<Utc>,
    horizon: DateTime<Utc>,
) -> DbResult<Option<Partitions>> {
    lock(conn).await?;
    let result = maintain_locked(conn, now, horizon).await;
    conn.batch_execute(UNLOCK).await?;
    result
}

async fn maintain_locked(
    conn: &mut Conn,
    now: DateTime<Utc>,
    horizon: DateTime<Utc>,
) -> DbResult<Option<Partitions>> {
    let Some(existing) = existing(conn).await? else { return Ok(None) };
    let plan = plan(&existing, now, horizon);
    if !plan.add.is_empty() {
        let mut new = plan.add.clone();
        let rest = existing.iter().find(|partition| partition.below.is_none());
        new.extend(rest.cloned());
        let what = match rest {
            Some(rest) => format!("REORGANIZE PARTITION {} INTO", quoted(&rest.name)),
            None => "ADD PARTITION".to_owned(),
        };
        conn.batch_execute(&format!("ALTER TABLE `RefreshTokens` {what} ({})", definitions(&new))).await?;
    }
    if !plan.drop.is_empty() {
        let names: Vec<String> = plan.drop.iter().map(|name| quoted(name)).collect();
        conn.batch_execute(&format!("ALTER TABLE `RefreshTokens` DROP PARTITION {}", names.join(", ")))
            .await?;
    }
    let added = plan.add.into_iter().map(|partition| partition.name).collect();
    Ok(Some(Partitions { added, removed: plan.drop }))
}

/// The partitions of the table in this schema; `None` if it has none.
async fn existing(conn: &mut Conn) -> DbResult<Option<Vec<Partition>>> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT PARTITION_NAME AS name, PARTITION_DESCRIPTION AS below FROM information_schema.PARTITIONS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'RefreshTokens' ORDER BY PARTITION_ORDINAL_POSITION",
    )
    .get_results(conn)
    .await?;
    let partitions: Vec<Partition> = rows
        .into_iter()
        .filter_map(|row| {
            let below = row.below.filter(|below| below != "MAXVALUE");
            Some(Partition { name: row.name?, below: below.map(|below| below.trim_matches('\'').to_owned()) })
        })
        .collect();
    Ok(Some(partitions).filter(|partitions| !partitions.is_empty()))
}

fn definitions(partitions: &[Partition]) -> String {
    let definition = |partition: &Partition| match &partition.below {
        // hexadecimal digits of our own making
        Some(below) => format!("PARTITION {} VALUES LESS THAN ('{below}')", quoted(&partition.name)),
        None => format!("PARTITION {} VALUES LESS THAN (MAXVALUE)", quoted(&partition.name)),
    };
    partitions.iter().map(definition).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
