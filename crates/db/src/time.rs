//! Instants as DIRAC's tables hold them: naive UTC.

use std::sync::Once;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    mysql::{Mysql, MysqlValue, data_types::MysqlTime},
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

    /// What MySQL's `0000-00-00 00:00:00` is read as, which is no time at all: the first instant of the calendar. Old
    /// servers have written it into DIRAC's tables where there was nothing to write.
    pub const ZERO: Self = Self(match NaiveDate::from_ymd_opt(1, 1, 1) {
        Some(day) => day.and_time(NaiveTime::MIN),
        None => NaiveDateTime::MIN,
    });

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
        let time = <MysqlTime as FromSql<Timestamp, Mysql>>::from_sql(value)?;
        if time.month == 0 || time.day == 0 {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| tracing::warn!("a table has the time 0000-00-00, which is read as none"));
            return Ok(Self::ZERO);
        }
        let date = NaiveDate::from_ymd_opt(i32::try_from(time.year)?, time.month, time.day);
        let micros = u32::try_from(time.second_part)?;
        let read = date.and_then(|day| day.and_hms_micro_opt(time.hour, time.minute, time.second, micros));
        read.map(Self).ok_or_else(|| format!("{time:?} is no time").into())
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
