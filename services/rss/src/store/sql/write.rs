//! Writes what was decided: each table in as few statements as it takes.

use diesel_async::RunQueryDsl;
use diracx_db::{
    Bind, DbResult, UtcTime,
    statement::{BulkDeleteRows, BulkInsert, BulkUpsert},
};

use super::Conn;
use crate::{
    logic::plan::Changes,
    model::{Kind, Planned, Return, RowKey, Stored},
};

const KEY: &[&str] = &["Name", "StatusType", "VO"];
const STATUS: &[&str] =
    &["Status", "Reason", "DateEffective", "TokenExpiration", "ElementType", "LastCheckTime", "TokenOwner"];
const RECORD: &[&str] = &[
    "Name",
    "StatusType",
    "VO",
    "Status",
    "Reason",
    "DateEffective",
    "TokenExpiration",
    "ElementType",
    "LastCheckTime",
    "TokenOwner",
];
const OUR_KEY: &[&str] = &["Kind", "Name", "StatusType", "VO"];
const PLAN: &[&str] =
    &["ElementType", "Status", "Reason", "EffectiveTime", "DrainFrom", "ExpirationTime", "TokenOwner"];
const RETURN: &[&str] =
    &["ExpirationTime", "Status", "PriorStatus", "PriorReason", "PriorExpiration", "PriorOwner"];

/// The tables of a kind.
struct Tables {
    kind: Kind,
    status: &'static str,
    log: &'static str,
    history: &'static str,
}

const TABLES: [Tables; 2] = [
    Tables { kind: Kind::Site, status: "SiteStatus", log: "SiteLog", history: "SiteHistory" },
    Tables { kind: Kind::Resource, status: "ResourceStatus", log: "ResourceLog", history: "ResourceHistory" },
];

pub(super) async fn changes(conn: &mut Conn, changes: &Changes) -> DbResult<()> {
    for Tables { kind, status, log, history } in TABLES {
        let of_kind = changes.statuses.iter().filter(|(key, _)| key.kind == kind);
        let (put, gone) = divide(of_kind.map(|(key, row)| (dirac_key(key), row.as_ref().map(status_row))));
        upsert(conn, status, KEY, STATUS, &put).await?;
        delete(conn, status, KEY, &gone).await?;
        let records =
            |rows: &[Stored]| rows.iter().filter(|row| row.key.kind == kind).map(record).collect::<Vec<_>>();
        append(conn, log, &records(&changes.log)).await?;
        append(conn, history, &records(&changes.history)).await?;
    }
    let plans = changes.plans.iter().map(|(key, plan)| (our_key(key), plan.as_ref().map(plan_row)));
    let (put, gone) = divide(plans);
    upsert(conn, "StatusPlans", OUR_KEY, PLAN, &put).await?;
    delete(conn, "StatusPlans", OUR_KEY, &gone).await?;
    let returns = changes.returns.iter().map(|(key, row)| (our_key(key), row.as_ref().map(return_row)));
    let (put, gone) = divide(returns);
    upsert(conn, "StatusReturns", OUR_KEY, RETURN, &put).await?;
    delete(conn, "StatusReturns", OUR_KEY, &gone).await
}

/// Rows to write, whole, and keys to remove.
fn divide(rows: impl Iterator<Item = (Vec<Bind>, Option<Vec<Bind>>)>) -> (Vec<Vec<Bind>>, Vec<Vec<Bind>>) {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for (mut key, row) in rows {
        match row {
            Some(row) => {
                key.extend(row);
                put.push(key);
            }
            None => gone.push(key),
        }
    }
    (put, gone)
}

async fn upsert(
    conn: &mut Conn,
    table: &'static str,
    key: &'static [&'static str],
    columns: &'static [&'static str],
    rows: &[Vec<Bind>],
) -> DbResult<()> {
    for rows in rows.chunks(BulkInsert::rows_per_statement(key.len() + columns.len())) {
        BulkUpsert { table, key, columns, rows }.execute(conn).await?;
    }
    Ok(())
}

async fn delete(
    conn: &mut Conn,
    table: &'static str,
    columns: &'static [&'static str],
    keys: &[Vec<Bind>],
) -> DbResult<()> {
    for keys in keys.chunks(BulkDeleteRows::ROWS_PER_STATEMENT) {
        BulkDeleteRows { table, columns, keys }.execute(conn).await?;
    }
    Ok(())
}

async fn append(conn: &mut Conn, table: &'static str, rows: &[Vec<Bind>]) -> DbResult<()> {
    for rows in rows.chunks(BulkInsert::rows_per_statement(RECORD.len())) {
        BulkInsert { table, columns: RECORD, rows, or_keep: false }.execute(conn).await?;
    }
    Ok(())
}

fn dirac_key(key: &RowKey) -> Vec<Bind> {
    vec![key.name.as_str().into(), key.status_type.as_str().into(), key.vo.as_str().into()]
}

fn our_key(key: &RowKey) -> Vec<Bind> {
    let mut columns = vec![key.kind.as_str().into()];
    columns.extend(dirac_key(key));
    columns
}

fn status_row(row: &Stored) -> Vec<Bind> {
    vec![
        row.status.as_str().into(),
        row.reason.as_str().into(),
        UtcTime::from(row.effective).into(),
        UtcTime::from(row.expiration).into(),
        row.element_type.as_str().into(),
        UtcTime::from(row.last_check).into(),
        row.owner.as_str().into(),
    ]
}

fn record(row: &Stored) -> Vec<Bind> {
    let mut columns = dirac_key(&row.key);
    columns.extend(status_row(row));
    columns
}

fn plan_row(plan: &Planned) -> Vec<Bind> {
    vec![
        plan.element_type.as_str().into(),
        plan.status.as_str().into(),
        plan.reason.as_str().into(),
        UtcTime::from(plan.effective).into(),
        plan.drain_from.map(UtcTime::from).into(),
        UtcTime::from(plan.expiration).into(),
        plan.owner.as_str().into(),
    ]
}

fn return_row(row: &Return) -> Vec<Bind> {
    let prior = row.prior.as_ref();
    vec![
        UtcTime::from(row.expiration).into(),
        row.status.as_str().into(),
        prior.map(|prior| prior.status.as_str()).into(),
        prior.map_or("", |prior| prior.reason.as_str()).into(),
        UtcTime::from(prior.map_or_else(crate::model::never, |prior| prior.expiration)).into(),
        prior.map_or("", |prior| prior.owner.as_str()).into(),
    ]
}
