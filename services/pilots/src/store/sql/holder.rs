//! What of a pilot counts for its credentials and its log; compiled once per backend.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::{PilotStamp, PilotStatus};
use diracx_db::DbResult;

use super::{Conn, stamp};
use crate::store::{credential::Holder, own_schema::pilots};

/// How many sites one statement names.
const SITES: usize = 1_000;

/// The pilot with this stamp, and its number.
pub(super) async fn find(conn: &mut Conn, wanted: &PilotStamp) -> DbResult<Option<(i64, Holder)>> {
    let Some(id) = stamp::find(conn, &BTreeSet::from([wanted])).await?.remove(wanted) else {
        return Ok(None);
    };
    let row: Option<(Option<String>, String, String, String)> = pilots::table
        .find(id)
        .select((pilots::vo, pilots::grid_site, pilots::destination_site, pilots::status))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(vo, grid_site, destination_site, status)| {
        (id, Holder { vo: vo.unwrap_or_default(), grid_site, destination_site, status })
    }))
}

/// The VOs of pilots; those that are unknown are absent.
pub(super) async fn vos(
    conn: &mut Conn,
    stamps: &BTreeSet<PilotStamp>,
) -> DbResult<Vec<(PilotStamp, String)>> {
    let wanted: BTreeSet<&PilotStamp> = stamps.iter().collect();
    let ids = stamp::find(conn, &wanted).await?;
    let mut found = Vec::with_capacity(ids.len());
    let ids: Vec<(PilotStamp, i64)> = ids.into_iter().collect();
    for ids in ids.chunks(SITES) {
        let numbers: Vec<i64> = ids.iter().map(|(_, id)| *id).collect();
        let rows: Vec<(i64, Option<String>)> = pilots::table
            .filter(pilots::pilot_id.eq_any(numbers))
            .select((pilots::pilot_id, pilots::vo))
            .load(conn)
            .await?;
        let vos: std::collections::BTreeMap<i64, Option<String>> = rows.into_iter().collect();
        let of = |id| vos.get(id).map(|vo| vo.clone().unwrap_or_default());
        found.extend(ids.iter().filter_map(|(stamp, id)| Some((stamp.clone(), of(id)?))));
    }
    Ok(found)
}

/// The pilots of these grid sites or computing elements that have not ended, of one VO or of any.
pub(super) async fn alive_at(
    conn: &mut Conn,
    grid_sites: &BTreeSet<String>,
    destination_sites: &BTreeSet<String>,
    vo: Option<&str>,
) -> DbResult<BTreeSet<PilotStamp>> {
    let ended = PilotStatus::ALL.iter().filter(|status| status.is_final()).map(|status| status.as_str());
    let alive = pilots::status.ne_all(ended.collect::<Vec<_>>());
    let columns = (pilots::pilot_stamp, pilots::grid_site, pilots::destination_site, pilots::vo);
    let mut rows: Vec<(String, String, String, Option<String>)> = Vec::new();
    for sites in grid_sites.iter().collect::<Vec<_>>().chunks(SITES) {
        let there = pilots::table.filter(pilots::grid_site.eq_any(sites.to_vec())).filter(alive.clone());
        rows.extend(there.select(columns).load(conn).await?);
    }
    for sites in destination_sites.iter().collect::<Vec<_>>().chunks(SITES) {
        let there =
            pilots::table.filter(pilots::destination_site.eq_any(sites.to_vec())).filter(alive.clone());
        rows.extend(there.select(columns).load(conn).await?);
    }
    let mut found = BTreeSet::new();
    for (stamp, site, element, of) in rows {
        // MySQL compares without regard to case
        let there = grid_sites.contains(&site) || destination_sites.contains(&element);
        if there && vo.is_none_or(|vo| Some(vo) == of.as_deref()) {
            found.extend(stamp.parse());
        }
    }
    Ok(found)
}
