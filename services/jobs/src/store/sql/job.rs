//! Jobs and their descriptions; compiled once per backend.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::{JobId, jdl::FinishedJob};
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkInsert, BulkUpdate, one_of},
};

use super::{Conn, dialect};
use crate::{
    compression,
    error::Result,
    logic::{
        metadata::{ATTRIBUTES, Attribute, AttributeValue},
        submission::initial_status,
        transitions::{self, StoredStatus},
    },
    store::{
        Ownership, StoredDescription, Submission, Submitted,
        schema::{job_jdls, jobs},
    },
};

/// A submission with all that can be done before its transaction begins.
pub(super) struct Prepared {
    pub(super) submission: Submission,
    /// The compressed original descriptions.
    originals: Vec<String>,
}

impl Prepared {
    pub(super) fn new(submission: Submission) -> Self {
        let originals = submission.jobs.iter().map(|job| compression::compress(&job.original_jdl)).collect();
        Self { submission, originals }
    }
}

const JDL_COLUMNS: &[&str] = &["JDL", "JobRequirements", "OriginalJDL"];

const JOB_COLUMNS: &[&str] = &[
    "JobID",
    "JobType",
    "JobGroup",
    "Site",
    "JobName",
    "Owner",
    "OwnerGroup",
    "VO",
    "SubmissionTime",
    "LastUpdateTime",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "UserPriority",
    "RescheduleCounter",
    "VerifiedFlag",
    "AccountedFlag",
];

/// Inserts jobs with their descriptions and input files, and returns the numbers they got.
pub(super) async fn insert(conn: &mut Conn, prepared: &Prepared) -> Result<Submitted> {
    let Submission { jobs, at, .. } = &prepared.submission;
    let mut ids = Vec::with_capacity(jobs.len());
    for originals in prepared.originals.chunks(BulkInsert::rows_per_statement(JDL_COLUMNS.len())) {
        let rows: Vec<_> = originals
            .iter()
            .map(|original| vec![Bind::from(""), Bind::from(""), original.as_str().into()])
            .collect();
        insert_rows(conn, "JobJDLs", JDL_COLUMNS, &rows).await?;
        ids.extend(
            dialect::inserted_ids(conn, originals.len()).await.map_err(DbError::from)?.into_iter().map(JobId),
        );
    }
    let finished =
        ids.iter().zip(jobs.iter()).map(|(id, job)| job.finish(*id)).collect::<Result<Vec<_>, _>>()?;

    let descriptions: Vec<_> = ids
        .iter()
        .zip(&finished)
        .map(|(id, job)| (Bind::Int(id.get()), vec![Some(compression::compress(&job.jdl).into())]))
        .collect();
    for rows in descriptions.chunks(1_000) {
        BulkUpdate { table: "JobJDLs", key: "JobID", columns: &["JDL"], rows }
            .execute(conn)
            .await
            .map_err(DbError::from)?;
    }

    let rows: Vec<_> =
        ids.iter().zip(&finished).map(|(id, job)| row(*id, job, &prepared.submission)).collect();
    insert_rows(conn, "Jobs", JOB_COLUMNS, &rows).await?;

    let inputs: Vec<_> = ids
        .iter()
        .zip(&finished)
        .flat_map(|(id, job)| job.input_data.iter().flatten().map(move |lfn| (*id, lfn)))
        .map(|(id, lfn)| vec![Bind::Int(id.get()), lfn.as_str().into(), "AprioriGood".into()])
        .collect();
    insert_rows(conn, "InputData", &["JobID", "LFN", "Status"], &inputs).await?;

    Ok(Submitted { ids, parametric: jobs.iter().any(|job| job.parametric), at: *at })
}

fn row(id: JobId, job: &FinishedJob, submission: &Submission) -> Vec<Bind> {
    let attributes = &job.attributes;
    let or = |value: &Option<String>, default: &str| Bind::from(value.as_deref().unwrap_or(default));
    let (status, minor_status) = initial_status(submission.jobs.iter().any(|job| job.parametric));
    let at = UtcTime::from(submission.at);
    vec![
        Bind::Int(id.get()),
        or(&attributes.job_type, "user"),
        or(&attributes.job_group, "00000000"),
        or(&attributes.site, "ANY"),
        or(&attributes.job_name, "Unknown"),
        submission.owner.as_str().into(),
        submission.owner_group.as_str().into(),
        submission.vo.as_str().into(),
        at.into(),
        at.into(),
        status.as_str().into(),
        minor_status.into(),
        "Unknown".into(),
        Bind::Int(i64::from(attributes.user_priority)),
        Bind::Int(0),
        "True".into(),
        "False".into(),
    ]
}

async fn insert_rows(
    conn: &mut Conn,
    table: &'static str,
    columns: &'static [&'static str],
    rows: &[Vec<Bind>],
) -> DbResult<()> {
    for rows in rows.chunks(BulkInsert::rows_per_statement(columns.len())) {
        BulkInsert { table, columns, rows, or_keep: false }.execute(conn).await?;
    }
    Ok(())
}

/// Whose the jobs are; missing jobs are absent.
pub(super) async fn ownerships(conn: &mut Conn, ids: &[JobId]) -> DbResult<BTreeMap<JobId, Ownership>> {
    let rows: Vec<(i64, String, String, String)> = jobs::table
        .filter(one_of(jobs::job_id, numbers(ids)))
        .select((jobs::job_id, jobs::owner, jobs::owner_group, jobs::vo))
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, owner, owner_group, vo)| (JobId(id), Ownership { owner, owner_group, vo }))
        .collect())
}

