//! `SiteHistory` and `ResourceHistory`.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{DbResult, UtcTime};

use super::{
    Conn,
    rows::{StatusRow, stored},
};
use crate::{
    logic::history::{Past, Record},
    model::Kind,
    store::schema::{resource_history, site_history},
};

macro_rules! page {
    ($conn:ident, $past:ident, $table:ident) => {{
        let Past { target, from, to, before, limit } = $past;
        let status_types: Vec<&str> = target.status_types.iter().map(|of| of.as_str()).collect();
        let mut query = $table::table
            .filter($table::name.eq(&target.name))
            .filter($table::vo.eq(&target.vo))
            .filter($table::status_type.eq_any(status_types))
            // of the past that DIRAC has written not all rows say the type
            .filter($table::element_type.eq_any([target.element_type.as_str(), ""]))
            .order(($table::date_effective.desc(), $table::id.desc()))
            .limit(i64::try_from(*limit).unwrap_or(i64::MAX))
            .select((
                $table::id,
                (
                    $table::name,
                    $table::status_type,
                    $table::vo,
                    $table::status,
                    $table::reason,
                    $table::date_effective,
                    $table::token_expiration,
                    $table::element_type,
                    $table::last_check_time,
                    $table::token_owner,
                ),
            ))
            .into_boxed();
        if let Some(from) = from {
            query = query.filter($table::date_effective.ge(UtcTime::from(*from)));
        }
        if let Some(to) = to {
            query = query.filter($table::date_effective.lt(UtcTime::from(*to)));
        }
        if let Some((time, id)) = before {
            let time = UtcTime::from(*time);
            query = query.filter(
                $table::date_effective.lt(time).or($table::date_effective.eq(time).and($table::id.lt(*id))),
            );
        }
        let rows: Vec<(i64, StatusRow)> = query.load($conn).await?;
        rows
    }};
}

/// A page of the past, newest first.
pub(super) async fn records(conn: &mut Conn, past: &Past) -> DbResult<Vec<Record>> {
    let kind = past.target.element_type.kind();
    let rows = match kind {
        Kind::Site => page!(conn, past, site_history),
        Kind::Resource => page!(conn, past, resource_history),
    };
    Ok(rows.into_iter().map(|(id, row)| (id, stored(kind, row))).collect())
}
