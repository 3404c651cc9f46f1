//! Connections to a server, kept open, and which of its databases each of them speaks to.

use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult, QueryResult, connection::TransactionManagerStatus};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection, TransactionManager,
};
use tokio::time::timeout;

use crate::error::{DbError, DbResult};

/// The connections to one server.
pub(super) type Pool = bb8::Pool<Server>;

/// A connection, until it is dropped.
pub(super) type Lent = bb8::PooledConnection<'static, Server>;

/// How long making or getting a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A server, with the user that we are there.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The URL of the first database that was found there: not everybody may connect to none.
    url: String,
    /// Its schema.
    schema: String,
}

impl Server {
    /// The server of a URL, and the schema that it names there.
    pub(super) fn of(url: &str) -> (Self, String) {
        let (_, schema) = split(url);
        let schema = schema.to_owned();
        (Self { url: url.to_owned(), schema: schema.clone() }, schema)
    }

    /// Prepares its pool. `name` is that of a database for messages.
    pub(super) async fn pool(&self, name: &'static str, connections: u32) -> DbResult<Pool> {
        Pool::builder()
            .max_size(connections.max(1))
            .min_idle(Some(0))
            .connection_timeout(CONNECT_TIMEOUT)
            .build(self.clone())
            .await
            .map_err(|e| DbError::Unavailable { database: name, detail: e.to_string().into() })
    }
}

/// Servers are the same if their URLs differ by the schema only.
impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        split(&self.url).0 == split(&other.url).0
    }
}

/// A URL without its schema, and the schema.
fn split(url: &str) -> ((&str, &str), &str) {
    let (place, options) = url.split_at(url.find('?').unwrap_or(url.len()));
    let (server, schema) = place.rsplit_once('/').unwrap_or((place, ""));
    ((server, options), schema)
}

/// A connection that is open.
pub(super) struct Open {
    pub(super) conn: AsyncMysqlConnection,
    /// Where its statements go.
    schema: String,
}

impl Open {
    /// Has the next statements go to this schema.
    pub(super) async fn turn_to(&mut self, schema: &str) -> QueryResult<()> {
        if self.schema != schema {
            self.conn.batch_execute(&format!("USE `{}`", schema.replace('`', "``"))).await?;
            schema.clone_into(&mut self.schema);
        }
        Ok(())
    }

    /// Has the pool close the connection once it gets it back.
    pub(super) fn forsake(&mut self) {
        *AnsiTransactionManager::transaction_manager_status_mut(&mut self.conn) =
            TransactionManagerStatus::InError;
    }
}

impl bb8::ManageConnection for Server {
    type Connection = Open;
    type Error = ConnectionError;

    async fn connect(&self) -> ConnectionResult<Open> {
        // The pool itself waits for ever, and an attempt takes the place of a connection.
        let connected = timeout(CONNECT_TIMEOUT, AsyncMysqlConnection::establish(&self.url)).await;
        let silent = || ConnectionError::BadConnection("the server is silent".to_owned());
        let conn = connected.unwrap_or_else(|_| Err(silent()))?;
        Ok(Open { conn, schema: self.schema.clone() })
    }

    /// A round trip per use is too much: dead connections show themselves, and units are run again.
    async fn is_valid(&self, _: &mut Open) -> ConnectionResult<()> {
        Ok(())
    }

    fn has_broken(&self, open: &mut Open) -> bool {
        std::thread::panicking() || AnsiTransactionManager::is_broken_transaction_manager(&mut open.conn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_one_server_and_user_share_connections() {
        let (jobs, schema) = Server::of("mysql://dirac:a/b@db:3306/JobDB?prefer_socket=false");
        assert_eq!(schema, "JobDB");
        let (logging, schema) = Server::of("mysql://dirac:a/b@db:3306/JobLoggingDB?prefer_socket=false");
        assert_eq!(schema, "JobLoggingDB");
        assert_eq!(jobs, logging);
        assert_ne!(jobs, Server::of("mysql://other@db:3306/JobDB?prefer_socket=false").0);
        assert_ne!(jobs, Server::of("mysql://dirac:a/b@db2:3306/JobDB?prefer_socket=false").0);
    }
}