/// The descriptions of the jobs; missing jobs are absent.
pub(super) async fn descriptions(
    conn: &mut Conn,
    ids: &[JobId],
) -> DbResult<BTreeMap<JobId, StoredDescription>> {
    type Row = (i64, String, String, String, String, String);
    let rows: Vec<Row> = jobs::table
        .inner_join(job_jdls::table)
        .filter(one_of(jobs::job_id, numbers(ids)))
        .select((
            jobs::job_id,
            jobs::owner,
            jobs::owner_group,
            jobs::vo,
            job_jdls::original_jdl,
            job_jdls::jdl,
        ))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(id, owner, owner_group, vo, original_jdl, jdl)| {
            let read = |column: &'static str, text: &str| {
                compression::decompress(text).map_err(|problem| DbError::Inconsistency {
                    table: "JobJDLs",
                    column,
                    row: id.to_string(),
                    problem: problem.to_string(),
                })
            };
            let description = StoredDescription {
                original_jdl: read("OriginalJDL", &original_jdl)?,
                jdl: read("JDL", &jdl)?,
                ownership: Ownership { owner, owner_group, vo },
            };
            Ok((JobId(id), description))
        })
        .collect()
}

/// The status columns of a job, locked.
pub(super) struct StatusRow {
    pub(super) status: StoredStatus,
    pub(super) minor_status: String,
    pub(super) has_started: bool,
    pub(super) has_ended: bool,
    pub(super) verified: bool,
    pub(super) reschedule_counter: i64,
}

/// Locks and returns the status of every listed job that exists. Missing jobs are absent from the map.
pub(super) async fn lock_statuses(conn: &mut Conn, ids: &[JobId]) -> DbResult<BTreeMap<JobId, StatusRow>> {
    type Row = (i64, String, String, Option<UtcTime>, Option<UtcTime>, String, i64);
    // In one order, so that two calls with the same jobs do not wait for each other.
    let rows: Vec<Row> = dialect::locked!(
        jobs::table.filter(one_of(jobs::job_id, numbers(ids))).order(jobs::job_id).select((
            jobs::job_id,
            jobs::status,
            jobs::minor_status,
            jobs::start_exec_time,
            jobs::end_exec_time,
            jobs::verified_flag,
            jobs::reschedule_counter,
        ))
    )
    .load(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, status, minor_status, start, end, verified, reschedule_counter)| {
            let row = StatusRow {
                status: StoredStatus::read(&status),
                minor_status,
                has_started: start.is_some(),
                has_ended: end.is_some(),
                verified: verified == "True",
                reschedule_counter,
            };
            (JobId(id), row)
        })
        .collect())
}

const STATUS_COLUMNS: &[&str] = &[
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "HeartBeatTime",
    "StartExecTime",
    "EndExecTime",
    "LastUpdateTime",
];

/// Writes what the plans change.
pub(super) async fn update_statuses(conn: &mut Conn, plans: &[(JobId, transitions::Plan)]) -> DbResult<()> {
    let rows: Vec<_> = plans
        .iter()
        .map(|(id, plan)| {
            let change = &plan.change;
            let time = |time: Option<DateTime<Utc>>| time.map(|time| Bind::from(UtcTime::from(time)));
            let values = vec![
                change.status.as_ref().map(|status| Bind::from(status.to_string())),
                change.minor_status.as_deref().map(Bind::from),
                change.application_status.as_deref().map(Bind::from),
                time(change.heart_beat_time),
                time(change.start_exec_time),
                time(change.end_exec_time),
                time(change.last_update_time),
            ];
            (Bind::Int(id.get()), values)
        })
        .collect();
    for rows in rows.chunks(1_000) {
        let update = BulkUpdate { table: "Jobs", key: "JobID", columns: STATUS_COLUMNS, rows };
        if update.changes_anything() {
            update.execute(conn).await?;
        }
    }
    Ok(())
}

/// Sets columns of jobs.
pub(super) async fn set_attributes(
    conn: &mut Conn,
    jobs: &[(JobId, &BTreeMap<Attribute, AttributeValue>)],
) -> DbResult<()> {
    let bind = |value: &AttributeValue| match value {
        AttributeValue::Text(text) => Bind::from(text.as_str()),
        AttributeValue::Int(number) => Bind::Int((*number).into()),
        AttributeValue::Time(time) => UtcTime::from(*time).into(),
    };
    let rows: Vec<_> = jobs
        .iter()
        .map(|(id, columns)| {
            let values = ATTRIBUTES.iter().map(|column| columns.get(column).map(bind)).collect();
            (Bind::Int(id.get()), values)
        })
        .collect();
    for rows in rows.chunks(500) {
        let update = BulkUpdate { table: "Jobs", key: "JobID", columns: ATTRIBUTES, rows };
        if update.changes_anything() {
            update.execute(conn).await?;
        }
    }
    Ok(())
}

/// Notes that the jobs are alive.
pub(super) async fn set_heart_beat_times(conn: &mut Conn, ids: &[JobId], now: DateTime<Utc>) -> DbResult<()> {
    if !ids.is_empty() {
        diesel::update(jobs::table.filter(one_of(jobs::job_id, numbers(ids))))
            .set(jobs::heart_beat_time.eq(UtcTime::from(now)))
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn numbers(ids: &[JobId]) -> impl Iterator<Item = i64> {
    ids.iter().map(|id| id.get())
}
