//! What would not fit into memory, or into a message, is refused; what does not fit at once comes in pieces.

use diracx_db::DbUrl;
use diracx_jobs::compression::compress;
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use futures::TryStreamExt;
use tonic::{Code, Status};

use crate::{
    harness::{Jobs, reason, record, update},
    seed,
    sql::execute,
};

/// Gives every job descriptions of a megabyte, as submitted and as executed.
async fn describe_at_length(jobs: &Jobs) {
    let text = compress(&format!("[Executable = \"x\"; Arguments = \"{}\";]", "y".repeat(1_000_000)));
    let sql = format!("UPDATE JobJDLs SET JDL = '{text}', OriginalJDL = '{text}'");
    execute(&jobs.databases.job_db, &sql).await;
}

/// Gives every job so many records.
async fn record_often(jobs: &Jobs, count: u32) {
    let (numbers, from) = match &jobs.databases.job_logging_db {
        DbUrl::Sqlite(_) => (
            format!(
                "WITH RECURSIVE numbers(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < {count}) "
            ),
            "numbers".to_owned(),
        ),
        DbUrl::MySql(_) => (String::new(), format!("seq_1_to_{count}")),
    };
    for job in jobs.finds("carol", vec![]).await.unwrap() {
        let sql = format!(
            "INSERT INTO LoggingInfo (JobID, SeqNum, Status, MinorStatus, ApplicationStatus, StatusTime, StatusTimeOrder, StatusSource)
            {numbers}SELECT {job}, seq, 'Running', 'idem', 'step', '2026-11-20 10:00:00', 523000000 + seq, 'Test' FROM {from}"
        );
        execute(&jobs.databases.job_logging_db, &sql).await;
    }
}

fn must_be_too_large<T: std::fmt::Debug>(answer: Result<T, Status>, sentence: &str) {
    let status = answer.map(|_| "an answer").unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, sentence));
    assert_eq!(reason(Err::<(), _>(status)), "ANSWER_TOO_LARGE");
}

on_both_backends! {
    async fn descriptions_come_as_far_as_they_fit_into_a_message(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 50).await;
        describe_at_length(&jobs).await;
        let ids: Vec<i64> = (1..=50).collect();
        let sentence = "The descriptions of these jobs have more than 60 MiB: ask for fewer jobs at once";
        must_be_too_large(jobs.descriptions("carol", &ids).await, sentence);
        must_be_too_large(jobs.descriptions("carol", &[7; 50]).await, sentence);
        let found = jobs.descriptions("carol", &ids[..30]).await.unwrap();
        assert!(found.iter().all(|outcome| format!("{:?}", outcome.result).contains("Description(")));
        let request = pb::RescheduleJobsRequest { job_ids: ids, reset_counters: false };
        let answer = jobs.client.clone().reschedule_jobs(jobs.request("carol", request)).await;
        must_be_too_large(answer, sentence);
    }

    async fn a_job_that_is_named_twice_is_described_twice(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 2).await;
        let found = jobs.descriptions("carol", &[1, 2, 1, 9, 1]).await.unwrap();
        let told: Vec<_> = found
            .into_iter()
            .map(|outcome| (outcome.job_id, matches!(outcome.result, Some(pb::job_description_outcome::Result::Description(_)))))
            .collect();
        assert_eq!(told, [(1, true), (2, true), (1, true), (9, false), (1, true)]);
    }

    async fn histories_come_as_far_as_they_fit_into_a_message(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 60).await;
        record_often(&jobs, 2_000).await;
        let ids: Vec<i64> = (1..=60).collect();
        let sentence = "The histories of these jobs have more than 100000 records: ask for fewer jobs at once";
        must_be_too_large(jobs.histories("carol", &ids).await, sentence);
        must_be_too_large(jobs.search("carol", |asked| asked.include_history = true).await, sentence);
        let sentence = "The histories of these jobs have more than 60 MiB: ask for fewer jobs at once";
        must_be_too_large(jobs.histories("carol", &[7; 1_000]).await, sentence);
        assert_eq!(jobs.histories("carol", &ids[..40]).await.unwrap().len(), 40);

        // A stream goes on with smaller messages.
        let request = pb::StreamSearchJobsRequest { include_history: true, read_mask: vec!["JobID".into()], ..Default::default() };
        let found = jobs.client.clone().stream_search_jobs(jobs.request("carol", request)).await.unwrap().into_inner();
        let messages: Vec<_> = found.try_collect().await.unwrap();
        assert_eq!(messages.iter().map(|message| message.histories.len()).collect::<Vec<_>>(), [50, 10]);
        let records = messages.iter().flat_map(|message| &message.histories).map(|history| history.records.len());
        assert!(records.eq([2_000; 60]));
    }

    async fn a_long_history_does_not_hide_where_it_stands(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 1).await;
        record_often(&jobs, 2_000).await;
        // Older than the newest: recorded behind it, and no news.
        let old = jobs.set_status("carol", 1, "2026-10-20T10:00:00Z".parse().unwrap(), diracx_core::JobStatus::Done).await.unwrap();
        assert_eq!(old, None);
        assert_eq!(jobs.history_length("carol", 1).await, 2_001);
        let sequences = "JobID = 1 AND SeqNum = 2001 AND Status = 'Done'";
        assert_eq!(crate::sql::count(&jobs.databases.job_logging_db, "LoggingInfo", sequences).await, 1);
    }

    async fn one_call_brings_so_many_records_and_no_more(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 1).await;
        let refused = jobs.set_statuses("carol", vec![update(1, vec![record(jobs.now(), None); 50_001])]).await;
        let status = refused.unwrap_err();
        assert_eq!(status.message(), "updates: has 50001 records, 50000 is the limit");
    }
}
