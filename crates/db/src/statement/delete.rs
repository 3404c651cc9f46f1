//! `DELETE` of many rows in one statement.

use diesel::{
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
};

use super::{Bind, BindBackend, MOST_ROWS_KEPT_PREPARED};

/// Deletes the rows of a table that have one of the values in a column.
#[derive(Debug, Clone)]
pub struct BulkDelete<'r> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The values; never empty when executed, and at the most 30,000.
    pub values: &'r [Bind],
}

impl QueryId for BulkDelete<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: BindBackend> QueryFragment<DB> for BulkDelete<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.values.len() > MOST_ROWS_KEPT_PREPARED {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("DELETE FROM ");
        out.push_identifier(self.table)?;
        out.push_sql(" WHERE ");
        out.push_identifier(self.column)?;
        out.push_sql(" IN (");
        for (i, value) in self.values.iter().enumerate() {
            out.push_sql(if i > 0 { ", " } else { "" });
            DB::bind(&mut out, value)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, sqlite::Sqlite};

    use super::*;

    #[test]
    fn values_are_bound() {
        let values = [Bind::Int(1), "x' OR 1".into()];
        let delete = BulkDelete { table: "InputData", column: "JobID", values: &values };
        assert_eq!(
            debug_query::<Sqlite, _>(&delete).to_string(),
            r#"DELETE FROM `InputData` WHERE `JobID` IN (?, ?) -- binds: [1, "x' OR 1"]"#
        );
    }
}
