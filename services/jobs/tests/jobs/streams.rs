//! Searches and submissions of any size.

use std::collections::BTreeSet;

use diracx_core::search::{Direction, Filter, Sort};
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use futures::{StreamExt, TryStreamExt, channel::mpsc, future::join_all, stream};
use tonic::{Code, Status};

use crate::{
    harness::{HELLO, Jobs, reason, rows},
    seed,
    sql::execute,
};

type Found = tonic::Streaming<pb::StreamSearchJobsResponse>;

async fn open(jobs: &Jobs, who: &str, request: &pb::StreamSearchJobsRequest) -> Result<Found, Status> {
    let request = jobs.request(who, request.clone());
    Ok(jobs.client.clone().stream_search_jobs(request).await?.into_inner())
}

fn numbers(message: &pb::StreamSearchJobsResponse) -> Vec<i64> {
    let found = pb::SearchJobsResponse { table: message.table.clone(), ..Default::default() };
    rows(found).iter().map(|row| row[0].parse().unwrap()).collect()
}

async fn submit_stream(
    jobs: &Jobs,
    who: &str,
    request_id: &str,
    batches: &[&[String]],
) -> Result<Vec<pb::SubmittedBatch>, Status> {
    let message = |(i, jdls): (usize, &&[String])| pb::StreamSubmitJobsRequest {
        // It is read from the first message.
        request_id: if i == 0 { request_id.into() } else { String::new() },
        jdls: jdls.to_vec(),
    };
    let messages: Vec<_> = batches.iter().enumerate().map(message).collect();
    let request = jobs.request(who, stream::iter(messages));
    Ok(jobs.client.clone().stream_submit_jobs(request).await?.into_inner().batches)
}

fn jdls(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("Executable = \"x\"; JobName = \"{name}-{i}\";")).collect()
}

fn ids(batches: &[pb::SubmittedBatch]) -> Vec<Vec<i64>> {
    batches.iter().map(|batch| batch.job_ids.clone()).collect()
}

