//! Jobs and their descriptions; compiled once per backend.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::{
    JobId,
    jdl::{FinishedJob, JobDescription},
};
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkInsert, BulkUpdate, one_of, pieces},
};

use super::{Conn, dialect};
use crate::{
    compression,
    error::{Error, MOST_BYTES_IN_ANSWER, Result},
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

/// How many jobs are inserted at once.
const MOST_ROWS: usize = 1_000;

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
    for originals in pieces(&prepared.originals, MOST_ROWS, String::len) {
        let rows: Vec<_> = originals
            .iter()
            .map(|original| vec![Bind::from(""), Bind::from(""), original.as_str().into()])
            .collect();
        insert_rows(conn, "JobJDLs", JDL_COLUMNS, &rows).await?;
        ids.extend(
            dialect::inserted_ids(conn, originals.len()).await.map_err(DbError::from)?.into_iter().map(JobId),
        );
    }
    let parametric = jobs.iter().any(|job| job.parametric);
    let jobs: Vec<_> = ids.iter().copied().zip(jobs.iter()).collect();
    for jobs in pieces(&jobs, MOST_ROWS, |(_, job)| job.original_jdl.len()) {
        insert_numbered(conn, jobs, &prepared.submission, parametric).await?;
    }
    Ok(Submitted { ids, parametric, at: *at })
}

/// Finishes some jobs with their numbers, and inserts what they have besides their row in `JobJDLs`.
async fn insert_numbered(
    conn: &mut Conn,
    jobs: &[(JobId, &JobDescription)],
    submission: &Submission,
    parametric: bool,
) -> Result<()> {
    let (mut descriptions, mut rows, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
    for (id, job) in jobs {
        let job = job.finish(*id)?;
        descriptions.push((Bind::Int(id.get()), vec![Some(compression::compress(&job.jdl).into())]));
        rows.push(row(*id, &job, submission, parametric));
        let input = |lfn: &String| vec![Bind::Int(id.get()), lfn.as_str().into(), "AprioriGood".into()];
        inputs.extend(job.input_data.iter().flatten().map(input));
    }
    let update = BulkUpdate { table: "JobJDLs", key: "JobID", columns: &["JDL"], rows: &descriptions };
    update.execute(conn).await.map_err(DbError::from)?;
    insert_rows(conn, "Jobs", JOB_COLUMNS, &rows).await?;
    Ok(insert_rows(conn, "InputData", &["JobID", "LFN", "Status"], &inputs).await?)
}

fn row(id: JobId, job: &FinishedJob, submission: &Submission, parametric: bool) -> Vec<Bind> {
    let attributes = &job.attributes;
    let or = |value: &Option<String>, default: &str| Bind::from(value.as_deref().unwrap_or(default));
    let (status, minor_status) = initial_status(parametric);
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

/// How many jobs' descriptions are read at once: those of one job may have megabytes.
const DESCRIPTIONS_AT_ONCE: usize = 32;

/// The descriptions of the jobs; missing jobs are absent. They are given up when they are too much for an answer.
pub(super) async fn descriptions(
    conn: &mut Conn,
    ids: &[JobId],
) -> Result<BTreeMap<JobId, StoredDescription>> {
    let mut found = BTreeMap::new();
    let mut bytes = 0;
    for ids in ids.chunks(DESCRIPTIONS_AT_ONCE) {
        for (id, row) in some_descriptions(conn, ids).await? {
            let description = row.read(id)?;
            bytes += description.bytes();
            if bytes > MOST_BYTES_IN_ANSWER {
                return Err(Error::too_large("The descriptions"));
            }
            found.insert(JobId(id), description);
        }
    }
    Ok(found)
}

/// Descriptions as they are stored, and whose they are.
struct Packed {
    ownership: Ownership,
    original_jdl: String,
    jdl: String,
}

async fn some_descriptions(conn: &mut Conn, ids: &[JobId]) -> DbResult<Vec<(i64, Packed)>> {
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
    let packed = |(id, owner, owner_group, vo, original_jdl, jdl)| {
        (id, Packed { ownership: Ownership { owner, owner_group, vo }, original_jdl, jdl })
    };
    Ok(rows.into_iter().map(packed).collect())
}

impl Packed {
    fn read(self, id: i64) -> DbResult<StoredDescription> {
        let read = |column: &'static str, text: &str| {
            compression::decompress(text).map_err(|problem| DbError::Inconsistency {
                table: "JobJDLs",
                column,
                row: id.to_string(),
                problem: problem.to_string(),
            })
        };
        Ok(StoredDescription {
            original_jdl: read("OriginalJDL", &self.original_jdl)?,
            jdl: read("JDL", &self.jdl)?,
            ownership: self.ownership,
        })
    }
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
