//! Jobs straight into the tables: many of them, within seconds.

use diracx_db::DbUrl;

use crate::{harness::Jobs, sql::execute};

/// Makes the jobs 1 to `count`, of several users, VOs, sites and groups, in all states, mostly final ones, as an
/// installation has them; one is changed each second.
pub(crate) async fn jobs(jobs: &Jobs, count: u32) {
    let (numbers, from, time) = match &jobs.databases.job_db {
        DbUrl::Sqlite(_) => (
            format!(
                "WITH RECURSIVE numbers(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < {count}) "
            ),
            "numbers".to_owned(),
            "strftime('%Y-%m-%d %H:%M:%S.000000', 1793491200 + seq, 'unixepoch')",
        ),
        DbUrl::MySql(_) => {
            (String::new(), format!("seq_1_to_{count}"), "TIMESTAMPADD(SECOND, seq, '2026-11-01 00:00:00')")
        }
    };
    // Spread over the numbers, so that what belongs together does not lie together.
    let pick = |multiplier: u32, among: u32| {
        format!("(seq * {multiplier} + CAST((seq - seq % 7) / 7 AS SIGNED)) % {among}")
    };
    let status = "CASE WHEN k < 60 THEN 'Done' WHEN k < 80 THEN 'Failed' WHEN k < 88 THEN 'Waiting' \
        WHEN k < 95 THEN 'Running' WHEN k < 98 THEN 'Matched' ELSE 'Received' END";
    let sql = format!(
        "INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) {numbers}SELECT seq, '', '', '' FROM {from};
        INSERT INTO Jobs (JobID, JobType, JobGroup, Site, JobName, Owner, OwnerGroup, VO, SubmissionTime, LastUpdateTime,
            Status, MinorStatus, ApplicationStatus, UserPriority, RescheduleCounter, VerifiedFlag, AccountedFlag)
        {numbers}SELECT seq, 'User', CONCAT('0000', CAST((seq - seq % 500) / 500 AS SIGNED)), CONCAT('LCG.Site', {site}, '.org'), CONCAT('job-', seq),
            CONCAT('user', {owner}), CONCAT('vo', {vo}, '_user'), CONCAT('vo', {vo}), {time}, {time},
            {status}, CASE WHEN k < 60 THEN 'Execution Complete' ELSE 'Pilot Agent Submission' END, 'Unknown',
            1, 0, 'True', 'False'
        FROM (SELECT seq, {k} AS k FROM {from}) AS spread;
        {analyze}",
        site = pick(31, 50),
        owner = pick(17, 200),
        vo = pick(13, 5),
        k = pick(37, 100),
        // MariaDB gathers its statistics by itself, a little later; SQLite has none.
        analyze = if numbers.is_empty() { "ANALYZE TABLE Jobs" } else { "" },
    );
    execute(&jobs.databases.job_db, &sql).await;
}
