//! Task queues: waiting jobs by what they demand; compiled once per backend.
//!
//! The tables are shared with DIRAC, whose own have no `ON DELETE CASCADE`, so what belongs to a queue is deleted by
//! name. DIRAC counts in `Enabled` who is about to put a job into a queue, downwards from 1: a queue is removed only
//! from 1 upwards, or a job could be put into one that is gone. Whoever removes a queue holds its row.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{dsl::sql, prelude::*, sql_types::Double};
use diesel_async::RunQueryDsl;
use diracx_core::{JobId, config::Config};
use diracx_db::{
    Bind, DbResult,
    statement::{BulkUpdate, one_of},
};

use super::{Conn, dialect};
use crate::{
    logic::shares::{self, Demand, GroupShare, Queue},
    store::schema::task_queue::{
        banned_sites, grid_ces, job_types, platforms, sites, tags, tq_jobs, tq_task_queues,
    },
};

/// A group of a VO, whose share its queues divide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) vo: String,
    pub(super) name: String,
}

/// The queues that one call looked at.
pub(super) struct Page {
    /// In ascending order.
    pub(super) queues: Vec<i64>,
    pub(super) groups: BTreeSet<Group>,
}

/// The jobs wait no more: takes them out of their queues, removes the queues that are empty then, and divides the
/// shares anew where a queue went.
///
/// A crash before JobDB is committed leaves jobs that are in no queue although they wait, and whose caller was told of
/// no success: calling again puts that right.
pub(super) async fn leave(conn: &mut Conn, jobs: &[JobId], config: &Config) -> DbResult<()> {
    let mut left = BTreeSet::new();
    for jobs in jobs.chunks(10_000) {
        let jobs: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
        let queues: Vec<i64> = tq_jobs::table
            .filter(one_of(tq_jobs::job_id, jobs.iter().copied()))
            .select(tq_jobs::tq_id)
            .distinct()
            .load(conn)
            .await?;
        if queues.is_empty() {
            continue;
        }
        // By both columns: DiracX's own table has no index by job alone, and without one every row would be locked.
        let those = tq_jobs::tq_id.eq_any(queues.clone()).and(tq_jobs::job_id.eq_any(jobs));
        lock(conn, &queues).await?;
        diesel::delete(tq_jobs::table.filter(those)).execute(conn).await?;
        left.extend(queues);
    }
    if left.is_empty() {
        return Ok(());
    }
    let left: Vec<i64> = left.into_iter().collect();
    let groups = groups_of(conn, &left).await?;
    if !remove_empty(conn, &left).await?.is_empty() {
        divide(conn, &groups, config, None).await?;
    }
    Ok(())
}

/// Queues behind a number, locked.
pub(super) async fn page(conn: &mut Conn, after: i64, count: i64) -> DbResult<Page> {
    let rows: Vec<(i64, String, String)> = dialect::locked!(
        tq_task_queues::table
            .filter(tq_task_queues::tq_id.gt(after))
            .order(tq_task_queues::tq_id)
            .limit(count)
            .select((tq_task_queues::tq_id, tq_task_queues::vo, tq_task_queues::owner_group))
    )
    .load(conn)
    .await?;
    Ok(Page {
        queues: rows.iter().map(|(id, ..)| *id).collect(),
        groups: rows.into_iter().map(|(_, vo, name)| Group { vo, name }).collect(),
    })
}

/// Locks queues, in one order for everybody.
async fn lock(conn: &mut Conn, queues: &[i64]) -> DbResult<()> {
    let rows = tq_task_queues::table.filter(tq_task_queues::tq_id.eq_any(queues.to_vec()));
    let rows = rows.order(tq_task_queues::tq_id).select(tq_task_queues::tq_id);
    let _: Vec<i64> = dialect::locked!(rows).load(conn).await?;
    Ok(())
}

async fn groups_of(conn: &mut Conn, queues: &[i64]) -> DbResult<BTreeSet<Group>> {
    let mut groups = BTreeSet::new();
    for queues in queues.chunks(10_000) {
        let rows: Vec<(String, String)> = tq_task_queues::table
            .filter(tq_task_queues::tq_id.eq_any(queues.to_vec()))
            .select((tq_task_queues::vo, tq_task_queues::owner_group))
            .distinct()
            .load(conn)
            .await?;
        groups.extend(rows.into_iter().map(|(vo, name)| Group { vo, name }));
    }
    Ok(groups)
}

