//! `StatusPlans` and `StatusReturns`.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{DbError, DbResult, UtcTime};

use super::{Conn, dialect};
use crate::{
    model::{Kind, Planned, Prior, Return, RowKey},
    store::schema::{status_plans as plans, status_returns as returns},
};

type Key = (String, String, String, String);
type PlanRow = (Key, String, String, String, UtcTime, Option<UtcTime>, UtcTime, String);
type ReturnRow = (Key, UtcTime, String, Option<String>, String, UtcTime, String);

/// What is planned.
pub(super) async fn load(conn: &mut Conn, locked: bool) -> DbResult<Vec<Planned>> {
    let query = plans::table.order((plans::kind, plans::name, plans::status_type, plans::vo)).select((
        (plans::kind, plans::name, plans::status_type, plans::vo),
        plans::element_type,
        plans::status,
        plans::reason,
        plans::effective_time,
        plans::drain_from,
        plans::expiration_time,
        plans::token_owner,
    ));
    let rows: Vec<PlanRow> = rows!(conn, query, locked: locked);
    rows.into_iter().map(planned).collect()
}

/// What expires.
pub(super) async fn load_returns(conn: &mut Conn, locked: bool) -> DbResult<Vec<Return>> {
    let query =
        returns::table.order((returns::kind, returns::name, returns::status_type, returns::vo)).select((
            (returns::kind, returns::name, returns::status_type, returns::vo),
            returns::expiration_time,
            returns::status,
            returns::prior_status,
            returns::prior_reason,
            returns::prior_expiration,
            returns::prior_owner,
        ));
    let rows: Vec<ReturnRow> = rows!(conn, query, locked: locked);
    rows.into_iter().map(expiring).collect()
}

fn key(table: &'static str, (kind, name, status_type, vo): Key) -> DbResult<RowKey> {
    let kind: Kind = kind.parse().map_err(|()| DbError::Inconsistency {
        table,
        column: "Kind",
        row: format!("{name}, {status_type}, {vo}"),
        problem: format!("it is {kind:?}"),
    })?;
    Ok(RowKey { kind, name, status_type, vo })
}

fn planned(row: PlanRow) -> DbResult<Planned> {
    let (of, element_type, status, reason, effective, drain_from, expiration, owner) = row;
    Ok(Planned {
        key: key("StatusPlans", of)?,
        element_type,
        status,
        reason,
        effective: effective.utc(),
        drain_from: drain_from.map(UtcTime::utc),
        expiration: expiration.utc(),
        owner,
    })
}

fn expiring(row: ReturnRow) -> DbResult<Return> {
    let (of, expiration, status, prior_status, reason, prior_expiration, owner) = row;
    let prior =
        prior_status.map(|status| Prior { status, reason, expiration: prior_expiration.utc(), owner });
    Ok(Return { key: key("StatusReturns", of)?, expiration: expiration.utc(), status, prior })
}
