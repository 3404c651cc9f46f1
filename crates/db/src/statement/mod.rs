//! Statements whose shape is known only at run time: bulk inserts and bulk updates.
//!
//! Table and column names are `&'static str` from our own source; every value is bound.

mod delete;
mod delete_rows;
mod exactly;
mod insert;
mod one_of;
mod pieces;
mod update;
mod upsert;

pub use delete::BulkDelete;
pub use delete_rows::BulkDeleteRows;
pub use exactly::{Exactly, exactly};
pub use insert::BulkInsert;
pub use one_of::{OneOf, one_of, one_of_texts};
pub use pieces::pieces;
pub use update::BulkUpdate;
pub use upsert::BulkUpsert;

use chrono::NaiveDateTime;
use diesel::{
    mysql::Mysql,
    query_builder::AstPass,
    result::QueryResult,
    sql_types::{BigInt, Double, Nullable, Text, Timestamp},
    sqlite::Sqlite,
};

use crate::time::UtcTime;

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    /// No value.
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// An instant, UTC.
    Time(UtcTime),
}

impl From<i64> for Bind {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Bind {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Bind {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Bind {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<UtcTime> for Bind {
    fn from(value: UtcTime) -> Self {
        Self::Time(value)
    }
}

impl From<NaiveDateTime> for Bind {
    fn from(value: NaiveDateTime) -> Self {
        Self::Time(UtcTime(value))
    }
}

impl<T: Into<Bind>> From<Option<T>> for Bind {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A backend that can bind every kind of value. Implemented for both of ours; the statements are
/// written once, generic over it.
pub trait BindBackend: diesel::backend::Backend + Sized {
    /// Binds `value` at this place of the statement.
    fn bind<'b>(out: &mut AstPass<'_, 'b, Self>, value: &'b Bind) -> QueryResult<()>;

    /// Ends an `INSERT`: rows whose key is there already are passed over. `column` is any column.
    fn or_keep(out: &mut AstPass<'_, '_, Self>, column: &'static str) -> QueryResult<()>;

    /// Ends an `INSERT`: rows whose `key` is there already get the new values of `columns`.
    fn or_replace(
        out: &mut AstPass<'_, '_, Self>,
        key: &'static [&'static str],
        columns: &'static [&'static str],
    ) -> QueryResult<()>;

    /// Behind `FROM table`, where another index has the wanted rows in the order of the primary key: do not look for
    /// them along the primary key.
    fn keep_off_primary_key(out: &mut AstPass<'_, '_, Self>);

    /// That by which a column with one of a few labels is ordered.
    fn label_order(out: &mut AstPass<'_, '_, Self>, column: &'static str) -> QueryResult<()>;

    /// Whether a column has a text, letter by letter: what stands before the column, between the two, and behind.
    const EXACTLY: [&'static str; 3];
}

/// Binding is alike; diesel's bounds make it impossible to say so once for both.
macro_rules! bind {
    ($out:ident, $value:ident) => {
        match $value {
            Bind::Null => $out.push_bind_param::<Nullable<Text>, Option<String>>(&None),
            Bind::Int(v) => $out.push_bind_param::<BigInt, i64>(v),
            Bind::Float(v) => $out.push_bind_param::<Double, f64>(v),
            Bind::Text(v) => $out.push_bind_param::<Text, String>(v),
            Bind::Time(v) => $out.push_bind_param::<Timestamp, UtcTime>(v),
        }
    };
}

impl BindBackend for Sqlite {
    fn bind<'b>(out: &mut AstPass<'_, 'b, Self>, value: &'b Bind) -> QueryResult<()> {
        bind!(out, value)
    }

    fn or_keep(out: &mut AstPass<'_, '_, Self>, _: &'static str) -> QueryResult<()> {
        out.push_sql(" ON CONFLICT DO NOTHING");
        Ok(())
    }

    fn or_replace(
        out: &mut AstPass<'_, '_, Self>,
        key: &'static [&'static str],
        columns: &'static [&'static str],
    ) -> QueryResult<()> {
        out.push_sql(" ON CONFLICT (");
        for (i, column) in key.iter().enumerate() {
            out.push_sql(if i > 0 { ", " } else { "" });
            out.push_identifier(column)?;
        }
        out.push_sql(") DO UPDATE SET ");
        for (i, column) in columns.iter().enumerate() {
            out.push_sql(if i > 0 { ", " } else { "" });
            out.push_identifier(column)?;
            out.push_sql(" = excluded.");
            out.push_identifier(column)?;
        }
        Ok(())
    }

    fn keep_off_primary_key(_: &mut AstPass<'_, '_, Self>) {}

    fn label_order(out: &mut AstPass<'_, '_, Self>, column: &'static str) -> QueryResult<()> {
        out.push_identifier(column)
    }

    const EXACTLY: [&'static str; 3] = ["", " = ", " COLLATE BINARY"];
}

impl BindBackend for Mysql {
    fn bind<'b>(out: &mut AstPass<'_, 'b, Self>, value: &'b Bind) -> QueryResult<()> {
        bind!(out, value)
    }

    fn or_keep(out: &mut AstPass<'_, '_, Self>, column: &'static str) -> QueryResult<()> {
        // INSERT IGNORE would pass over values that do not fit as well.
        out.push_sql(" ON DUPLICATE KEY UPDATE ");
        out.push_identifier(column)?;
        out.push_sql(" = ");
        out.push_identifier(column)
    }

    fn or_replace(
        out: &mut AstPass<'_, '_, Self>,
        _: &'static [&'static str],
        columns: &'static [&'static str],
    ) -> QueryResult<()> {
        out.push_sql(" ON DUPLICATE KEY UPDATE ");
        for (i, column) in columns.iter().enumerate() {
            out.push_sql(if i > 0 { ", " } else { "" });
            out.push_identifier(column)?;
            // MariaDB knows no other way to say it.
            out.push_sql(" = VALUES(");
            out.push_identifier(column)?;
            out.push_sql(")");
        }
        Ok(())
    }

    fn keep_off_primary_key(out: &mut AstPass<'_, '_, Self>) {
        // The optimizer takes the rows that fit for evenly spread, and a walk until a page is full for short. But
        // those that run, say, are the newest: it would walk over all the others first.
        out.push_sql(" IGNORE INDEX FOR ORDER BY (PRIMARY)");
    }

    fn label_order(out: &mut AstPass<'_, '_, Self>, column: &'static str) -> QueryResult<()> {
        // An ENUM is ordered by the place of its labels in their list, but compared with a text as a text.
        out.push_sql("(");
        out.push_identifier(column)?;
        out.push_sql(" + 0)");
        Ok(())
    }

    // the column may be of any character set
    const EXACTLY: [&'static str; 3] =
        ["BINARY CONVERT(", " USING utf8mb4) = BINARY CONVERT(", " USING utf8mb4)"];
}

/// How many rows a statement may have and still be kept prepared: every other number of rows
/// is another statement, and a connection must not collect them without end.
const MOST_ROWS_KEPT_PREPARED: usize = 20;