/// Removes those of the queues, which are locked, that have no jobs and into which nobody is about to put one.
pub(super) async fn remove_empty(conn: &mut Conn, queues: &[i64]) -> DbResult<Vec<i64>> {
    let mut removed = Vec::new();
    for queues in queues.chunks(10_000) {
        // Joined, so that the lock covers both tables: a subquery would look at the past.
        let empty: Vec<i64> = dialect::locked!(
            tq_task_queues::table
                .left_join(tq_jobs::table)
                .filter(tq_task_queues::tq_id.eq_any(queues.to_vec()))
                .filter(tq_task_queues::enabled.ge(1))
                .filter(tq_jobs::job_id.is_null())
                .select(tq_task_queues::tq_id)
        )
        .load(conn)
        .await?;
        if empty.is_empty() {
            continue;
        }
        macro_rules! delete_from {
            ($($table:ident),+) => {$(
                let rows = $table::table.filter($table::tq_id.eq_any(empty.clone()));
                diesel::delete(rows).execute(conn).await?;
            )+};
        }
        delete_from!(sites, grid_ces, banned_sites, platforms, job_types, tags);
        let rows = tq_task_queues::table.filter(tq_task_queues::tq_id.eq_any(empty.clone()));
        diesel::delete(rows).execute(conn).await?;
        removed.extend(empty);
    }
    Ok(removed)
}

/// Divides the shares of groups among their queues anew, and writes what changed: of all their queues, or only of
/// `some`. How many changed. A group that the configuration does not know keeps its priorities.
pub(super) async fn divide(
    conn: &mut Conn,
    groups: &BTreeSet<Group>,
    config: &Config,
    some: Option<&[i64]>,
) -> DbResult<usize> {
    let mut changes: BTreeMap<i64, f64> = BTreeMap::new();
    for (group, queues) in with_jobs(conn, groups).await? {
        if let Some(configured) = config.group(&group.vo, &group.name) {
            changes.extend(shares::changes(&queues, GroupShare::from(configured)));
        }
    }
    if let Some(some) = some {
        changes.retain(|id, _| some.binary_search(id).is_ok());
    }
    let rows: Vec<_> =
        changes.iter().map(|(id, priority)| (Bind::Int(*id), vec![Some(Bind::Float(*priority))])).collect();
    for rows in rows.chunks(1_000) {
        let update = BulkUpdate { table: "tq_TaskQueues", key: "TQId", columns: &["Priority"], rows };
        update.execute(conn).await?;
    }
    Ok(changes.len())
}

/// The queues of groups that have jobs, in ascending order, with what they demand.
async fn with_jobs(conn: &mut Conn, groups: &BTreeSet<Group>) -> DbResult<BTreeMap<Group, Vec<Queue>>> {
    type Row = (i64, String, String, String, i64, f64, f64);
    let mut demands = demands(conn, groups).await?;
    let rows: Vec<Row> = tq_task_queues::table
        .inner_join(tq_jobs::table)
        .filter(tq_task_queues::vo.eq_any(vos(groups)))
        .filter(tq_task_queues::owner_group.eq_any(names(groups)))
        .group_by((
            tq_task_queues::tq_id,
            tq_task_queues::vo,
            tq_task_queues::owner_group,
            tq_task_queues::owner,
            tq_task_queues::cpu_time,
            tq_task_queues::priority,
        ))
        .order(tq_task_queues::tq_id)
        .select((
            tq_task_queues::tq_id,
            tq_task_queues::vo,
            tq_task_queues::owner_group,
            tq_task_queues::owner,
            tq_task_queues::cpu_time,
            // FLOAT for DIRAC, DOUBLE for DiracX; as a sum a double for both.
            sql::<Double>("tq_TaskQueues.Priority + 0.0e0"),
            sql::<Double>("AVG(tq_Jobs.RealPriority) + 0.0e0"),
        ))
        .load(conn)
        .await?;
    let mut found: BTreeMap<Group, Vec<Queue>> = BTreeMap::new();
    for (id, vo, name, owner, cpu_time, priority, urgency) in rows {
        let group = Group { vo, name };
        if groups.contains(&group) {
            let demand = Demand { cpu_time, values: demands.remove(&id).unwrap_or_default() };
            found.entry(group).or_default().push(Queue { id, owner, demand, urgency, priority });
        }
    }
    Ok(found)
}

/// What decides over the priority of the queues of groups: all their demands but sites.
async fn demands(
    conn: &mut Conn,
    groups: &BTreeSet<Group>,
) -> DbResult<BTreeMap<i64, BTreeMap<&'static str, BTreeSet<String>>>> {
    let mut found: BTreeMap<i64, BTreeMap<&'static str, BTreeSet<String>>> = BTreeMap::new();
    macro_rules! read_from {
        ($($table:ident),+) => {$(
            let rows: Vec<(i64, String)> = tq_task_queues::table
                .inner_join($table::table)
                .filter(tq_task_queues::vo.eq_any(vos(groups)))
                .filter(tq_task_queues::owner_group.eq_any(names(groups)))
                .select(($table::tq_id, $table::value))
                .load(conn)
                .await?;
            for (id, value) in rows {
                found.entry(id).or_default().entry(stringify!($table)).or_default().insert(value);
            }
        )+};
    }
    read_from!(grid_ces, platforms, job_types, tags);
    Ok(found)
}

fn vos(groups: &BTreeSet<Group>) -> Vec<String> {
    groups.iter().map(|group| group.vo.clone()).collect()
}

fn names(groups: &BTreeSet<Group>) -> Vec<String> {
    groups.iter().map(|group| group.name.clone()).collect()
}
