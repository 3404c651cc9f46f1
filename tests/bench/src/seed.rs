//! A well-filled installation: jobs of many owners, straight into the tables, each with its first records.

use std::io::Write as _;

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use diracx_db::{Bind, statement::BulkInsert};

use crate::{direct::Direct, place::Place};

/// Who owns every fourth job, and is measured as a user.
pub(crate) const OWNER: &str = "alice";

/// What a job asks to be run: as long as a production's job description is.
pub(crate) const JDL: &str = r#"
    JobName = "reconstruction_00012345";
    JobType = "User";
    JobGroup = "00012345";
    Executable = "run.sh";
    Arguments = "--events 1000 --seed 4711 --conditions 2026-11 --output histograms.root";
    StdOutput = "std.out";
    StdError = "std.err";
    OutputSandbox = { "std.out", "std.err", "histograms.root" };
    CPUTime = 86400;
    Priority = 3;
    Site = "ANY";
"#;

/// How many rows go into one statement.
const ROWS: i64 = 500;

const SITES: usize = 40;
const OWNERS: usize = 50;

/// How the jobs of an installation are distributed, in percent.
const STATUSES: &[(&str, &str, usize)] = &[
    ("Done", "Execution Complete", 55),
    ("Failed", "Application Finished With Errors", 12),
    ("Running", "Job Initialization", 15),
    ("Waiting", "Pilot Agent Submission", 12),
    ("Received", "Job accepted", 3),
    ("Killed", "Marked for termination", 3),
];

/// The site with this number.
pub(crate) fn site(number: usize) -> String {
    format!("LCG.Site{number:02}.org")
}

/// The status of the job with this number, and its minor status.
///
/// Statuses are spread over owners and sites: each has all of them.
fn status(job: usize) -> (&'static str, &'static str) {
    let place = job * 37 % 100;
    let mut sum = 0;
    for (status, minor, percent) in STATUSES {
        sum += percent;
        if place < sum {
            return (status, minor);
        }
    }
    (STATUSES[0].0, STATUSES[0].1)
}

fn owner(job: usize) -> String {
    if job % 4 == 1 { OWNER.to_owned() } else { format!("user{:02}", job / 4 % OWNERS) }
}

/// The jobs of [`OWNER`] among the first so many.
pub(crate) fn owned(jobs: i64) -> Vec<i64> {
    (1..=jobs).filter(|job| job % 4 == 1).collect()
}

/// Fills the tables, which are there and empty, with so many jobs numbered from one.
pub(crate) async fn fill(place: &Place, jobs: i64, now: DateTime<Utc>) -> Result<()> {
    let mut job_db = Direct::open(place.backend, &place.url("JOBDB")?).await?;
    let mut logging_db = Direct::open(place.backend, &place.url("JOBLOGGINGDB")?).await?;
    let description = packed(JDL);
    for first in (1..=jobs).step_by(usize::try_from(ROWS * 20)?) {
        let last = (first + ROWS * 20 - 1).min(jobs);
        job_db.say("BEGIN").await?;
        for first in (first..=last).step_by(usize::try_from(ROWS)?) {
            let numbers = first..=(first + ROWS - 1).min(last);
            insert(&mut job_db, "JobJDLs", JDL_COLUMNS, numbers.clone().map(|job| jdl(job, &description)))
                .await?;
            insert(&mut job_db, "Jobs", JOB_COLUMNS, numbers.map(|job| row(job, now))).await?;
        }
        job_db.say("COMMIT").await?;
        logging_db.say("BEGIN").await?;
        for first in (first..=last).step_by(usize::try_from(ROWS)?) {
            let numbers = first..=(first + ROWS - 1).min(last);
            insert(&mut logging_db, "LoggingInfo", RECORD_COLUMNS, numbers.map(|job| record(job, now)))
                .await?;
        }
        logging_db.say("COMMIT").await?;
    }
    for (conn, tables) in [(&mut job_db, &["Jobs", "JobJDLs"][..]), (&mut logging_db, &["LoggingInfo"])] {
        for table in tables {
            // As a server that has run for a while knows its tables.
            match conn {
                Direct::Sqlite(_) => conn.say(&format!("ANALYZE {table}")).await?,
                Direct::MySql(_) => conn.say(&format!("ANALYZE TABLE {table}")).await?,
            }
        }
    }
    Ok(())
}

