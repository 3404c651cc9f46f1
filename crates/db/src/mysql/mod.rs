//! The MySQL and MariaDB backend.

mod database;
mod running;

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
    use diesel::{
        query_builder::{AstPass, Query, QueryFragment, QueryId},
        result::QueryResult,
        sql_types::BigInt,
    };
    use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

    use super::{Backend, Conn};

    /// The first id of the last insert, and the step to the next. Not a `sql_query`: that is prepared anew each
    /// time.
    #[derive(QueryId)]
    struct LastIds;

    impl Query for LastIds {
        type SqlType = (BigInt, BigInt);
    }

    impl QueryFragment<Backend> for LastIds {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
            out.push_sql(
                "SELECT CAST(LAST_INSERT_ID() AS SIGNED), CAST(@@auto_increment_increment AS SIGNED)",
            );
            Ok(())
        }
    }

    /// The ids that the `count` rows of the last insert got, in their order.
    ///
    /// A cluster (Galera, replication with several masters) counts in steps.
    pub async fn inserted_ids(conn: &mut Conn, count: usize) -> QueryResult<Vec<i64>> {
        let (first, step): (i64, i64) = LastIds.get_result(conn).await?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok((0..count).map(|i| first + i * step).collect())
    }

    /// Whether numbers that rows got are given again when the rows are not committed after all.
    pub const NUMBERS_COME_AGAIN: bool = false;

    /// By how much `AUTO_INCREMENT` counts: more than 1 where several servers give numbers to one table.
    pub async fn counting_step(conn: &mut Conn) -> QueryResult<i64> {
        let (_, step): (i64, i64) = LastIds.get_result(conn).await?;
        Ok(step)
    }

    /// The next statement outside of a transaction also sees what is not committed yet.
    pub async fn see_uncommitted(conn: &mut Conn) -> QueryResult<()> {
        conn.batch_execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").await
    }

    /// All statements of the next transaction see one moment, whatever the server's default is.
    pub async fn see_one_moment(conn: &mut Conn) -> QueryResult<()> {
        conn.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await
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
