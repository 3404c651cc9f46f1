//! `INSERT` of many rows in one statement, where a row whose key is there already takes the new values.

use diesel::{
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
};

use super::{Bind, BindBackend, MOST_ROWS_KEPT_PREPARED, insert::push_insert};

/// Writes rows into a table, whether they are there already or not.
///
/// Of several rows with the same key the last one counts.
#[derive(Debug, Clone)]
pub struct BulkUpsert<'r> {
    /// The table.
    pub table: &'static str,
    /// The columns of its primary key. It must be the only unique key of the table: MySQL looks at all of them.
    pub key: &'static [&'static str],
    /// The other columns that are written, at least one.
    pub columns: &'static [&'static str],
    /// The rows, each with its key first; never empty when executed.
    pub rows: &'r [Vec<Bind>],
}

impl QueryId for BulkUpsert<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: BindBackend> QueryFragment<DB> for BulkUpsert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.rows.len() > MOST_ROWS_KEPT_PREPARED {
            out.unsafe_to_cache_prepared();
        }
        push_insert(&mut out, self.table, self.key.iter().chain(self.columns), self.rows)?;
        DB::or_replace(&mut out, self.key, self.columns)
    }
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, mysql::Mysql, sqlite::Sqlite};

    use super::*;

    #[test]
    fn each_backend_replaces_in_its_own_words() {
        let rows = vec![vec![Bind::Int(1), "HostName".into(), "\"wn1\"".into()]];
        let upsert = BulkUpsert {
            table: "JobParameterValues",
            key: &["JobID", "Name"],
            columns: &["Value"],
            rows: &rows,
        };
        let insert = "INSERT INTO `JobParameterValues` (`JobID`, `Name`, `Value`) VALUES (?, ?, ?)";
        let binds = r#" -- binds: [1, "HostName", "\"wn1\""]"#;
        assert_eq!(
            debug_query::<Sqlite, _>(&upsert).to_string(),
            format!("{insert} ON CONFLICT (`JobID`, `Name`) DO UPDATE SET `Value` = excluded.`Value`{binds}")
        );
        assert_eq!(
            debug_query::<Mysql, _>(&upsert).to_string(),
            format!("{insert} ON DUPLICATE KEY UPDATE `Value` = VALUES(`Value`){binds}")
        );
    }
}