on_both_backends! {
    async fn a_stream_brings_every_job_once_and_goes_on_where_it_broke(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 3_500).await;
        let request = pb::StreamSearchJobsRequest {
            search: Some(vec![Filter::equals("VO", "vo1")].into()),
            sort: vec![Sort { parameter: "LastUpdateTime".into(), direction: Direction::Descending }.into()],
            read_mask: vec!["JobID".into(), "Status".into()],
            ..Default::default()
        };
        let whole: Vec<i64> = jobs
            .search("carol", |asked| {
                asked.search.clone_from(&request.search);
                asked.sort.clone_from(&request.sort);
                asked.read_mask.clone_from(&request.read_mask);
                asked.page_size = 10_000;
            })
            .await
            .map(|found| rows(found).iter().map(|row| row[0].parse().unwrap()).collect())
            .unwrap();
        assert!(whole.len() > 500, "{}", whole.len());
        let everything = pb::StreamSearchJobsRequest { search: None, ..request.clone() };
        let messages: Vec<_> = open(&jobs, "carol", &everything).await.unwrap().try_collect().await.unwrap();
        assert!(messages.len() > 3, "{} messages", messages.len());
        let all: Vec<i64> = messages.iter().flat_map(numbers).collect();
        assert_eq!(all, (1..=3_500).rev().collect::<Vec<i64>>());
        assert!(messages.iter().all(|message| message.table.as_ref().unwrap().columns == ["JobID", "Status"]));
        for (i, message) in messages.iter().enumerate() {
            let resumed = pb::StreamSearchJobsRequest { resume_token: message.resume_token.clone(), ..everything.clone() };
            let rest: Vec<_> = open(&jobs, "carol", &resumed).await.unwrap().try_collect().await.unwrap();
            let before = messages[..=i].iter().flat_map(numbers);
            assert_eq!(before.chain(rest.iter().flat_map(numbers)).collect::<Vec<_>>(), all);
        }
        let filtered: Vec<_> = open(&jobs, "carol", &request).await.unwrap().try_collect().await.unwrap();
        assert_eq!(filtered.iter().flat_map(numbers).collect::<Vec<_>>(), whole);
        // dave's VO has none of them.
        let others: Vec<_> = open(&jobs, "dave", &everything).await.unwrap().try_collect().await.unwrap();
        assert_eq!(others, []);

        let foreign = pb::StreamSearchJobsRequest { resume_token: messages[0].resume_token.clone(), ..request };
        let error = open(&jobs, "carol", &foreign).await.unwrap_err();
        assert_eq!(error.message(), "resume_token: belongs to another search: only its place may change");
    }

    async fn a_limit_counts_across_a_broken_stream(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 2_600).await;
        let request = pb::StreamSearchJobsRequest { limit: 2_300, read_mask: vec!["JobID".into()], ..Default::default() };
        let messages: Vec<_> = open(&jobs, "carol", &request).await.unwrap().try_collect().await.unwrap();
        assert_eq!(messages.iter().map(|message| numbers(message).len()).collect::<Vec<_>>(), [1_000, 1_000, 300]);
        let resumed = pb::StreamSearchJobsRequest { resume_token: messages[1].resume_token.clone(), ..request.clone() };
        let rest: Vec<_> = open(&jobs, "carol", &resumed).await.unwrap().try_collect().await.unwrap();
        assert_eq!(rest.iter().flat_map(numbers).collect::<Vec<_>>(), (2_001..=2_300).collect::<Vec<_>>());
        let ended = pb::StreamSearchJobsRequest { resume_token: messages[2].resume_token.clone(), ..request };
        assert_eq!(open(&jobs, "carol", &ended).await.unwrap().next().await.map(Result::unwrap), None);
    }

    async fn rows_are_read_when_the_client_takes_them(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 5_000).await;
        let mut found = open(&jobs, "carol", &pb::StreamSearchJobsRequest::default()).await.unwrap();
        assert_eq!(numbers(&found.next().await.unwrap().unwrap()).len(), 1_000);
        execute(&jobs.databases.job_db, "DELETE FROM Jobs WHERE JobID > 4000").await;
        let rest: Vec<_> = found.try_collect().await.unwrap();
        assert_eq!(rest.iter().flat_map(numbers).collect::<Vec<_>>(), (1_001..=4_000).collect::<Vec<_>>());
    }

    async fn rows_that_are_returned_once_come_once(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 2_500).await;
        for sort in [vec![], vec![Sort { parameter: "JobName".into(), direction: Direction::Ascending }.into()]] {
            let request = pb::StreamSearchJobsRequest { distinct: true, read_mask: vec!["Site".into()], sort, ..Default::default() };
            let messages: Vec<_> = open(&jobs, "carol", &request).await.unwrap().try_collect().await.unwrap();
            assert_eq!(messages.iter().map(|message| message.table.as_ref().unwrap().rows.len()).sum::<usize>(), 50);
        }
    }

    async fn each_row_has_its_history_if_asked_for(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        let request = pb::StreamSearchJobsRequest { include_history: true, read_mask: vec!["Status".into()], ..Default::default() };
        let messages: Vec<_> = open(&jobs, "alice", &request).await.unwrap().try_collect().await.unwrap();
        let told: Vec<_> = messages[0].histories.iter().map(|history| (history.job_id, history.records.len())).collect();
        assert_eq!(told, ids.iter().map(|id| (*id, 1)).collect::<Vec<_>>());
    }

    async fn a_search_that_makes_no_sense_does_not_begin(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let check = async |request: pb::StreamSearchJobsRequest| reason(open(&jobs, "alice", &request).await);
        let search = |filter| Some(vec![filter].into());
        assert_eq!(check(pb::StreamSearchJobsRequest { search: search(Filter::equals("Colour", "blue")), ..Default::default() }).await, "INVALID_SEARCH");
        assert_eq!(check(pb::StreamSearchJobsRequest { limit: -1, ..Default::default() }).await, "INVALID_FIELD");
        assert_eq!(check(pb::StreamSearchJobsRequest { resume_token: "rubbish".into(), ..Default::default() }).await, "INVALID_FIELD");
        assert_eq!(reason(open(&jobs, "petra", &pb::StreamSearchJobsRequest::default()).await), "FORBIDDEN");
    }

    async fn a_stream_ends_with_its_deadline(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 5_000).await;
        let mut request = jobs.request("carol", pb::StreamSearchJobsRequest::default());
        let patience = std::time::Duration::from_secs(2);
        let end = tokio::time::Instant::now() + patience;
        request.set_timeout(patience);
        let mut found = jobs.client.clone().stream_search_jobs(request).await.unwrap().into_inner();
        found.next().await.unwrap().unwrap();
        // What passes here is the deadline itself.
        tokio::time::sleep_until(end).await;
        assert_eq!(found.next().await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    }

    async fn a_stream_makes_more_jobs_than_a_call(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (first, second) = (jdls("a", 60), jdls("b", 3));
        let series = vec![r#"Executable = "x"; JobName = "p%n"; Parameters = 25;"#.to_owned()];
        let made = submit_stream(&jobs, "alice", "s-1", &[&first, &second, &series]).await.unwrap();
        assert_eq!(ids(&made).iter().map(Vec::len).collect::<Vec<_>>(), [60, 3, 25]);
        assert_eq!((made[0].status(), made[2].status()), (pb::JobStatus::Received, pb::JobStatus::Submitting));
        assert_eq!((made[0].minor_status.as_str(), made[0].repeated_batch), ("Job accepted", false));
        let names = jobs
            .search("alice", |asked| {
                asked.read_mask = vec!["JobID".into(), "JobName".into()];
                asked.search = Some(vec![Filter::equals("JobName", "b-2")].into());
            })
            .await
            .unwrap();
        assert_eq!(rows(names), [[made[1].job_ids[2].to_string(), "b-2".to_owned()]]);
    }

    async fn a_repeated_stream_makes_nothing_twice(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (a, b, c) = (jdls("a", 3), jdls("b", 3), jdls("c", 1));
        let first = submit_stream(&jobs, "alice", "s-1", &[&a, &b]).await.unwrap();
        let again = submit_stream(&jobs, "alice", "s-1", &[&a, &b, &c]).await.unwrap();
        assert_eq!(ids(&again)[..2], ids(&first)[..]);
        assert_eq!(again.iter().map(|batch| batch.repeated_batch).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(again[0].submission_time, first[0].submission_time);
        // The same name of somebody else means something else.
        assert!(!submit_stream(&jobs, "bob", "s-1", &[&a]).await.unwrap()[0].repeated_batch);
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 7 + 3);
    }

    async fn a_call_repeated_as_a_stream_or_a_stream_as_a_call_makes_nothing_twice(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (a, b) = (jdls("a", 3), jdls("b", 3));
        let texts = |jdls: &[String]| jdls.to_vec();
        let call = async |name: &str, jdls: Vec<String>| {
            jobs.submit_as_call("alice", &jdls.iter().map(String::as_str).collect::<Vec<_>>(), name).await
        };
        let called = call("c-1", texts(&a)).await.unwrap();
        let streamed = submit_stream(&jobs, "alice", "c-1", &[&a]).await.unwrap();
        assert_eq!((ids(&streamed).concat(), streamed[0].repeated_batch), (called, true));
        let streamed = submit_stream(&jobs, "alice", "s-1", &[&a, &b]).await.unwrap();
        assert_eq!(call("s-1", texts(&a)).await.unwrap(), ids(&streamed)[0]);
        assert_eq!(reason(call("s-1", [a, b].concat()).await), "REQUEST_ID_REUSED");
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 3 + 6);
    }

    async fn a_batch_that_would_fill_the_memory_is_refused(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let long = format!("Executable = \"x\"; Arguments = \"{}\"; Parameters = 10000;", "y".repeat(1_000_000));
        let error = submit_stream(&jobs, "alice", "s-1", &[&[long]]).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(
            error.message(),
            "batch 0: The job descriptions of one call may have 67108864 bytes in all: submit fewer jobs at once"
        );
        assert_eq!(reason(Err::<(), _>(error)), "TOO_MANY_JOBS");
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 0);
    }

    async fn a_batch_of_more_than_one_statement_keeps_its_order(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let many = jdls("m", 2_300);
        let made = submit_stream(&jobs, "alice", "s-1", &[&many]).await.unwrap();
        let numbers = &made[0].job_ids;
        let first = numbers[0];
        assert_eq!(*numbers, (first..first + 2_300).collect::<Vec<_>>());
        let found = jobs
            .search("alice", |asked| {
                asked.read_mask = vec!["JobID".into(), "JobName".into()];
                asked.page_size = 10_000;
            })
            .await
            .unwrap();
        let expected: Vec<_> = (0..).zip(numbers).map(|(i, id)| [id.to_string(), format!("m-{i}")]).collect();
        assert_eq!(rows(found), expected);
        let last = jobs.descriptions("alice", &numbers[2_299..]).await.unwrap().remove(0);
        let Some(pb::job_description_outcome::Result::Description(last)) = last.result else { panic!("no description") };
        assert!(last.jdl.contains("JobName = \"m-2299\"") && last.jdl.contains(&format!("JobID = {};", first + 2_299)));
        assert_eq!(jobs.history_length("alice", first + 2_299).await, 1);
    }

    async fn a_repeated_batch_must_be_what_it_was(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (a, b) = (jdls("a", 3), jdls("b", 3));
        submit_stream(&jobs, "alice", "s-1", &[&a]).await.unwrap();
        for other in [&[&b[..]][..], &[&a[..2]], &[&a[..2], &a[2..]]] {
            let error = submit_stream(&jobs, "alice", "s-1", other).await.unwrap_err();
            assert_eq!(error.code(), Code::AlreadyExists);
            assert_eq!(error.message(), "batch 0: this request_id was used for other job descriptions");
            assert_eq!(reason(Err::<(), _>(error)), "REQUEST_ID_REUSED");
        }
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 3);
    }

    async fn a_connection_that_breaks_between_batches_costs_nothing(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (a, b) = (jdls("a", 3), jdls("b", 3));
        let (mut send, messages) = mpsc::channel(1);
        send.try_send(pb::StreamSubmitJobsRequest { request_id: "s-1".into(), jdls: a.clone() }).unwrap();
        let mut client = jobs.client.clone();
        let request = jobs.request("alice", messages);
        let call = tokio::spawn(async move { client.stream_submit_jobs(request).await });
        while jobs.finds("alice", vec![]).await.unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        let made = submit_stream(&jobs, "alice", "s-1", &[&a, &b]).await.unwrap();
        assert_eq!(made.iter().map(|batch| batch.repeated_batch).collect::<Vec<_>>(), [true, false]);
        assert_eq!(jobs.finds("alice", vec![]).await.unwrap(), ids(&made).concat());
    }

    async fn the_same_stream_twice_at_once_makes_its_jobs_once(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let batches: Vec<Vec<String>> = (0..6).map(|i| jdls(&format!("b{i}"), 4)).collect();
        let batches: Vec<&[String]> = batches.iter().map(Vec::as_slice).collect();
        let calls = (0..4).map(|_| submit_stream(&jobs, "alice", "s-1", &batches));
        let made: BTreeSet<Vec<Vec<i64>>> = join_all(calls).await.into_iter().map(|made| ids(&made.unwrap())).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(jobs.finds("alice", vec![]).await.unwrap().len(), 24);
    }

    async fn the_first_batch_that_cannot_be_made_ends_the_stream(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (good, bad) = (jdls("a", 2), vec![HELLO.to_owned(), "Executable = ;".to_owned()]);
        let error = submit_stream(&jobs, "alice", "s-1", &[&good, &bad, &good]).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "batch 1: JDL syntax error"));
        assert_eq!(reason(Err::<(), _>(error)), "INVALID_JDL");
        assert_eq!(jobs.finds("alice", vec![]).await.unwrap().len(), 2);
        // Corrected, it goes on.
        let made = submit_stream(&jobs, "alice", "s-1", &[&good, &good]).await.unwrap();
        assert_eq!(made.iter().map(|batch| batch.repeated_batch).collect::<Vec<_>>(), [true, false]);
    }

    async fn what_no_stream_may_do_is_refused(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let some = jdls("a", 1);
        assert_eq!(reason(submit_stream(&jobs, "alice", "", &[&some]).await), "INVALID_FIELD");
        assert_eq!(reason(submit_stream(&jobs, "alice", &"x".repeat(65), &[&some]).await), "INVALID_FIELD");
        assert_eq!(reason(submit_stream(&jobs, "alice", "s-1", &[]).await), "INVALID_FIELD");
        assert_eq!(reason(submit_stream(&jobs, "alice", "s-1", &[&[]]).await), "INVALID_JDL");
        let large = vec![format!("Executable = \"x\"; Arguments = \"{}\";", "y".repeat(1 << 20)); 4];
        let error = submit_stream(&jobs, "alice", "s-1", &[&large]).await.unwrap_err();
        assert_eq!(error.message(), "batch 0: jdls: is larger than 4 MiB with the others of its message");
        let many = vec!["Executable = \"x\"; Parameters = 10001;".to_owned()];
        assert_eq!(reason(submit_stream(&jobs, "alice", "s-1", &[&many]).await), "TOO_MANY_JOBS");
        let mixed = vec![some[0].clone(), "Executable = \"x\"; Parameters = 2;".to_owned()];
        assert_eq!(reason(submit_stream(&jobs, "alice", "s-1", &[&mixed]).await), "INVALID_JDL");
        assert_eq!(reason(submit_stream(&jobs, "carol", "s-1", &[&some]).await), "FORBIDDEN");
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 0);
    }
}
