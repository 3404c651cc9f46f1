//! `SiteHistory` and `ResourceHistory`, and what is not there yet.
//!
//! We write a status into the history when we set it. DIRAC does not: an agent of its own carries over, now and then, what
//! was set. Until then what holds now is the newest part of the past, and an administrator expects to find it there.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{DbResult, UtcTime, statement::exactly};

use super::{
    Conn,
    rows::{StatusRow, stored},
};
use crate::{
    logic::history::{Past, Record},
    model::Kind,
    store::schema::{resource_history, resource_status, site_history, site_status},
};

/// The number of a record that is not written yet: the last one of its time.
const UNWRITTEN: i64 = i64::MAX;

macro_rules! columns {
    ($table:ident) => {
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
        )
    };
}

macro_rules! of_target {
    ($past:ident, $table:ident) => {{
        let target = &$past.target;
        let status_types: Vec<&str> = target.status_types.iter().map(|of| of.as_str()).collect();
        $table::table
            .filter($table::name.eq(&target.name))
            .filter($table::vo.eq(&target.vo))
            .filter(exactly($table::vo, &target.vo))
            .filter($table::status_type.eq_any(status_types))
            // of the past that DIRAC has written not all rows say the type
            .filter($table::element_type.eq_any([target.element_type.as_str(), ""]))
    }};
}

macro_rules! written {
    ($conn:ident, $past:ident, $table:ident) => {{
        let Past { from, to, before, limit, .. } = $past;
        let mut query = of_target!($past, $table)
            .order(($table::date_effective.desc(), $table::id.desc()))
            .limit(i64::try_from(*limit).unwrap_or(i64::MAX))
            .select(($table::id, columns!($table)))
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

macro_rules! unwritten {
    ($conn:ident, $past:ident, $status:ident, $history:ident) => {{
        let rows: Vec<StatusRow> = of_target!($past, $status).select(columns!($status)).load($conn).await?;
        let newest: Vec<(String, Option<UtcTime>)> = of_target!($past, $history)
            .group_by($history::status_type)
            .select(($history::status_type, diesel::dsl::max($history::date_effective)))
            .load($conn)
            .await?;
        (rows, newest)
    }};
}

/// A page of the past, newest first.
pub(super) async fn records(conn: &mut Conn, past: &Past) -> DbResult<Vec<Record>> {
    let kind = past.target.element_type.kind();
    let (written, (present, newest)) = match kind {
        Kind::Site => (written!(conn, past, site_history), unwritten!(conn, past, site_status, site_history)),
        Kind::Resource => {
            let written = written!(conn, past, resource_history);
            (written, unwritten!(conn, past, resource_status, resource_history))
        }
    };
    let newest: BTreeMap<String, UtcTime> =
        newest.into_iter().filter_map(|(status_type, time)| Some((status_type, time?))).collect();
    let present = present.into_iter().map(|row| (UNWRITTEN, stored(kind, row)));
    let unwritten = present.filter(|(number, row)| {
        newest.get(&row.key.status_type).is_none_or(|newest| newest.utc() < row.effective)
            && past.from.is_none_or(|from| row.effective >= from)
            && past.to.is_none_or(|to| row.effective < to)
            && past.before.is_none_or(|before| (row.effective, *number) < before)
    });
    let mut records: Vec<Record> = unwritten.collect();
    records.extend(written.into_iter().map(|(number, row)| (number, stored(kind, row))));
    records.sort_by_key(|(number, row)| std::cmp::Reverse((row.effective, *number)));
    records.truncate(past.limit);
    Ok(records)
}
