//! The MySQL and MariaDB backend.

mod database;

pub use database::{Databases, Tx};
pub use run::{search, summary};

use diesel::mysql::Mysql;
use diesel_async::AsyncMysqlConnection;

/// The diesel backend of this module.
pub type Backend = Mysql;

/// A connection.
pub type Conn = AsyncMysqlConnection;

#[path = "../search/run.rs"]
mod run;

/// The few things that MySQL says differently.
pub mod dialect {
    use diesel::{prelude::*, result::QueryResult, sql_types::BigInt};
    use diesel_async::RunQueryDsl;

    use super::Conn;

    #[derive(QueryableByName)]
    struct LastIds {
        #[diesel(sql_type = BigInt)]
        first: i64,
        #[diesel(sql_type = BigInt)]
        step: i64,
    }

    /// The ids that the `count` rows of the last insert got, in their order.
    ///
    /// A cluster (Galera, replication with several masters) counts in steps.
    pub async fn inserted_ids(conn: &mut Conn, count: usize) -> QueryResult<Vec<i64>> {
        let ids: LastIds = diesel::sql_query(
            "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS first, CAST(@@auto_increment_increment AS SIGNED) AS step",
        )
        .get_result(conn)
        .await?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok((0..count).map(|i| ids.first + i * ids.step).collect())
    }

    /// `locked!(query)`: the rows of this `SELECT` will be changed, so others wait for them.
    pub use crate::mysql_locked as locked;
}

/// See [`dialect::locked`].
#[macro_export]
macro_rules! mysql_locked {
    ($query:expr) => {
        $query.for_update()
    };
}
