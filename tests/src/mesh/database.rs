//! The databases of a mesh, and a look into them behind its back.

use anyhow::{Context as _, Result, ensure};
use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, SimpleAsyncConnection as _};
use diracx_testkit::database::TestDatabase;

use crate::tokens::data;

/// The databases that are served so far, by DIRAC's names.
const NAMES: &[&str] = &[
    "AuthDB",
    "JobDB",
    "JobLoggingDB",
    "PilotAgentsDB",
    "ResourceStatusDB",
    "SandboxMetadataDB",
    "TaskQueueDB",
];

/// The kind of database a mesh runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Files.
    Sqlite,
    /// The server that `DIRACX_TEST_MYSQL_URL` names.
    MariaDb,
}

/// The databases of one mesh, dropped with it.
pub struct Database {
    store: Store,
    urls: TestDatabase,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Database {
    /// Fresh and empty ones.
    pub fn create(store: Store) -> Self {
        let urls = match store {
            Store::Sqlite => TestDatabase::sqlite(),
            Store::MariaDb => TestDatabase::mariadb(),
        };
        Self { store, urls }
    }

    /// Their addresses, as settings.
    pub async fn environment(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        for name in NAMES {
            settings.push((format!("DIRACX_DB_URL_{}", name.to_uppercase()), self.urls.url_text(name).await));
        }
        settings
    }

    /// Runs statements in one of them.
    ///
    /// # Errors
    /// If one fails.
    pub async fn execute(&self, name: &str, statements: &str) -> Result<()> {
        match self.store {
            Store::Sqlite => self.sqlite(name).await?.batch_execute(statements)?,
            Store::MariaDb => self.mariadb(name).await?.batch_execute(statements).await?,
        }
        Ok(())
    }

    /// Stores the rows of the recordings that no request can make, in one of the databases.
    ///
    /// # Errors
    /// If the file is not there, or its rows do not fit.
    pub async fn seed(&self, name: &str) -> Result<()> {
        self.load("seed.sql", name).await
    }

    /// Runs what a file of `data/` has for one of the databases, behind a line `-- db: NAME`.
    ///
    /// # Errors
    /// If the file is not there, or a statement fails.
    pub async fn load(&self, file: &str, name: &str) -> Result<()> {
        let text = std::fs::read_to_string(data(file)).context(file.to_owned())?;
        let mut current = "";
        let mut statements = String::new();
        for line in text.lines() {
            match line.strip_prefix("-- db: ") {
                Some(database) => current = database,
                None if current == name && !line.starts_with("--") => {
                    statements.push_str(line);
                    statements.push('\n');
                }
                None => {}
            }
        }
        ensure!(!statements.is_empty(), "{file} has nothing for {name}");
        self.execute(name, &statements).await
    }

    /// Runs a query whose one column is called `number`.
    ///
    /// # Errors
    /// If it fails.
    pub async fn numbers(&self, name: &str, query: &str) -> Result<Vec<i64>> {
        let rows: Vec<Number> = match self.store {
            Store::Sqlite => sql_query(query).load(&mut self.sqlite(name).await?)?,
            Store::MariaDb => {
                diesel_async::RunQueryDsl::load(sql_query(query), &mut self.mariadb(name).await?).await?
            }
        };
        Ok(rows.into_iter().map(|row| row.number).collect())
    }

    /// Runs a query whose one column is called `text`.
    ///
    /// # Errors
    /// If it fails.
    pub async fn texts(&self, name: &str, query: &str) -> Result<Vec<String>> {
        let rows: Vec<Line> = match self.store {
            Store::Sqlite => sql_query(query).load(&mut self.sqlite(name).await?)?,
            Store::MariaDb => {
                diesel_async::RunQueryDsl::load(sql_query(query), &mut self.mariadb(name).await?).await?
            }
        };
        Ok(rows.into_iter().map(|row| row.text).collect())
    }

    async fn sqlite(&self, name: &str) -> Result<SqliteConnection> {
        let url = self.urls.url_text(name).await;
        let path = url.strip_prefix("sqlite+aiosqlite:///").context("not a SQLite URL")?;
        let mut connection = SqliteConnection::establish(path)?;
        connection.batch_execute("PRAGMA busy_timeout = 10000")?;
        Ok(connection)
    }

    async fn mariadb(&self, name: &str) -> Result<AsyncMysqlConnection> {
        let url = self.urls.url_text(name).await.replace("mysql+aiomysql://", "mysql://");
        Ok(AsyncMysqlConnection::establish(&url).await?)
    }
}
