//! Sandboxes, their owners and their assignments; compiled once per backend.
//!
//! DIRAC's own tables have no unique key for owners, so that one owner may have several rows: all of them count.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::{
    JobId,
    sandbox::{Pfn, SandboxOwner},
};
use diracx_db::{Bind, DbResult, UtcTime, statement::BulkInsert};

use super::{Conn, dialect};
use crate::store::{
    sandbox::{Assignment, JobSandboxes, KnownSandbox, NewSandbox, SandboxType},
    schema::sandbox::{sb_entity_mapping, sb_owners, sb_sandboxes},
};

/// What `LastAccessTime` is of a sandbox that is being removed. No real one is so old.
pub(super) const GOING: UtcTime = UtcTime(DateTime::UNIX_EPOCH.naive_utc());

/// How many keys one statement names.
const KEYS: usize = 1_000;

/// A row of a sandbox.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) owner_id: i64,
    pub(super) assigned: bool,
    pub(super) going: bool,
}

type Stored = (i64, i64, String, Option<UtcTime>, bool);

/// The rows of sandboxes, locked; those that are unknown are absent.
pub(super) async fn lock(
    conn: &mut Conn,
    storage_element: &str,
    pfns: &BTreeSet<&Pfn>,
) -> DbResult<BTreeMap<Pfn, Row>> {
    let mut found = BTreeMap::new();
    let texts: Vec<&str> = pfns.iter().map(|pfn| pfn.as_str()).collect();
    for texts in texts.chunks(KEYS) {
        let rows: Vec<Stored> = dialect::locked!(
            sb_sandboxes::table
                .filter(sb_sandboxes::se_name.eq(storage_element))
                .filter(sb_sandboxes::se_pfn.eq_any(texts.to_vec()))
                .order(sb_sandboxes::sb_id)
                .select((
                    sb_sandboxes::sb_id,
                    sb_sandboxes::owner_id,
                    sb_sandboxes::se_pfn,
                    sb_sandboxes::last_access_time,
                    sb_sandboxes::assigned
                ))
        )
        .load(conn)
        .await?;
        collect(&mut found, rows);
    }
    // MySQL compares without regard to case.
    found.retain(|pfn, _| pfns.contains(pfn));
    Ok(found)
}

fn collect(found: &mut BTreeMap<Pfn, Row>, rows: Vec<Stored>) {
    for (id, owner_id, pfn, last_access, assigned) in rows {
        if let Ok(pfn) = pfn.parse() {
            let going = !assigned && last_access == Some(GOING);
            found.entry(pfn).or_insert(Row { id, owner_id, assigned, going });
        }
    }
}

/// The sandbox of this name, as it is now.
pub(super) async fn find(
    conn: &mut Conn,
    storage_element: &str,
    pfn: &Pfn,
) -> DbResult<Option<KnownSandbox>> {
    let rows: Vec<Stored> = sb_sandboxes::table
        .filter(sb_sandboxes::se_name.eq(storage_element))
        .filter(sb_sandboxes::se_pfn.eq(pfn.as_str()))
        .order(sb_sandboxes::sb_id)
        .select((
            sb_sandboxes::sb_id,
            sb_sandboxes::owner_id,
            sb_sandboxes::se_pfn,
            sb_sandboxes::last_access_time,
            sb_sandboxes::assigned,
        ))
        .load(conn)
        .await?;
    let mut found = BTreeMap::new();
    collect(&mut found, rows);
    let Some(row) = found.remove(pfn) else { return Ok(None) };
    let owner = owners(conn, [row.owner_id].into()).await?.remove(&row.owner_id);
    Ok(Some(KnownSandbox { owner, assigned: row.assigned, going: row.going }))
}

/// Who is behind rows of owners.
pub(super) async fn owners(conn: &mut Conn, ids: BTreeSet<i64>) -> DbResult<BTreeMap<i64, SandboxOwner>> {
    let rows: Vec<(i64, String, String, String)> = sb_owners::table
        .filter(sb_owners::owner_id.eq_any(ids))
        .select((sb_owners::owner_id, sb_owners::owner, sb_owners::owner_group, sb_owners::vo))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, user, group, vo)| (id, SandboxOwner { vo, group, user })).collect())
}

