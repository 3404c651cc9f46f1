//! Sandboxes that nobody needs any more; compiled once per backend.
//!
//! Removing takes three steps, so that no remote call is made in a transaction: the rows are marked, the bytes are
//! removed, and the rows that still bear the mark are deleted. What is wanted again meanwhile loses the mark, and
//! its row stays.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{dsl::exists, prelude::*};
use diesel_async::RunQueryDsl;
use diracx_db::{DbResult, UtcTime};

use super::{Conn, sandbox::GOING};
use crate::store::{
    sandbox::{Claim, Claimed, Unneeded},
    schema::sandbox::{sb_entity_mapping, sb_sandboxes},
};

/// Marks sandboxes of a kind: found first, and each looked at again when it is marked.
pub(super) async fn claim(conn: &mut Conn, claim: &Claim) -> DbResult<Claimed> {
    let before = UtcTime::from(claim.before);
    let assigned = claim.kind == Unneeded::Orphaned;
    let found: Vec<(i64, String, i64)> = sb_sandboxes::table
        .filter(sb_sandboxes::sb_id.gt(claim.after))
        .filter(sb_sandboxes::assigned.eq(assigned))
        .filter(sb_sandboxes::last_access_time.lt(before))
        .filter(sb_sandboxes::se_name.eq(&claim.storage_element))
        .filter(sb_sandboxes::se_pfn.like(format!("/S3/{}/%", claim.bucket)))
        .filter(diesel::dsl::not(exists(
            sb_entity_mapping::table.filter(sb_entity_mapping::sb_id.eq(sb_sandboxes::sb_id)),
        )))
        .order(sb_sandboxes::sb_id)
        .limit(claim.limit)
        .select((sb_sandboxes::sb_id, sb_sandboxes::se_pfn, sb_sandboxes::bytes))
        .load(conn)
        .await?;
    let last = found.last().map(|row| row.0);
    let more = i64::try_from(found.len()).is_ok_and(|count| count >= claim.limit);
    let ids: Vec<i64> = found.iter().map(|row| row.0).collect();
    let mut by_id: BTreeMap<i64, (String, i64)> =
        found.into_iter().map(|(id, pfn, bytes)| (id, (pfn, bytes))).collect();
    let mut rows = Vec::with_capacity(ids.len());
    for ids in ids.chunks(1_000) {
        diesel::update(
            sb_sandboxes::table
                .filter(sb_sandboxes::sb_id.eq_any(ids.to_vec()))
                .filter(sb_sandboxes::assigned.eq(assigned))
                .filter(sb_sandboxes::last_access_time.lt(before))
                .filter(diesel::dsl::not(exists(
                    sb_entity_mapping::table.filter(sb_entity_mapping::sb_id.eq(sb_sandboxes::sb_id)),
                ))),
        )
        .set((sb_sandboxes::last_access_time.eq(GOING), sb_sandboxes::assigned.eq(false)))
        .execute(conn)
        .await?;
        rows.extend(marked(conn, ids).await?.into_iter().filter_map(|id| {
            let (pfn, bytes) = by_id.remove(&id)?;
            Some((id, pfn.parse().ok()?, bytes))
        }));
    }
    Ok(Claimed { rows, last, more })
}

/// Those of the rows that bear the mark.
pub(super) async fn marked(conn: &mut Conn, ids: &[i64]) -> DbResult<BTreeSet<i64>> {
    let marked: Vec<i64> = sb_sandboxes::table
        .filter(sb_sandboxes::sb_id.eq_any(ids))
        .filter(sb_sandboxes::assigned.eq(false))
        .filter(sb_sandboxes::last_access_time.eq(GOING))
        .select(sb_sandboxes::sb_id)
        .load(conn)
        .await?;
    Ok(marked.into_iter().collect())
}

/// Deletes the rows that still bear the mark.
pub(super) async fn forget(conn: &mut Conn, ids: &[i64]) -> DbResult<usize> {
    Ok(diesel::delete(
        sb_sandboxes::table
            .filter(sb_sandboxes::sb_id.eq_any(ids))
            .filter(sb_sandboxes::assigned.eq(false))
            .filter(sb_sandboxes::last_access_time.eq(GOING))
            .filter(diesel::dsl::not(exists(
                sb_entity_mapping::table.filter(sb_entity_mapping::sb_id.eq(sb_sandboxes::sb_id)),
            ))),
    )
    .execute(conn)
    .await?)
}
