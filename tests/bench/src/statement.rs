//! A statement as text and values, and how to read one from what diesel says of it.

use anyhow::{Context as _, Result, bail};
use chrono::NaiveDateTime;
use diracx_db::Bind;

/// A statement to be prepared once and executed with these values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Bind>,
}

impl Statement {
    /// Reads diesel's `SELECT … ? -- binds: [1, "a"]`.
    pub(crate) fn read(text: &str) -> Result<Self> {
        const BINDS: &str = " -- binds: ";
        let Some((sql, values)) = text.split_once(BINDS) else {
            return Ok(Self { sql: text.trim().to_owned(), values: Vec::new() });
        };
        let mut rest = values.trim().strip_prefix('[').context("values that are no list")?;
        let mut values = Vec::new();
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if rest == "]" {
                return Ok(Self { sql: sql.trim().to_owned(), values });
            }
            let (value, after) = read_value(rest)?;
            values.push(value);
            rest = after;
        }
    }

    /// Whether it answers with rows.
    pub(crate) fn selects(&self) -> bool {
        self.sql.starts_with("SELECT") || self.sql.starts_with("WITH")
    }

    /// The table that it inserts into, and the columns of the rows.
    pub(crate) fn inserts(&self) -> Option<(&str, Vec<&str>)> {
        let (table, rest) = self.sql.strip_prefix("INSERT INTO ")?.split_once('(')?;
        let (columns, _) = rest.split_once(')')?;
        Some((unquoted(table), columns.split(',').map(unquoted).collect()))
    }
}

fn unquoted(name: &str) -> &str {
    name.trim().trim_matches(['`', '"'])
}

/// A value in Rust's debug form, and what follows it.
fn read_value(text: &str) -> Result<(Bind, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        let (value, rest) = read_text(rest)?;
        return Ok((Bind::Text(value), rest));
    }
    // A type that only wraps a value, such as `Some(1)` or `UtcTime(…)`.
    if let Some((name, inside)) = text.split_once('(')
        && name.chars().all(char::is_alphanumeric)
    {
        let (value, rest) = read_value(inside)?;
        return Ok((value, rest.strip_prefix(')').context("a parenthesis that stays open")?));
    }
    let end = text.find([',', ']', ')']).context("a value without an end")?;
    let (word, rest) = text.split_at(end);
    let value = if word == "None" {
        Bind::Null
    } else if let Ok(number) = word.parse::<i64>() {
        Bind::Int(number)
    } else if let Ok(number) = word.parse::<f64>() {
        Bind::Float(number)
    } else if let Ok(time) = word.parse::<NaiveDateTime>() {
        Bind::from(time)
    } else {
        bail!("the value {word:?} cannot be read")
    };
    Ok((value, rest))
}

/// A text up to its closing quote.
fn read_text(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().context("an escape without an end")?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                '0' => value.push('\0'),
                'u' => {
                    let (code, _) = text[at + 3..].split_once('}').context("an escape without an end")?;
                    value.extend(char::from_u32(u32::from_str_radix(code, 16)?));
                    // The brace, the digits and the other brace.
                    let _ = chars.nth(code.len() + 1);
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    bail!("a text without an end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, sql: &str, values: &[Bind]) {
        let expected = Statement { sql: sql.to_owned(), values: values.to_vec() };
        assert_eq!(Statement::read(text).unwrap(), expected);
    }

    #[test]
    fn diesels_own_words_are_read() {
        check("BEGIN IMMEDIATE", "BEGIN IMMEDIATE", &[]);
        check("SELECT 1 -- binds: []", "SELECT 1", &[]);
        let time: NaiveDateTime = "2026-11-23T10:00:00.250".parse().unwrap();
        check(
            r#"INSERT … (?, …) -- binds: [-5, "a, ]\"b\n\u{7f}c", None, Some(F64(1.5)), UtcTime(2026-11-23T10:00:00.250)]"#,
            "INSERT … (?, …)",
            &[Bind::Int(-5), "a, ]\"b\n\u{7f}c".into(), Bind::Null, Bind::Float(1.5), time.into()],
        );
    }

    #[test]
    fn what_diesel_prints_of_our_values_is_what_we_bound() {
        use diesel::{debug_query, sqlite::Sqlite};
        let time: NaiveDateTime = "2026-11-23T10:00:00".parse().unwrap();
        let values = vec![Bind::Int(1), "x'\\ \u{300}é".into(), Bind::Null, Bind::Float(2.0), time.into()];
        let insert = diracx_db::statement::BulkInsert {
            table: "T",
            columns: &["A", "B", "C", "D", "E"],
            rows: std::slice::from_ref(&values),
            or_keep: false,
        };
        let text = debug_query::<Sqlite, _>(&insert).to_string();
        assert_eq!(Statement::read(&text).unwrap().values, values);
    }

    #[test]
    fn an_insert_names_its_table_and_columns() {
        let inserts =
            |sql: &str| Statement::read(sql).unwrap().inserts().map(|(t, c)| (t.to_owned(), c.join(" ")));
        let expected = Some(("Jobs".to_owned(), "JobID Site".to_owned()));
        assert_eq!(inserts("INSERT INTO `Jobs` (`JobID`, `Site`) VALUES (?, ?)"), expected);
        assert_eq!(inserts("UPDATE `Jobs` SET `Site` = ? WHERE (a)"), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_another_value() {
        for text in ["x -- binds: [", "x -- binds: [\"a", "x -- binds: [Foo]", "x -- binds: 1"] {
            assert!(Statement::read(text).is_err(), "{text}");
        }
    }
}