async fn owner_id(conn: &mut Conn, owner: &SandboxOwner) -> DbResult<Option<i64>> {
    let rows: Vec<(i64, String, String, String)> = sb_owners::table
        .filter(sb_owners::owner.eq(&owner.user))
        .filter(sb_owners::owner_group.eq(&owner.group))
        .filter(sb_owners::vo.eq(&owner.vo))
        .order(sb_owners::owner_id)
        .select((sb_owners::owner_id, sb_owners::owner, sb_owners::owner_group, sb_owners::vo))
        .load(conn)
        .await?;
    // A unique key without regard to case has no room for a second spelling: then the first one stands for both.
    let is_exact = |(_, user, group, vo): &(i64, String, String, String)| {
        *user == owner.user && *group == owner.group && *vo == owner.vo
    };
    let exact = rows.iter().position(is_exact).unwrap_or_default();
    Ok(rows.get(exact).map(|row| row.0))
}

/// Makes sure that the owner and the sandbox have rows.
pub(super) async fn insert(
    conn: &mut Conn,
    storage_element: &str,
    sandbox: &NewSandbox,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let owner = if let Some(id) = owner_id(conn, &sandbox.owner).await? {
        id
    } else {
        let SandboxOwner { vo, group, user } = &sandbox.owner;
        let rows = [vec![user.as_str().into(), group.as_str().into(), vo.as_str().into()]];
        let columns = &["Owner", "OwnerGroup", "VO"];
        BulkInsert { table: "sb_Owners", columns, rows: &rows, or_keep: true }.execute(conn).await?;
        // Whoever came first, the row is there now; in a transaction that began before it was, it is found by a
        // locking read only.
        locked_owner_id(conn, &sandbox.owner).await?
    };
    let at = UtcTime::from(now);
    let rows = [vec![
        Bind::Int(owner),
        storage_element.into(),
        sandbox.pfn.as_str().into(),
        Bind::Int(sandbox.size),
        at.into(),
        at.into(),
        Bind::Int(0),
    ]];
    let columns = &["OwnerId", "SEName", "SEPFN", "Bytes", "RegistrationTime", "LastAccessTime", "Assigned"];
    BulkInsert { table: "sb_SandBoxes", columns, rows: &rows, or_keep: true }.execute(conn).await?;
    Ok(())
}

async fn locked_owner_id(conn: &mut Conn, owner: &SandboxOwner) -> DbResult<i64> {
    Ok(dialect::locked!(
        sb_owners::table
            .filter(sb_owners::owner.eq(&owner.user))
            .filter(sb_owners::owner_group.eq(&owner.group))
            .filter(sb_owners::vo.eq(&owner.vo))
            .order(sb_owners::owner_id)
            .select(sb_owners::owner_id)
            .limit(1)
    )
    .get_result(conn)
    .await?)
}

/// Notes when the sandbox was used.
pub(super) async fn touch(
    conn: &mut Conn,
    storage_element: &str,
    pfn: &Pfn,
    now: DateTime<Utc>,
) -> DbResult<()> {
    diesel::update(sb_sandboxes::table)
        .filter(sb_sandboxes::se_name.eq(storage_element))
        .filter(sb_sandboxes::se_pfn.eq(pfn.as_str()))
        .set(sb_sandboxes::last_access_time.eq(UtcTime::from(now)))
        .execute(conn)
        .await?;
    Ok(())
}

fn entity(job: JobId) -> String {
    format!("Job:{job}")
}

/// What jobs have, oldest first.
pub(super) async fn of_jobs(conn: &mut Conn, jobs: &[JobId]) -> DbResult<BTreeMap<JobId, JobSandboxes>> {
    let mut found: BTreeMap<JobId, JobSandboxes> = BTreeMap::new();
    let entities: Vec<String> = jobs.iter().copied().map(entity).collect();
    for entities in entities.chunks(KEYS) {
        let rows: Vec<(String, String, String)> = sb_entity_mapping::table
            .inner_join(sb_sandboxes::table.on(sb_sandboxes::sb_id.eq(sb_entity_mapping::sb_id)))
            .filter(sb_entity_mapping::entity_id.eq_any(entities))
            .order((sb_sandboxes::registration_time, sb_sandboxes::sb_id))
            .select((sb_entity_mapping::entity_id, sb_entity_mapping::kind, sb_sandboxes::se_pfn))
            .load(conn)
            .await?;
        for (entity, kind, pfn) in rows {
            let job = entity.strip_prefix("Job:").and_then(|number| number.parse().ok());
            if let (Some(job), Some(kind)) = (job, SandboxType::read(&kind)) {
                let of_job = found.entry(job).or_default();
                let list = match kind {
                    SandboxType::Input => &mut of_job.input,
                    SandboxType::Output => &mut of_job.output,
                };
                // DIRAC's own table has no primary key.
                if !list.contains(&pfn) {
                    list.push(pfn);
                }
            }
        }
    }
    Ok(found)
}

