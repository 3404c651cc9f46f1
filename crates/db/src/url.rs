//! Database URLs as DiracX writes them: SQLAlchemy's, with an explicit driver that we accept and ignore.

use std::{fmt, path::PathBuf, str::FromStr};

/// Which kind of database a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DbKind {
    /// A file of ours.
    Sqlite,
    /// A MySQL or MariaDB server.
    MySql,
}

/// Where a database is. `Debug` and `Display` leave out the password.
#[derive(Clone, PartialEq, Eq)]
pub enum DbUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A schema on a server; the text is what the MySQL driver reads.
    MySql(String),
}

/// A text that is no database URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbUrlError {
    /// Another kind of database.
    #[error(
        "the scheme {0:?} is not supported; use sqlite+aiosqlite:///path or mysql+aiomysql://user:password@host:3306/schema"
    )]
    Scheme(String),
    /// A database that vanishes with the process.
    #[error("in-memory SQLite is not supported; name a file, sqlite+aiosqlite:///path")]
    InMemory,
    /// Something is missing.
    #[error("{0}")]
    Incomplete(&'static str),
    /// An encrypted connection was asked for. To ignore that would be to send passwords in the clear.
    #[error(
        "{0} asks for TLS, which connections to MySQL do not support yet; leave it out only on a network you trust"
    )]
    Tls(String),
}

/// The driver would ask the server where its socket is and go on over a socket of that name on this machine: that
/// may be another server's.
const OVER_TCP: &str = "?prefer_socket=false";

impl DbUrl {
    /// Which kind it is.
    pub fn kind(&self) -> DbKind {
        match self {
            Self::Sqlite(_) => DbKind::Sqlite,
            Self::MySql(_) => DbKind::MySql,
        }
    }
}

impl FromStr for DbUrl {
    type Err = DbUrlError;

    fn from_str(text: &str) -> Result<Self, DbUrlError> {
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| DbUrlError::Scheme(text.chars().take(40).collect()))?;
        let dialect = scheme.split('+').next().unwrap_or_default();
        match dialect {
            "sqlite" => {
                // SQLAlchemy: three slashes and a relative path, or four and an absolute one.
                let path = rest.strip_prefix('/').ok_or(DbUrlError::Incomplete(
                    "a SQLite URL has three slashes: sqlite+aiosqlite:///path",
                ))?;
                let path = path.split('?').next().unwrap_or_default();
                match path {
                    "" | ":memory:" => Err(DbUrlError::InMemory),
                    path => Ok(Self::Sqlite(PathBuf::from(path))),
                }
            }
            "mysql" | "mariadb" => {
                let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
                let mut options = query.split('&').filter_map(|option| option.split('=').next());
                if let Some(option) = options.find(|name| name.starts_with("ssl") || name.contains("tls")) {
                    return Err(DbUrlError::Tls(option.to_owned()));
                }
                let (host, schema) = before_query.rsplit_once('/').ok_or(DbUrlError::Incomplete(
                    "a MySQL URL names a schema: mysql+aiomysql://user:password@host:3306/schema",
                ))?;
                if schema.is_empty() {
                    return Err(DbUrlError::Incomplete(
                        "a MySQL URL names a schema: mysql+aiomysql://user:password@host:3306/schema",
                    ));
                }
                if host.is_empty() || host.ends_with('@') {
                    return Err(DbUrlError::Incomplete(
                        "a MySQL URL names a host: mysql+aiomysql://user:password@host:3306/schema",
                    ));
                }
                Ok(Self::MySql(format!("mysql://{before_query}{OVER_TCP}")))
            }
            other => Err(DbUrlError::Scheme(other.to_owned())),
        }
    }
}

impl fmt::Display for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:///{}", path.display()),
            Self::MySql(url) => {
                let rest = url.strip_prefix("mysql://").unwrap_or(url);
                let rest = rest.strip_suffix(OVER_TCP).unwrap_or(rest);
                match rest.rsplit_once('@') {
                    Some((user, host)) => {
                        let user = user.split(':').next().unwrap_or_default();
                        write!(f, "mysql://{user}:***@{host}")
                    }
                    None => write!(f, "mysql://{rest}"),
                }
            }
        }
    }
}

impl fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The databases of a service, sorted out: they are all of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbUrls {
    /// Files, in the given order.
    Sqlite(Vec<(&'static str, PathBuf)>),
    /// Schemas on servers, in the given order.
    MySql(Vec<(&'static str, String)>),
}

/// Databases of different kinds cannot share a unit of work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be of one kind, all SQLite or all MySQL")]
pub struct MixedKinds(String);

impl DbUrls {
    /// Sorts out the databases of a service, given by logical name.
    pub fn new(urls: &[(&'static str, DbUrl)]) -> Result<Self, MixedKinds> {
        let sqlite: Vec<_> = urls
            .iter()
            .filter_map(|(name, url)| match url {
                DbUrl::Sqlite(path) => Some((*name, path.clone())),
                DbUrl::MySql(_) => None,
            })
            .collect();
        let mysql: Vec<_> = urls
            .iter()
            .filter_map(|(name, url)| match url {
                DbUrl::MySql(url) => Some((*name, url.clone())),
                DbUrl::Sqlite(_) => None,
            })
            .collect();
        match (sqlite.is_empty(), mysql.is_empty()) {
            (_, true) => Ok(Self::Sqlite(sqlite)),
            (true, false) => Ok(Self::MySql(mysql)),
            (false, false) => {
                Err(MixedKinds(urls.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, DbUrlError>) {
        assert_eq!(text.parse::<DbUrl>().map(|u| u.to_string()), expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn urls_of_existing_installations_are_read() {
        check("sqlite+aiosqlite:////var/lib/jobs.db", Ok("sqlite:////var/lib/jobs.db"));
        check("sqlite+aiosqlite:///jobs.db", Ok("sqlite:///jobs.db"));
        check("mysql+aiomysql://dirac:s3cret@db.host:3306/JobDB", Ok("mysql://dirac:***@db.host:3306/JobDB"));
        check("mysql://root@127.0.0.1/JobDB?charset=utf8mb4", Ok("mysql://root:***@127.0.0.1/JobDB"));
    }

    #[test]
    fn a_server_is_asked_where_its_url_says_and_not_over_a_local_socket() {
        let url = "mysql+aiomysql://dirac@db.host:3306/JobDB?charset=utf8mb4".parse::<DbUrl>();
        let expected = "mysql://dirac@db.host:3306/JobDB?prefer_socket=false";
        assert_eq!(url, Ok(DbUrl::MySql(expected.to_owned())));
    }

    #[test]
    fn others_are_refused_with_a_hint() {
        check("oracle+oracledb_async://x/y", Err(DbUrlError::Scheme("oracle".into())));
        check("jobs.db", Err(DbUrlError::Scheme("jobs.db".into())));
        check("mysql://root@h/JobDB?charset=x&ssl_ca=/ca.pem", Err(DbUrlError::Tls("ssl_ca".into())));
        check("sqlite+aiosqlite:///:memory:", Err(DbUrlError::InMemory));
        check(
            "mysql+aiomysql://root@host/",
            Err(DbUrlError::Incomplete(
                "a MySQL URL names a schema: mysql+aiomysql://user:password@host:3306/schema",
            )),
        );
        assert!(!format!("{:?}", "mysql://u:s3cret@h/s".parse::<DbUrl>()).contains("s3cret"));
    }
}