async fn insert(
    conn: &mut Direct,
    table: &'static str,
    columns: &'static [&'static str],
    rows: impl Iterator<Item = Vec<Bind>>,
) -> Result<()> {
    let rows: Vec<_> = rows.collect();
    conn.insert(&BulkInsert { table, columns, rows: &rows, or_keep: false }).await
}

fn packed(text: &str) -> String {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(text.as_bytes());
    STANDARD.encode(encoder.finish().unwrap_or_default())
}

const JDL_COLUMNS: &[&str] = &["JobID", "JDL", "JobRequirements", "OriginalJDL"];

fn jdl(job: i64, description: &str) -> Vec<Bind> {
    vec![job.into(), description.into(), "".into(), description.into()]
}

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
    "StartExecTime",
    "HeartBeatTime",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "UserPriority",
];

fn row(job: i64, now: DateTime<Utc>) -> Vec<Bind> {
    let number = usize::try_from(job).unwrap_or_default();
    let (status, minor_status) = status(number);
    let submitted = submission_time(job, now);
    let started = (status != "Waiting" && status != "Received").then(|| submitted + TimeDelta::minutes(20));
    let time = |time: DateTime<Utc>| Bind::from(time.naive_utc());
    vec![
        job.into(),
        "User".into(),
        format!("{:08}", number / 500).into(),
        site(number * 7 % SITES).into(),
        format!("reconstruction_{number:08}").into(),
        owner(number).into(),
        "user".into(),
        "dev".into(),
        time(submitted),
        time(submitted + TimeDelta::hours(1)),
        started.map(|started| started.naive_utc()).into(),
        started.map(|started| (started + TimeDelta::minutes(30)).naive_utc()).into(),
        status.into(),
        minor_status.into(),
        "Unknown".into(),
        3.into(),
    ]
}

/// Some seconds between one submission and the next; the last one is a day ago.
fn submission_time(job: i64, now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(40) + TimeDelta::seconds(job * 30)
}

const RECORD_COLUMNS: &[&str] = &[
    "JobID",
    "SeqNum",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "StatusTime",
    "StatusTimeOrder",
    "StatusSource",
];

fn record(job: i64, now: DateTime<Utc>) -> Vec<Bind> {
    /// `StatusTimeOrder` counts seconds from here.
    const EPOCH: i64 = 1_270_000_000;
    let at = submission_time(job, now);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 2010 are far from 2^53")]
    let order = (at.timestamp() - EPOCH) as f64;
    vec![
        job.into(),
        1.into(),
        "Received".into(),
        "Job accepted".into(),
        "Unknown".into(),
        at.naive_utc().into(),
        order.into(),
        "JobManager".into(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn statuses_are_as_frequent_as_they_should_be() {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for job in 0..1000 {
            *found.entry(status(job).0).or_default() += 1;
        }
        let expected: BTreeMap<_, _> =
            STATUSES.iter().map(|(status, _, percent)| (*status, percent * 10)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_jobs_that_are_measured_belong_to_the_user_who_is() {
        let jobs = owned(100);
        assert_eq!(jobs.len(), 25);
        assert!(jobs.iter().all(|job| owner(usize::try_from(*job).unwrap()) == OWNER));
    }

    #[test]
    fn rows_have_a_value_for_each_column() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(row(1, now).len(), JOB_COLUMNS.len());
        assert_eq!(record(1, now).len(), RECORD_COLUMNS.len());
        assert_eq!(jdl(1, "").len(), JDL_COLUMNS.len());
    }
}
