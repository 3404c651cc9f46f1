//! Jobs come in.

use std::collections::BTreeSet;

use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use futures::future::join_all;

use crate::{
    harness::{HELLO, Jobs, reason, rows},
    sql::execute,
};

on_both_backends! {
    async fn a_job_is_stored_as_dirac_stores_it(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO]).await.unwrap();
        let found = rows(jobs.search("alice", |_| ()).await.unwrap());
        let number = ids[0].to_string();
        // MySQL's columns have whole seconds.
        let time = found[0][8].clone();
        assert!(time.starts_with("2026-11-23 10:00:00"), "{time}");
        let expected = [
            &number, "user", "00000000", "ANY", "greeting", "alice", "alpha_user", "alpha", &time, "-", &time, "-", "-",
            "-", "Received", "Job accepted", "Unknown", "1", "0", "true", "false",
        ];
        assert_eq!(found, [expected]);

        let description = jobs.descriptions("alice", &ids).await.unwrap().remove(0);
        let Some(pb::job_description_outcome::Result::Description(description)) = description.result
        else {
            panic!("no description")
        };
        assert_eq!(description.original_jdl, format!("[{HELLO}]"));
        assert!(description.jdl.contains(&format!("JobID = {number};")), "{}", description.jdl);
        assert!(!format!("{description:?}").contains("echo"), "a description in a log");
    }

    async fn ids_follow_each_other_in_the_order_of_the_descriptions(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let names = ["a", "b", "c"].map(|name| format!("Executable = \"x\"; JobName = \"{name}\";"));
        let ids = jobs.submit("alice", &names.each_ref().map(String::as_str)).await.unwrap();
        assert_eq!(ids, [ids[0], ids[0] + 1, ids[0] + 2]);
        let found = jobs
            .search("alice", |request| request.read_mask = vec!["JobID".into(), "JobName".into()])
            .await
            .unwrap();
        let expected: Vec<_> = ids.iter().zip(["a", "b", "c"]).map(|(id, name)| vec![id.to_string(), name.into()]).collect();
        assert_eq!(rows(found), expected);
    }

    async fn all_jobs_of_a_call_are_made_or_none(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        assert_eq!(reason(jobs.submit("alice", &[HELLO, "Executable = ;"]).await), "INVALID_JDL");
        assert_eq!(reason(jobs.submit("alice", &[]).await), "INVALID_JDL");
        assert_eq!(reason(jobs.submit("alice", &[HELLO; 21]).await), "TOO_MANY_JOBS");
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap(), Vec::<i64>::new());
    }

    async fn parameters_make_jobs_that_wait_for_a_confirmation(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[r#"Executable = "x"; JobName = "p%n"; Parameters = {"u", "v"};"#]).await.unwrap();
        let found = jobs
            .search("alice", |request| request.read_mask = vec!["JobName".into(), "Status".into()])
            .await
            .unwrap();
        assert_eq!(ids.len(), 2);
        assert_eq!(rows(found), [["p0", "Submitting"], ["p1", "Submitting"]]);
    }

    async fn a_repeated_call_gets_the_jobs_of_the_first(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let first = jobs.submit_as_call("alice", &[HELLO, HELLO], "call-1").await.unwrap();
        assert_eq!(jobs.submit_as_call("alice", &[HELLO, HELLO], "call-1").await.unwrap(), first);
        let other = jobs.submit_as_call("bob", &[HELLO], "call-1").await.unwrap();
        assert!(!first.contains(&other[0]), "two people's calls are two calls");
        assert_eq!(reason(jobs.submit_as_call("alice", &[HELLO], &"x".repeat(65)).await), "INVALID_FIELD");
    }

    async fn a_repeated_call_must_be_what_it_was(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let other = HELLO.replace("hello", "goodbye");
        jobs.submit_as_call("alice", &[HELLO, HELLO], "call-1").await.unwrap();
        for others in [&[HELLO, &other][..], &[HELLO], &[HELLO, HELLO, HELLO], &["A = ;"]] {
            let error = jobs.submit_as_call("alice", others, "call-1").await.unwrap_err();
            assert_eq!(error.code(), tonic::Code::AlreadyExists);
            assert_eq!(error.message(), "this request_id was used for other job descriptions");
            assert_eq!(reason(Err::<(), _>(error)), "REQUEST_ID_REUSED");
        }
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 2);
    }

    async fn what_was_remembered_without_a_digest_is_still_answered(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let first = jobs.submit_as_call("alice", &[HELLO], "call-1").await.unwrap();
        // As an earlier version kept it.
        let kept = format!(r#"{{"ids":[{}],"parametric":false,"at":"2026-11-23T10:00:00Z"}}"#, first[0]);
        execute(&jobs.databases.job_db, &format!("UPDATE SubmissionRequests SET Jobs = '{kept}'")).await;
        assert_eq!(jobs.submit_as_call("alice", &[HELLO], "call-1").await.unwrap(), first);
    }

    async fn a_call_is_repeated_whatever_the_configuration_says_by_now(db: TestDatabase) {
        let mut jobs = Jobs::start(db).await;
        let series = r#"Executable = "x"; Parameters = 3;"#;
        let first = jobs.submit_as_call("alice", &[series], "call-1").await.unwrap();
        jobs.now_with(|deps| deps.most_jobs_at_once = 2);
        assert_eq!(jobs.submit_as_call("alice", &[series], "call-1").await.unwrap(), first);
        assert_eq!(reason(jobs.submit_as_call("alice", &[series], "call-2").await), "TOO_MANY_JOBS");
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap(), first);
    }

    async fn descriptions_that_fill_more_than_one_statement_stay_with_their_jobs(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        // Noise does not become shorter by compression.
        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'0' + u8::try_from((seed >> 24) % 64).unwrap())
        };
        let jdls: Vec<String> = (0..6)
            .map(|_| {
                let noise: String = (0..800_000).map(|_| noise()).filter(|c| !";[]=".contains(*c)).collect();
                format!("Executable = \"x\"; Arguments = \"{noise}\";")
            })
            .collect();
        let ids = jobs.submit("alice", &jdls.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        let found = jobs.descriptions("alice", &ids).await.unwrap();
        for ((found, jdl), id) in found.into_iter().zip(&jdls).zip(&ids) {
            let Some(pb::job_description_outcome::Result::Description(found)) = found.result else { panic!("no description") };
            assert!(found.original_jdl == format!("[{jdl}]"), "the description of another job");
            assert!(found.jdl.contains(&format!("JobID = {id};")), "another number");
        }
    }

    async fn the_same_call_many_times_at_once_makes_its_jobs_once(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let calls = (0..16).map(|_| jobs.submit_as_call("alice", &[HELLO, HELLO], "call-1"));
        let made: BTreeSet<Vec<i64>> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap().len(), 2);
    }

    async fn a_call_is_forgotten_after_a_day(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let first = jobs.submit_as_call("alice", &[HELLO], "call-1").await.unwrap();
        jobs.clock.advance(chrono::Duration::hours(23));
        for i in 0..3 {
            jobs.submit_as_call("alice", &[HELLO; 20], &format!("early-{i}")).await.unwrap();
        }
        assert_eq!(jobs.submit_as_call("alice", &[HELLO], "call-1").await.unwrap(), first);
        jobs.clock.advance(chrono::Duration::hours(2));
        for i in 0..3 {
            jobs.submit_as_call("alice", &[HELLO; 20], &format!("late-{i}")).await.unwrap();
        }
        assert_ne!(jobs.submit_as_call("alice", &[HELLO], "call-1").await.unwrap(), first);
    }

    async fn many_bulks_at_once_do_not_mix_up_their_ids(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let bulk = |n: usize| {
            let jobs = &jobs;
            async move {
                let jdls: Vec<String> =
                    (0..7).map(|i| format!("Executable = \"x\"; JobName = \"{n}-{i}\"; InputData = \"LFN:/f{i}\";")).collect();
                let ids = jobs.submit("alice", &jdls.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
                ids.into_iter().enumerate().map(|(i, id)| vec![id.to_string(), format!("{n}-{i}")]).collect::<Vec<_>>()
            }
        };
        let mut expected: Vec<Vec<String>> = join_all((0..24).map(bulk)).await.concat();
        expected.sort_by_key(|row| row[0].parse::<i64>().unwrap());
        let found = jobs
            .search("carol", |request| {
                request.read_mask = vec!["JobID".into(), "JobName".into()];
                request.page_size = 10_000;
            })
            .await
            .unwrap();
        assert_eq!(rows(found), expected);
    }

    async fn only_normal_users_submit(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        for who in ["carol", "petra", "no_properties"] {
            assert_eq!(reason(jobs.submit(who, &[HELLO]).await), "FORBIDDEN", "{who}");
        }
    }
}
