//! A database of one's own for a test, on either backend.

use std::path::PathBuf;

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use diracx_db::{DbKind, DbUrl};
use tempfile::TempDir;
use uuid::Uuid;

/// A fresh, empty place for databases that vanishes with the value.
pub struct TestDatabase {
    kind: Place,
}

enum Place {
    Sqlite(TempDir),
    MySql { server: String, prefix: String },
}

impl TestDatabase {
    /// SQLite files in a directory of their own.
    ///
    /// # Panics
    /// If there is no room for a temporary directory.
    #[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
    pub fn sqlite() -> Self {
        Self { kind: Place::Sqlite(TempDir::new().expect("a temporary directory")) }
    }

    /// Schemas of their own on the MariaDB server that `DIRACX_TEST_MYSQL_URL` names
    /// (default `mysql://root@127.0.0.1:3306`).
    pub fn mariadb() -> Self {
        let server = std::env::var("DIRACX_TEST_MYSQL_URL")
            .unwrap_or_else(|_| "mysql://root@127.0.0.1:3306".to_owned())
            .trim_end_matches('/')
            .to_owned();
        let prefix = format!("dxt_{}", Uuid::new_v4().simple());
        Self { kind: Place::MySql { server, prefix } }
    }

    /// Which kind it is.
    pub fn kind(&self) -> DbKind {
        match self.kind {
            Place::Sqlite(_) => DbKind::Sqlite,
            Place::MySql { .. } => DbKind::MySql,
        }
    }

    /// The URL of the database with this logical name (`JobDB`), made now if it is not there,
    /// as a DiracX setting has it.
    ///
    /// # Panics
    /// If the server cannot be reached.
    #[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
    pub async fn url_text(&self, name: &str) -> String {
        match &self.kind {
            Place::Sqlite(dir) => {
                let path: PathBuf = dir.path().join(format!("{name}.db"));
                format!("sqlite+aiosqlite:///{}", path.display())
            }
            Place::MySql { server, prefix } => {
                let schema = format!("{prefix}_{name}");
                let mut conn = AsyncMysqlConnection::establish(&format!("{server}/mysql"))
                    .await
                    .expect("a MariaDB server at DIRACX_TEST_MYSQL_URL");
                conn.batch_execute(&format!("CREATE DATABASE IF NOT EXISTS `{schema}`"))
                    .await
                    .expect("the right to create databases");
                format!("mysql+aiomysql://{}/{schema}", server.trim_start_matches("mysql://"))
            }
        }
    }

    /// As [`url_text`](Self::url_text), parsed.
    ///
    /// # Panics
    /// If the server cannot be reached.
    #[expect(clippy::expect_used, reason = "a test without its database cannot go on")]
    pub async fn url(&self, name: &str) -> DbUrl {
        self.url_text(name).await.parse().expect("a URL of our own making")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Place::MySql { server, prefix } = &self.kind else { return };
        let (server, prefix) = (server.clone(), prefix.clone());
        // Dropping happens outside of any runtime's reach, so it gets a thread and a runtime of its own.
        let _ = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                let Ok(mut conn) = AsyncMysqlConnection::establish(&format!("{server}/mysql")).await else {
                    return;
                };
                for name in DATABASES {
                    let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS `{prefix}_{name}`")).await;
                }
            });
        })
        .join();
    }
}

/// The logical names of DIRAC's databases, and one for tests of the database layer itself.
const DATABASES: &[&str] = &[
    "AuthDB",
    "JobDB",
    "JobLoggingDB",
    "PilotAgentsDB",
    "ResourceStatusDB",
    "SandboxMetadataDB",
    "TaskDB",
    "TaskQueueDB",
    "TestDB",
    "OtherTestDB",
];

/// Makes two tests of one body: one with a SQLite database, one with MariaDB.
///
/// ```ignore
/// on_both_backends! {
///     async fn a_job_is_found_again(db: TestDatabase) { … }
/// }
/// ```
#[macro_export]
macro_rules! on_both_backends {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDatabase) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($db: $crate::database::TestDatabase) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                body($crate::database::TestDatabase::sqlite()).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn mariadb() {
                body($crate::database::TestDatabase::mariadb()).await;
            }
        }
    )+};
}
