//! Running plans; compiled once per backend.

use diesel_async::RunQueryDsl;
use diracx_core::search::{Cell, Table};

use super::Conn;
use crate::{
    error::DbResult,
    search::{Column, CountQuery, CountRow, PageQuery, Plan, RawRow, Rows, SummaryQuery},
};

/// The page of a plan, and how many rows there are in all.
///
/// One row more than the page is asked for: without it the page is the end, and tells the total by itself. So the
/// rows are counted only when there are more of them, when the page starts behind the last row, or when where it
/// starts is no number. Uncounted, the total says whether there are more.
pub async fn search(conn: &mut Conn, plan: &Plan) -> DbResult<Rows> {
    let query = PageQuery::new(plan);
    let mut rows: Vec<RawRow> = (&query).load(conn).await?;
    if let Some(rest) = query.rest(rows.len() as u64) {
        rows.extend((&rest).load::<RawRow>(conn).await?);
    }
    let (skip, limit) = plan.page().map_or((0, u64::MAX), |page| (page.skip, page.limit));
    let more = rows.len() as u64 > limit;
    if more {
        rows.pop();
    }
    let found = rows.len() as u64;
    let known = !more && !plan.is_behind() && (found > 0 || skip == 0);
    let total = if plan.is_counted() && !known {
        let count: CountRow = CountQuery(plan).get_result(conn).await?;
        u64::try_from(count.total).unwrap_or(0)
    } else {
        skip.saturating_add(found).saturating_add(u64::from(more))
    };
    let end = rows.last().and_then(|row| plan.position_behind(row));
    let rows = rows.into_iter().map(|row| row.cut(plan.columns.len())).collect();
    Ok(Rows { table: Table { columns: names(&plan.columns), rows: cells(plan, rows)?, total }, more, end })
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
