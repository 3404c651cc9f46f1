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
    let row: Option<(String, String, String, String)> = pilots::table
        .find(id)
        .select((pilots::vo, pilots::grid_site, pilots::destination_site, pilots::status))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(vo, grid_site, destination_site, status)| {
        (id, Holder { vo, grid_site, destination_site, status })
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
        let rows: Vec<(i64, String)> = pilots::table
            .filter(pilots::pilot_id.eq_any(numbers))
            .select((pilots::pilot_id, pilots::vo))
            .load(conn)
            .await?;
        let vos: std::collections::BTreeMap<i64, String> = rows.into_iter().collect();
        found.extend(ids.iter().filter_map(|(stamp, id)| Some((stamp.clone(), vos.get(id)?.clone()))));
    }
    Ok(found)
}

/// The pilots of these grid sites that have not ended, of one VO or of any.
pub(super) async fn alive_at(
    conn: &mut Conn,
    sites: &BTreeSet<String>,
    vo: Option<&str>,
) -> DbResult<BTreeSet<PilotStamp>> {
    let ended = PilotStatus::ALL.iter().filter(|status| status.is_final()).map(|status| status.as_str());
    let ended: Vec<&str> = ended.collect();
    let sites: Vec<&String> = sites.iter().collect();
    let mut found = BTreeSet::new();
    for sites in sites.chunks(SITES) {
        let rows: Vec<(String, String, String)> = pilots::table
            .filter(pilots::grid_site.eq_any(sites.to_vec()))
            .filter(pilots::status.ne_all(ended.clone()))
            .select((pilots::pilot_stamp, pilots::grid_site, pilots::vo))
            .load(conn)
            .await?;
        for (stamp, site, of) in rows {
            // MySQL compares without regard to case
            if sites.contains(&&site) && vo.is_none_or(|vo| vo == of) {
                found.extend(stamp.parse());
            }
        }
    }
    Ok(found)
}
