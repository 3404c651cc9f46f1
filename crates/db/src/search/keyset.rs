//! The order of rows as keys, and places in it: how a search goes on where a page ended.
//!
//! A page that begins behind a *position* costs what its rows cost, wherever it is; one that passes over rows
//! costs those as well. The order must be total for that: the sort keys, then the primary key.

use diesel::{query_builder::AstPass, result::QueryResult};
use diracx_core::search::{Cell, Direction};

use super::ColumnKind;
use crate::{
    statement::{Bind, BindBackend},
    time::UtcTime,
};

/// One key of the order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) column: &'static str,
    pub(super) kind: ColumnKind,
    pub(super) direction: Direction,
    /// Some rows may have no value in it.
    pub(super) optional: bool,
}

/// Which rows of the order are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stretch<'p> {
    /// All of them.
    Whole,
    /// Those behind a position.
    Behind(&'p Position),
    /// Those behind a position whose first key has a value. A descending order has the others behind them, which
    /// would keep the databases from entering an index in the middle.
    BehindWithValue(&'p Position),
    /// Those whose first key has no value.
    WithoutValue,
}

/// A place in the order of rows: the values that the sort keys have in the last row before it.
///
/// The values are as the database gave them, so that comparing them again finds the same place.
#[derive(Debug, Clone, PartialEq)]
pub struct Position(Vec<Bind>);

impl Position {
    /// The place behind a row, of whose cells the sort keys are these.
    pub(super) fn behind<'c>(keys: impl Iterator<Item = Option<&'c Cell>>) -> Option<Self> {
        keys.map(|cell| {
            Some(match cell? {
                Cell::Null => Bind::Null,
                Cell::Int(number) => Bind::Int(*number),
                Cell::Float(number) => Bind::Float(*number),
                Cell::Text(text) => Bind::Text(text.clone()),
                Cell::Time(time) => Bind::Time(UtcTime(*time)),
                Cell::Bool(_) => return None,
            })
        })
        .collect::<Option<_>>()
        .map(Self)
    }

    pub(super) fn has_first_value(&self) -> bool {
        self.0.first().is_some_and(|value| *value != Bind::Null)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Its bytes, for a token.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in &self.0 {
            match value {
                Bind::Null => bytes.push(b'0'),
                Bind::Int(number) => {
                    bytes.push(b'i');
                    bytes.extend(number.to_le_bytes());
                }
                Bind::Float(number) => {
                    bytes.push(b'f');
                    bytes.extend(number.to_bits().to_le_bytes());
                }
                Bind::Text(text) => {
                    bytes.push(b's');
                    bytes.extend((text.len() as u64).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
                Bind::Time(time) => {
                    bytes.push(b't');
                    bytes.extend(time.0.and_utc().timestamp_micros().to_le_bytes());
                }
            }
        }
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) wrote. Others may have written it: nothing is believed.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        fn number(bytes: &mut &[u8]) -> Option<[u8; 8]> {
            let (number, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(*number)
        }
        let mut values = Vec::new();
        while let Some((kind, rest)) = bytes.split_first() {
            bytes = rest;
            values.push(match kind {
                b'0' => Bind::Null,
                b'i' => Bind::Int(i64::from_le_bytes(number(&mut bytes)?)),
                b'f' => {
                    let number = f64::from_bits(u64::from_le_bytes(number(&mut bytes)?));
                    Bind::Float(Some(number).filter(|number| number.is_finite())?)
                }
                b's' => {
                    let length = usize::try_from(u64::from_le_bytes(number(&mut bytes)?)).ok()?;
                    let (text, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    Bind::Text(std::str::from_utf8(text).ok()?.to_owned())
                }
                b't' => {
                    let micros = i64::from_le_bytes(number(&mut bytes)?);
                    let time = chrono::DateTime::from_timestamp_micros(micros)?.naive_utc();
                    // A year of more digits is no time in SQL.
                    Bind::Time(UtcTime(time).in_four_digits()?)
                }
                _ => return None,
            });
        }
        Some(Self(values))
    }
}

/// Says in SQL that a row is in the stretch.
pub(super) fn walk<'b, DB: BindBackend>(
    keys: &'b [Key],
    stretch: Stretch<'b>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    let (position, values_only) = match stretch {
        Stretch::Whole => return Ok(()),
        Stretch::WithoutValue => {
            keys[0].push(out)?;
            out.push_sql(" IS NULL");
            return Ok(());
        }
        Stretch::Behind(position) => (position, false),
        Stretch::BehindWithValue(position) => (position, true),
    };
    let values = position.0.as_slice();
    // Follows from the rest; but this is what an index is entered by.
    if keys.len() > 1 && keys[0].at_or_behind(&values[0], values_only, out)? {
        out.push_sql(" AND ");
    }
    out.push_sql("(");
    for (i, (key, value)) in keys.iter().zip(values).enumerate() {
        key.behind(value, values_only && i == 0, out)?;
        if i + 1 < keys.len() {
            out.push_sql(" OR (");
            key.at(value, out)?;
            out.push_sql(" AND (");
        }
    }
    for _ in 1..keys.len() {
        out.push_sql("))");
    }
    out.push_sql(")");
    Ok(())
}

impl Key {
    /// What the rows are ordered by.
    pub(super) fn push<DB: BindBackend>(self, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
        if self.kind == ColumnKind::Flag {
            DB::label_order(out, self.column)
        } else {
            out.push_identifier(self.column)
        }
    }

    fn compare<'b, DB: BindBackend>(
        self,
        operator: &str,
        value: &'b Bind,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        self.push(out)?;
        out.push_sql(operator);
        DB::bind(out, value)
    }

    /// The key has this value.
    fn at<'b, DB: BindBackend>(self, value: &'b Bind, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if *value == Bind::Null {
            self.push(out)?;
            out.push_sql(" IS NULL");
            return Ok(());
        }
        self.compare(" = ", value, out)
    }

    /// The key is behind this value; rows without a value are before all others, on both backends.
    fn behind<'b, DB: BindBackend>(
        self,
        value: &'b Bind,
        values_only: bool,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        match (self.direction, value) {
            (Direction::Ascending, Bind::Null) => {
                self.push(out)?;
                out.push_sql(" IS NOT NULL");
            }
            (Direction::Descending, Bind::Null) => out.push_sql("1 = 0"),
            (Direction::Ascending, _) => self.compare(" > ", value, out)?,
            (Direction::Descending, _) if values_only || !self.optional => self.compare(" < ", value, out)?,
            (Direction::Descending, _) => {
                out.push_sql("(");
                self.compare(" < ", value, out)?;
                out.push_sql(" OR ");
                self.push(out)?;
                out.push_sql(" IS NULL)");
            }
        }
        Ok(())
    }

    /// The key has this value or is behind it; whether there was anything to say.
    fn at_or_behind<'b, DB: BindBackend>(
        self,
        value: &'b Bind,
        values_only: bool,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<bool> {
        match (self.direction, value) {
            (Direction::Ascending, Bind::Null) => return Ok(false),
            (Direction::Descending, Bind::Null) => self.at(value, out)?,
            (Direction::Ascending, _) => self.compare(" >= ", value, out)?,
            (Direction::Descending, _) if values_only || !self.optional => {
                self.compare(" <= ", value, out)?;
            }
            (Direction::Descending, _) => {
                out.push_sql("(");
                self.compare(" <= ", value, out)?;
                out.push_sql(" OR ");
                self.push(out)?;
                out.push_sql(" IS NULL)");
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_its_bytes() {
        let time = "2026-11-23T10:00:00.123456".parse().unwrap();
        let position = Position(vec![
            Bind::Null,
            Bind::Int(-5),
            Bind::Float(0.1),
            Bind::Text("Žluťoučký kůň".into()),
            Bind::Text(String::new()),
            Bind::Time(UtcTime(time)),
        ]);
        assert_eq!(Position::from_bytes(&position.to_bytes()), Some(position.clone()));
        for end in 2..position.to_bytes().len() {
            assert_ne!(Position::from_bytes(&position.to_bytes()[..end]), Some(position.clone()));
        }
    }

    #[test]
    fn bytes_of_others_are_no_position() {
        let with = |kind: u8, rest: [u8; 8]| [&[kind], rest.as_slice()].concat();
        for bytes in [
            b"x".to_vec(),
            b"i123".to_vec(),
            with(b's', u64::MAX.to_le_bytes()),
            [with(b's', 1u64.to_le_bytes()), vec![0xff]].concat(),
            with(b'f', f64::NAN.to_bits().to_le_bytes()),
            with(b't', i64::MAX.to_le_bytes()),
            with(b't', (-1_000_000_000_000_000_000i64).to_le_bytes()),
        ] {
            assert_eq!(Position::from_bytes(&bytes), None, "{bytes:?}");
        }
    }
}
