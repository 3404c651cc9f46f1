//! The SQL functions that SQLite lacks.

use std::cell::RefCell;

use diesel::{QueryResult, SqliteConnection};
use regex::Regex;

#[diesel::declare_sql_function]
extern "SQL" {
    /// `value REGEXP pattern`.
    fn regexp(
        pattern: diesel::sql_types::Text,
        value: diesel::sql_types::Nullable<diesel::sql_types::Text>,
    ) -> diesel::sql_types::Bool;
}

thread_local! {
    /// The pattern of the statement that runs: SQLite asks once per row.
    static LAST: RefCell<Option<(String, Option<Regex>)>> = const { RefCell::new(None) };
}

fn matches(pattern: &str, value: &str) -> bool {
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(known, _)| known != pattern) {
            *last = Some((pattern.to_owned(), Regex::new(pattern).ok()));
        }
        last.as_ref().and_then(|(_, regex)| regex.as_ref()).is_some_and(|regex| regex.is_match(value))
    })
}

/// Makes the functions known to a connection.
pub(super) fn register(conn: &mut SqliteConnection) -> QueryResult<()> {
    regexp_utils::register_impl(conn, |pattern: String, value: Option<String>| {
        value.is_some_and(|value| matches(&pattern, &value))
    })
}
