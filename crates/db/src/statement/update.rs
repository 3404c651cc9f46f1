//! `UPDATE` of many rows, each with values of its own, in one statement.

use diesel::{
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
};

use super::{Bind, BindBackend, one_of::prepared_length};

/// Changes some columns of some rows, found by an integer key:
/// `SET column = CASE key WHEN … THEN … ELSE column END … WHERE key IN (…)`, and `SET column = …` where all rows
/// get the same value.
///
/// A row whose value for a column is `None` keeps what it has there.
#[derive(Debug, Clone)]
pub struct BulkUpdate<'r> {
    /// The table.
    pub table: &'static str,
    /// The key column, an integer.
    pub key: &'static str,
    /// The columns, in the order of the values.
    pub columns: &'static [&'static str],
    /// Key and one optional value per column; never empty when executed.
    pub rows: &'r [(Bind, Vec<Option<Bind>>)],
}

impl BulkUpdate<'_> {
    /// Whether any row changes any column: without one there is nothing to execute.
    pub fn changes_anything(&self) -> bool {
        self.rows.iter().any(|(_, values)| values.iter().any(Option::is_some))
    }

    /// The value that every row gets in this column, if it is one. A `CASE` of many rows takes a server longer to
    /// prepare than the rows take to change, and calls that change many jobs mostly change them alike.
    fn shared(&self, column: usize) -> Option<&Bind> {
        let mut values = self.rows.iter().map(|(_, values)| values[column].as_ref());
        let first = values.next()??;
        values.all(|value| value == Some(first)).then_some(first)
    }
}

impl QueryId for BulkUpdate<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: BindBackend> QueryFragment<DB> for BulkUpdate<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // Which rows change which columns to what shows in the text, unless all of them change alike.
        let used = |c: &usize| self.rows.iter().any(|(_, values)| values[*c].is_some());
        if (0..self.columns.len()).filter(used).any(|c| self.shared(c).is_none()) && self.rows.len() > 1 {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("UPDATE ");
        out.push_identifier(self.table)?;
        out.push_sql(" SET ");
        let mut first = true;
        for (c, column) in self.columns.iter().enumerate() {
            if !self.rows.iter().any(|(_, values)| values[c].is_some()) {
                continue;
            }
            if !first {
                out.push_sql(", ");
            }
            first = false;
            out.push_identifier(column)?;
            if let Some(value) = self.shared(c) {
                out.push_sql(" = ");
                DB::bind(&mut out, value)?;
                continue;
            }
            out.push_sql(" = CASE ");
            out.push_identifier(self.key)?;
            for (key, values) in self.rows {
                if let Some(value) = &values[c] {
                    out.push_sql(" WHEN ");
                    DB::bind(&mut out, key)?;
                    out.push_sql(" THEN ");
                    DB::bind(&mut out, value)?;
                }
            }
            out.push_sql(" ELSE ");
            out.push_identifier(column)?;
            out.push_sql(" END");
        }
        out.push_sql(" WHERE ");
        out.push_identifier(self.key)?;
        out.push_sql(" IN (");
        let last = self.rows.last().map(|(key, _)| key);
        let length = prepared_length(self.rows.len());
        if length.is_none() {
            out.unsafe_to_cache_prepared();
        }
        let keys = self.rows.iter().map(|(key, _)| key).chain(last.into_iter().cycle());
        for (i, key) in keys.take(length.unwrap_or(self.rows.len())).enumerate() {
            if i > 0 {
                out.push_sql(", ");
            }
            DB::bind(&mut out, key)?;
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
    fn what_all_rows_get_alike_is_said_once() {
        let row = |id, minor: &str| (Bind::Int(id), vec![Some("Done".into()), Some(minor.into())]);
        let update =
            |rows| BulkUpdate { table: "Jobs", key: "JobID", columns: &["Status", "MinorStatus"], rows };
        let alike = [row(1, "m"), row(2, "m"), row(3, "m")];
        assert_eq!(
            debug_query::<Sqlite, _>(&update(&alike)).to_string(),
            "UPDATE `Jobs` SET `Status` = ?, `MinorStatus` = ? WHERE `JobID` IN (?, ?, ?, ?, ?) \
             -- binds: [\"Done\", \"m\", 1, 2, 3, 3, 3]"
        );
        let different = [row(1, "m"), row(2, "n")];
        assert_eq!(
            debug_query::<Sqlite, _>(&update(&different)).to_string(),
            "UPDATE `Jobs` SET `Status` = ?, `MinorStatus` = CASE `JobID` WHEN ? THEN ? WHEN ? THEN ? \
             ELSE `MinorStatus` END WHERE `JobID` IN (?, ?) \
             -- binds: [\"Done\", 1, \"m\", 2, \"n\", 1, 2]"
        );
    }

    #[test]
    fn a_column_that_nobody_changes_is_left_out() {
        let rows = vec![
            (Bind::Int(1), vec![Some("Done".into()), None, None]),
            (Bind::Int(2), vec![None, None, Some("m".into())]),
        ];
        let update = BulkUpdate {
            table: "Jobs",
            key: "JobID",
            columns: &["Status", "Site", "MinorStatus"],
            rows: &rows,
        };
        assert_eq!(
            debug_query::<Sqlite, _>(&update).to_string(),
            "UPDATE `Jobs` SET `Status` = CASE `JobID` WHEN ? THEN ? ELSE `Status` END, \
             `MinorStatus` = CASE `JobID` WHEN ? THEN ? ELSE `MinorStatus` END WHERE `JobID` IN (?, ?) \
             -- binds: [1, \"Done\", 2, \"m\", 1, 2]"
        );
    }
}
