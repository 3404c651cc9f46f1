//! Rows whose columns are known only at run time, straight to cells.

use chrono::NaiveDateTime;
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, QueryableByName},
    mysql::{Mysql, MysqlType, MysqlValue},
    row::{Field, NamedRow, Row},
    sql_types::{BigInt, Double, Text, Timestamp},
    sqlite::{Sqlite, SqliteType, SqliteValue},
};
use diracx_core::search::Cell;

use super::{Column, ColumnKind};
use crate::{
    error::{DbError, DbResult},
    time::UtcTime,
};

/// A backend whose values say what they are.
pub trait RowBackend: Backend {
    /// The value as a cell; times and flags may still be text.
    fn cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell>;
}

impl RowBackend for Sqlite {
    fn cell(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Cell> {
        Ok(match value.value_type() {
            None => Cell::Null,
            Some(SqliteType::Integer | SqliteType::Long | SqliteType::SmallInt) => {
                Cell::Int(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?)
            }
            Some(SqliteType::Float | SqliteType::Double) => {
                Cell::Float(<f64 as FromSql<Double, Sqlite>>::from_sql(value)?)
            }
            Some(_) => Cell::Text(<String as FromSql<Text, Sqlite>>::from_sql(value)?),
        })
    }
}

impl RowBackend for Mysql {
    fn cell(value: MysqlValue<'_>) -> deserialize::Result<Cell> {
        Ok(match value.value_type() {
            MysqlType::Tiny
            | MysqlType::Short
            | MysqlType::Long
            | MysqlType::LongLong
            | MysqlType::UnsignedTiny
            | MysqlType::UnsignedShort
            | MysqlType::UnsignedLong
            | MysqlType::UnsignedLongLong => Cell::Int(<i64 as FromSql<BigInt, Mysql>>::from_sql(value)?),
            MysqlType::Float | MysqlType::Double | MysqlType::Numeric => {
                Cell::Float(<f64 as FromSql<Double, Mysql>>::from_sql(value)?)
            }
            MysqlType::Date | MysqlType::DateTime | MysqlType::Timestamp => {
                Cell::Time(<UtcTime as FromSql<Timestamp, Mysql>>::from_sql(value)?.0)
            }
            _ => Cell::Text(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        })
    }
}

/// The cells of a row, in the order of the statement.
#[derive(Debug, Clone, PartialEq)]
pub struct RawRow(Vec<Cell>);

impl<DB: RowBackend> QueryableByName<DB> for RawRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        (0..row.field_count())
            .map(|i| {
                let field = Row::get(row, i).ok_or("a column is missing")?;
                field.value().map_or(Ok(Cell::Null), DB::cell)
            })
            .collect::<deserialize::Result<_>>()
            .map(Self)
    }
}

impl RawRow {
    /// The cell at a place, as the database gave it.
    pub(super) fn cell(&self, place: usize) -> Option<&Cell> {
        self.0.get(place)
    }

    /// Without what is behind the first `count` columns.
    pub(crate) fn cut(mut self, count: usize) -> Self {
        self.0.truncate(count);
        self
    }

    /// Gives times and flags their form.
    pub fn into_cells(self, table: &'static str, columns: &[&'static Column]) -> DbResult<Vec<Cell>> {
        let mut cells = self.0;
        for (column, cell) in columns.iter().zip(&mut cells) {
            if *cell == Cell::Time(UtcTime::ZERO.0) {
                // only here: a page may begin behind it
                *cell = Cell::Null;
            }
            let Cell::Text(text) = cell else { continue };
            let formed = match column.kind {
                ColumnKind::Time => {
                    Some(parse_time(text).map(Cell::Time).ok_or_else(|| DbError::Inconsistency {
                        table,
                        column: column.name,
                        row: "of a search".to_owned(),
                        problem: format!("{text:?} is no time"),
                    })?)
                }
                ColumnKind::Flag => match text.as_str() {
                    "True" => Some(Cell::Bool(true)),
                    "False" => Some(Cell::Bool(false)),
                    _ => None,
                },
                ColumnKind::Int | ColumnKind::Float | ColumnKind::Text => None,
            };
            if let Some(formed) = formed {
                *cell = formed;
            }
        }
        Ok(cells)
    }
}

fn parse_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// The answer of a count.
#[derive(Debug, Clone, Copy, diesel::QueryableByName)]
pub struct CountRow {
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub total: i64,
}