/// The assignments that there are, of these sandboxes.
pub(super) async fn mappings(
    conn: &mut Conn,
    jobs: &BTreeSet<JobId>,
) -> DbResult<BTreeSet<(i64, JobId, SandboxType)>> {
    let entities: Vec<String> = jobs.iter().copied().map(entity).collect();
    let mut found = BTreeSet::new();
    for entities in entities.chunks(KEYS) {
        let rows: Vec<(i64, String, String)> = sb_entity_mapping::table
            .filter(sb_entity_mapping::entity_id.eq_any(entities))
            .select((sb_entity_mapping::sb_id, sb_entity_mapping::entity_id, sb_entity_mapping::kind))
            .load(conn)
            .await?;
        found.extend(rows.into_iter().filter_map(|(id, entity, kind)| {
            let job = entity.strip_prefix("Job:")?.parse().ok()?;
            Some((id, job, SandboxType::read(&kind)?))
        }));
    }
    Ok(found)
}

/// Writes assignments, and that their sandboxes are assigned.
pub(super) async fn map(conn: &mut Conn, mappings: &[(i64, &Assignment)]) -> DbResult<()> {
    let rows: Vec<_> = mappings
        .iter()
        .map(|(id, assignment)| {
            vec![Bind::Int(*id), entity(assignment.job).into(), assignment.kind.as_str().into()]
        })
        .collect();
    let columns = &["SBId", "EntityId", "Type"];
    for rows in rows.chunks(BulkInsert::rows_per_statement(columns.len())) {
        BulkInsert { table: "sb_EntityMapping", columns, rows, or_keep: true }.execute(conn).await?;
    }
    let ids: BTreeSet<i64> = mappings.iter().map(|(id, _)| *id).collect();
    set_assigned(conn, ids, true).await
}

async fn set_assigned(conn: &mut Conn, ids: BTreeSet<i64>, assigned: bool) -> DbResult<()> {
    let ids: Vec<i64> = ids.into_iter().collect();
    for ids in ids.chunks(KEYS) {
        diesel::update(sb_sandboxes::table)
            .filter(sb_sandboxes::sb_id.eq_any(ids.to_vec()))
            .set(sb_sandboxes::assigned.eq(assigned))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Ends all assignments of jobs. A sandbox that no other job has is not assigned any more.
pub(super) async fn unmap(conn: &mut Conn, jobs: &[JobId]) -> DbResult<()> {
    let entities: Vec<String> = jobs.iter().copied().map(entity).collect();
    let mut freed = BTreeSet::new();
    for entities in entities.chunks(KEYS) {
        let ids: Vec<i64> = dialect::locked!(
            sb_entity_mapping::table
                .filter(sb_entity_mapping::entity_id.eq_any(entities))
                .select(sb_entity_mapping::sb_id)
        )
        .load(conn)
        .await?;
        freed.extend(ids);
        diesel::delete(sb_entity_mapping::table.filter(sb_entity_mapping::entity_id.eq_any(entities)))
            .execute(conn)
            .await?;
    }
    let ids: Vec<i64> = freed.iter().copied().collect();
    for ids in ids.chunks(KEYS) {
        // Whoever assigns one of them at the same time holds its row: what is looked at next is what he left.
        let rows = sb_sandboxes::table.filter(sb_sandboxes::sb_id.eq_any(ids.to_vec()));
        let rows = rows.order(sb_sandboxes::sb_id).select(sb_sandboxes::sb_id);
        let _: Vec<i64> = dialect::locked!(rows).load(conn).await?;
        let kept: Vec<i64> = sb_entity_mapping::table
            .filter(sb_entity_mapping::sb_id.eq_any(ids.to_vec()))
            .select(sb_entity_mapping::sb_id)
            .load(conn)
            .await?;
        freed.retain(|id| !kept.contains(id));
    }
    set_assigned(conn, freed, false).await
}
