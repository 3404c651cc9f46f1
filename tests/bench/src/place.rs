//! Where the databases of a run are, and that nothing of them stays.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use diracx_db::DbUrl;
use mysql_async::prelude::Queryable as _;

/// The databases that a server is told of, by the end of the setting's name.
const DATABASES: &[&str] = &[
    "AUTHDB",
    "JOBDB",
    "JOBLOGGINGDB",
    "TASKQUEUEDB",
    "SANDBOXMETADATADB",
    "PILOTAGENTSDB",
    "RESOURCESTATUSDB",
];

/// Which kind of database serves a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Backend {
    /// Files.
    Sqlite,
    /// A MariaDB server.
    Mariadb,
}

impl Backend {
    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Mariadb => "MariaDB",
        }
    }
}

/// Fresh databases.
pub(crate) struct Place {
    /// Which kind they are.
    pub(crate) backend: Backend,
    data: PathBuf,
    /// The server, and what the names of our schemas begin with.
    mysql: Option<(String, String)>,
}

impl Place {
    /// Makes them; `mysql` is the URL of a server whose user may make schemas.
    pub(crate) async fn make(backend: Backend, directory: &Path, mysql: &str) -> Result<Self> {
        let data = directory.join(backend.name());
        if backend == Backend::Sqlite {
            return Ok(Self { backend, data, mysql: None });
        }
        let server = mysql.trim_end_matches('/').to_owned();
        let prefix = format!("diracx_bench_{}", std::process::id());
        let place = Self { backend, data, mysql: Some((server, prefix)) };
        place.for_each_schema("CREATE DATABASE").await?;
        Ok(place)
    }

    async fn for_each_schema(&self, verb: &str) -> Result<()> {
        let Some((server, prefix)) = &self.mysql else { return Ok(()) };
        let url = format!("{server}?prefer_socket=false");
        let mut conn = mysql_async::Conn::from_url(url).await.context("cannot reach MariaDB")?;
        for name in DATABASES {
            conn.query_drop(format!("{verb} `{prefix}_{name}`")).await?;
        }
        conn.disconnect().await?;
        Ok(())
    }

    /// Removes what is not a file; files go with their directory.
    pub(crate) async fn remove(self) -> Result<()> {
        self.for_each_schema("DROP DATABASE IF EXISTS").await
    }

    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What a server is told of them.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut environment =
            vec![("DIRACX_SERVICE_JOBS_MAX_JOBS_PER_SUBMISSION".to_owned(), "1000".to_owned())];
        if let Some((server, prefix)) = &self.mysql {
            let server = server.trim_start_matches("mysql://");
            environment.extend(DATABASES.iter().map(|name| {
                (format!("DIRACX_DB_URL_{name}"), format!("mysql+aiomysql://{server}/{prefix}_{name}"))
            }));
        }
        environment
    }

    /// The URL of a database as its driver reads it: a path, or `mysql://…`.
    pub(crate) fn url(&self, name: &str) -> Result<String> {
        let Some((server, prefix)) = &self.mysql else {
            let file = if name == "AUTHDB" { "auth.db" } else { "jobs.db" };
            return Ok(self.data.join(file).display().to_string());
        };
        match format!("{server}/{prefix}_{name}").parse()? {
            DbUrl::MySql(url) => Ok(url),
            DbUrl::Sqlite(path) => Ok(path.display().to_string()),
        }
    }

    /// The port of the MariaDB server, if there is one.
    pub(crate) fn mysql_port(&self) -> Option<u16> {
        let (server, _) = self.mysql.as_ref()?;
        let host = server.rsplit(['@', '/']).next()?;
        Some(host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(3306))
    }
}
