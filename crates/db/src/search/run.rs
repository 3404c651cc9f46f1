//! Running plans; compiled once per backend.

use diesel_async::RunQueryDsl;
use diracx_core::search::{Cell, Table};

use super::Conn;
use crate::{
    error::DbResult,
    search::{Column, CountQuery, CountRow, PageQuery, Plan, RawRow, SummaryQuery},
};

/// The page of a plan, and how many rows there are in all.
///
/// A page that is not full tells the total by itself, so the rows are counted only when it is,
/// or when it starts behind the last row. Uncounted, the total says whether there may be more.
pub async fn search(conn: &mut Conn, plan: &Plan) -> DbResult<Table> {
    let rows: Vec<RawRow> = PageQuery::new(plan).load(conn).await?;
    let found = rows.len() as u64;
    let total = match plan.page() {
        Some(page) if !plan.is_counted() && found == page.limit => page.skip + found + 1,
        Some(page) if plan.is_counted() && (found == page.limit || (found == 0 && page.skip > 0)) => {
            let count: CountRow = CountQuery(plan).get_result(conn).await?;
            u64::try_from(count.total).unwrap_or(0)
        }
        Some(page) => page.skip + found,
        None => found,
    };
    Ok(Table { columns: names(&plan.columns), rows: cells(plan, rows)?, total })
}

/// The groups of a plan; the last column is `count`.
pub async fn summary(conn: &mut Conn, plan: &Plan) -> DbResult<Table> {
    let rows: Vec<RawRow> = SummaryQuery(plan).load(conn).await?;
    let mut columns = names(&plan.columns);
    columns.push("count".to_owned());
    let total = rows.len() as u64;
    Ok(Table { columns, rows: cells(plan, rows)?, total })
}

fn names(columns: &[&'static Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.to_owned()).collect()
}

fn cells(plan: &Plan, rows: Vec<RawRow>) -> DbResult<Vec<Vec<Cell>>> {
    rows.into_iter().map(|row| row.into_cells(plan.table().name, &plan.columns)).collect()
}
