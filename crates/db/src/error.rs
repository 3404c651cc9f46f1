//! What can go wrong between us and a database.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diracx_core::{Explain, Explanation, Reason};

/// The result of anything that asks a database.
pub type DbResult<T> = Result<T, DbError>;

/// A failure of, or before, a statement.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, or closed the connection.
    #[error("Cannot connect to {database}")]
    Unavailable {
        /// The logical name, `JobDB`.
        database: &'static str,
        /// What the driver said.
        #[source]
        detail: Detail,
    },
    /// The caller's time ran out before or during a statement.
    #[error("The deadline passed before the database had answered")]
    DeadlineExceeded,
    /// A row with this key is there already.
    #[error("The record exists already")]
    Duplicate(String),
    /// A value does not fit its column, or another constraint says no.
    #[error("The database refuses a value: {0}")]
    Refused(String),
    /// Another transaction was in the way, again and again.
    #[error("The database is busy with conflicting changes")]
    Conflict(String),
    /// A stored row makes no sense.
    #[error("{table}.{column} of row {row} makes no sense: {problem}")]
    Inconsistency {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A statement failed in a way that we did not foresee: our bug.
    #[error("a statement failed")]
    Statement(#[source] DieselError),
    /// A unit of work panicked: our bug.
    #[error("a unit of work panicked")]
    Panicked,
}

/// What a driver says about a connection: for logs and administrators, so it is a source and in no sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Detail(String);

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl DbError {
    /// Whether the same unit of work may simply be run again.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Whether the server does not take changes of a transaction that sees what others commit meanwhile.
    pub(crate) fn is_about_isolation(&self) -> bool {
        matches!(self, Self::Statement(error) if error.to_string().contains("BINLOG_FORMAT = STATEMENT"))
    }

    /// Names the database in an "unavailable" that came from the bare driver.
    #[must_use]
    pub fn of(self, name: &'static str) -> Self {
        match self {
            Self::Unavailable { detail, .. } => Self::Unavailable { database: name, detail },
            other => other,
        }
    }
}

/// MySQL and MariaDB say these when a transaction lost against another one.
/// diesel-async hands their text over without the number, so the text decides.
const CONFLICTS: &[&str] = &[
    "Deadlock found when trying to get lock",
    "Lock wait timeout exceeded",
    "Record has changed since last read",
    "WSREP has not yet prepared node",
    "database is locked",
    "database table is locked",
];

/// What drivers say when the connection is the problem and not the statement.
const CONNECTION_LOST: &[&str] = &[
    "Input/output error",
    "Connection refused",
    "Connection reset",
    "Broken pipe",
    "Connection closed",
    "connection closed",
    "Connection to the server is closed",
    "Connection was killed",
    "gone away",
    "Server shutdown in progress",
    "Too many connections",
    "timed out",
    "disk I/O error",
    "unable to open database file",
    "database or disk is full",
    "attempt to write a readonly database",
    "database disk image is malformed",
    "file is not a database",
];

/// What MySQL says when a value does not fit its column, or cannot be searched for.
const REFUSED: &[&str] = &[
    "Data too long for column",
    "Out of range value",
    "Incorrect string value",
    "Incorrect datetime value",
    "Incorrect integer value",
    // What the engines of MariaDB and MySQL say of a pattern, or of how long they tried.
    "Regex error",
    "' from regexp",
    "egular expression",
    "{min,max} interval",
    "capture group has an invalid name",
    "Illegal mix of collations",
];

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        let (kind, text) = match &error {
            DieselError::DatabaseError(kind, info) => (Some(kind), info.message().to_owned()),
            DieselError::BrokenTransactionManager => {
                return Self::Unavailable { database: "the database", detail: error.to_string().into() };
            }
            other => (None, other.to_string()),
        };
        let says = |texts: &[&str]| texts.iter().any(|t| text.contains(t));
        match kind {
            Some(DatabaseErrorKind::UniqueViolation) => Self::Duplicate(text),
            Some(DatabaseErrorKind::SerializationFailure) => Self::Conflict(text),
            Some(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand) => {
                Self::Unavailable { database: "the database", detail: text.into() }
            }
            _ if says(CONFLICTS) => Self::Conflict(text),
            _ if says(CONNECTION_LOST) => Self::Unavailable { database: "the database", detail: text.into() },
            Some(
                DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation,
            ) => Self::Refused(text),
            _ if text.contains("Query execution was interrupted") => Self::DeadlineExceeded,
            _ if says(REFUSED) => Self::Refused(text),
            _ => Self::Statement(error),
        }
    }
}

impl Explain for DbError {
    fn explain(&self) -> Explanation {
        match self {
            Self::Unavailable { database, .. } => Explanation::unavailable(Reason::DatabaseUnavailable)
                .with("database", database)
                .retry_after(Duration::from_secs(10)),
            Self::DeadlineExceeded => Explanation::deadline_exceeded(Reason::DeadlineExceeded),
            Self::Duplicate(_) => Explanation::already_exists(Reason::InvalidField),
            Self::Refused(_) => Explanation::invalid_argument(Reason::InvalidField),
            Self::Conflict(_) => {
                Explanation::unavailable(Reason::DatabaseUnavailable).retry_after(Duration::from_secs(1))
            }
            Self::Inconsistency { .. } | Self::Statement(_) | Self::Panicked => {
                Explanation::internal(Reason::Internal)
            }
        }
    }
}

/// An error type of a unit of work: it can carry a [`DbError`], and says when it does.
pub trait UnitError: From<DbError> + Send + 'static {
    /// The database error inside, if that is what it is.
    fn db_error(&self) -> Option<&DbError>;
}

impl UnitError for DbError {
    fn db_error(&self) -> Option<&DbError> {
        Some(self)
    }
}
