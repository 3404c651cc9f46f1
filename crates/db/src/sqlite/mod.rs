//! The SQLite backend: files of ours, one thread that writes, a few that read.
//!
//! The query code is the same asynchronous diesel source that runs on MySQL. Here its connection
//! does the work on the spot, so that its futures are ready at once, and a unit of work runs to
//! its end in one go on the writer's or a reader's thread. docs/adr/0001 tells how this was chosen.

mod database;
mod functions;
mod thread;

pub use database::{Databases, Tx};
pub use run::{search, summary};

use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures::future::{BoxFuture, FutureExt, ready};

/// The diesel backend of this module.
pub type Backend = Sqlite;

/// A connection whose futures are ready when they are returned.
pub type Conn = SyncConnectionWrapper<SqliteConnection, OnTheSpot>;

/// Runs "blocking" work where it is: our threads are made for it.
#[derive(Debug, Clone, Copy)]
pub struct OnTheSpot;

impl SpawnBlocking for OnTheSpot {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn std::error::Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        ready(Ok(task())).boxed()
    }

    fn get_runtime() -> Self {
        Self
    }
}

#[path = "../search/run.rs"]
mod run;

/// The few things that SQLite says differently.
pub mod dialect {
    use diesel::{
        query_builder::{AstPass, Query, QueryFragment, QueryId},
        result::QueryResult,
        sql_types::BigInt,
    };
    use diesel_async::RunQueryDsl;

    use super::{Backend, Conn};

    /// The id of the last row. Not a `sql_query`: that is prepared anew each time.
    #[derive(QueryId)]
    struct LastId;

    impl Query for LastId {
        type SqlType = BigInt;
    }

    impl QueryFragment<Backend> for LastId {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
            out.push_sql("SELECT last_insert_rowid()");
            Ok(())
        }
    }

    /// The ids that the `count` rows of the last insert got, in their order.
    ///
    /// Nobody else writes meanwhile, so they are contiguous.
    pub async fn inserted_ids(conn: &mut Conn, count: usize) -> QueryResult<Vec<i64>> {
        let last: i64 = LastId.get_result(conn).await?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok((last - count + 1..=last).collect())
    }

    /// Whether numbers that rows got are given again when the rows are not committed after all.
    pub const NUMBERS_COME_AGAIN: bool = true;

    /// By how much the keys of a table count.
    #[expect(clippy::unused_async, reason = "MySQL is asked")]
    pub async fn counting_step(_: &mut Conn) -> QueryResult<i64> {
        Ok(1)
    }

    /// The next statement also sees what is not committed yet: here nobody sees that but the writer itself.
    #[expect(clippy::unused_async, reason = "MySQL is told")]
    pub async fn see_uncommitted(_: &mut Conn) -> QueryResult<()> {
        Ok(())
    }

    /// All statements of the next transaction see one moment: here they always do.
    #[expect(clippy::unused_async, reason = "MySQL is told")]
    pub async fn see_one_moment(_: &mut Conn) -> QueryResult<()> {
        Ok(())
    }

    /// `locked!(query)`: the rows of this `SELECT` will be changed; here the writer is alone anyway.
    pub use crate::sqlite_locked as locked;
}

/// See [`dialect::locked`].
#[macro_export]
macro_rules! sqlite_locked {
    ($query:expr) => {
        $query
    };
}
