//! Instants as DIRAC's tables hold them: naive UTC.

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    mysql::{Mysql, MysqlValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::Timestamp,
    sqlite::{Sqlite, SqliteValue},
};

/// The text form of an instant in SQLite: six digits of a second, always, so that
/// texts sort as times and equal what DiracX writes.
pub(crate) const SQLITE_FORMAT: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// An instant in a `DATETIME` column, which has no time zone and means UTC.
///
/// MySQL's columns have whole seconds and round to them; SQLite keeps microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub struct UtcTime(pub NaiveDateTime);

impl UtcTime {
    /// The instant with its zone.
    pub fn utc(self) -> DateTime<Utc> {
        self.0.and_utc()
    }

    /// The instant, if its year has four digits, as SQL's times have.
    pub(crate) fn in_four_digits(self) -> Option<Self> {
        (1..=9999).contains(&self.0.year()).then_some(self)
    }
}

impl From<DateTime<Utc>> for UtcTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.naive_utc())
    }
}

impl ToSql<Timestamp, Mysql> for UtcTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Mysql>) -> serialize::Result {
        <NaiveDateTime as ToSql<Timestamp, Mysql>>::to_sql(&self.0, out)
    }
}

impl FromSql<Timestamp, Mysql> for UtcTime {
    fn from_sql(value: MysqlValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<Timestamp, Mysql>>::from_sql(value).map(Self)
    }
}

impl ToSql<Timestamp, Sqlite> for UtcTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.format(SQLITE_FORMAT).to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Timestamp, Sqlite> for UtcTime {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<Timestamp, Sqlite>>::from_sql(value).map(Self)
    }
}
