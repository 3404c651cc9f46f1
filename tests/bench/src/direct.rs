//! A database without us: its driver, and statements as they are.

use anyhow::{Context as _, Result};
use diesel::{
    Connection as _, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection as _,
    deserialize,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
    row::{Field as _, NamedRow},
    sql_types::Untyped,
    sqlite::Sqlite,
};
use diracx_db::{
    Bind,
    statement::{BindBackend as _, BulkInsert},
};
use mysql_async::{Value, prelude::Queryable as _};

use crate::{place::Backend, statement::Statement};

/// A connection of one's own.
pub(crate) enum Direct {
    /// To a file, set up as ours are.
    Sqlite(SqliteConnection),
    /// To a server.
    MySql(mysql_async::Conn),
}

impl Direct {
    /// Connects.
    pub(crate) async fn open(backend: Backend, url: &str) -> Result<Self> {
        match backend {
            Backend::Sqlite => {
                let mut conn = SqliteConnection::establish(url)?;
                conn.batch_execute(
                    "PRAGMA busy_timeout = 20000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 268435456;",
                )?;
                Ok(Self::Sqlite(conn))
            }
            Backend::Mariadb => {
                let opts = mysql_async::Opts::from_url(url)?;
                let opts = mysql_async::OptsBuilder::from_opts(opts).stmt_cache_size(200);
                Ok(Self::MySql(mysql_async::Conn::new(opts).await.context("cannot reach MariaDB")?))
            }
        }
    }

    /// Says something without values.
    pub(crate) async fn say(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(sql)?,
            Self::MySql(conn) => conn.query_drop(sql).await?,
        }
        Ok(())
    }

    /// Executes a statement and reads what it answers.
    pub(crate) async fn execute(&mut self, statement: &Statement) -> Result<()> {
        match self {
            Self::Sqlite(conn) if statement.selects() => drop(statement.load::<Anything>(conn)?),
            Self::Sqlite(conn) => drop(conn.execute_returning_count(&statement)?),
            Self::MySql(conn) => {
                let values: Vec<Value> = statement.values.iter().map(value).collect();
                let params = if values.is_empty() {
                    mysql_async::Params::Empty
                } else {
                    mysql_async::Params::Positional(values)
                };
                let _: Vec<mysql_async::Row> = conn.exec(statement.sql.as_str(), params).await?;
            }
        }
        Ok(())
    }

    /// Inserts rows.
    pub(crate) async fn insert(&mut self, insert: &BulkInsert<'_>) -> Result<()> {
        match self {
            Self::Sqlite(conn) => drop(conn.execute_returning_count(insert)?),
            Self::MySql(conn) => {
                let sql = diesel::debug_query::<diesel::mysql::Mysql, _>(insert).to_string();
                let sql = sql.split(" -- binds: ").next().unwrap_or_default();
                let values: Vec<Value> = insert.rows.iter().flatten().map(value).collect();
                conn.exec_drop(sql, values).await?;
            }
        }
        Ok(())
    }

    /// The number that the first row of the last insert got, of so many.
    pub(crate) fn inserted_id(&mut self, count: i64) -> Result<i64> {
        Ok(match self {
            Self::Sqlite(conn) => {
                let last: Last = diesel::sql_query("SELECT last_insert_rowid() AS id").get_result(conn)?;
                last.id - count + 1
            }
            Self::MySql(conn) => i64::try_from(conn.last_insert_id().context("nothing was inserted")?)?,
        })
    }
}

fn value(bind: &Bind) -> Value {
    match bind {
        Bind::Null => Value::NULL,
        Bind::Int(number) => Value::Int(*number),
        Bind::Float(number) => Value::Double(*number),
        Bind::Text(text) => Value::Bytes(text.clone().into_bytes()),
        Bind::Time(time) => Value::from(time.0.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
    }
}

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    id: i64,
}

/// A row of any shape, every value of which is looked at.
struct Anything;

impl QueryableByName<Sqlite> for Anything {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        for index in 0..row.field_count() {
            let field = diesel::row::Row::get(row, index).ok_or("a field is missing")?;
            std::hint::black_box(field.value().map(|mut value| value.read_text().len()));
        }
        Ok(Self)
    }
}

impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for Statement {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut parts = self.sql.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(&self.values) {
            Sqlite::bind(&mut out, value)?;
            out.push_sql(part);
        }
        Ok(())
    }
}

impl Query for Statement {
    type SqlType = Untyped;
}

impl RunQueryDsl<SqliteConnection> for &Statement {}
