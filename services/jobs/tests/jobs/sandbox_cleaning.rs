//! Sandboxes that nobody needs are removed.

use chrono::TimeDelta;
use diracx_proto::jobs::v1::{self as pb, SandboxType::Output};
use diracx_testkit::on_both_backends;
use futures::future::join_all;
use tonic::Status;

use crate::harness::{HELLO, Jobs, reason};

impl Jobs {
    async fn clean(&self, batch_size: i32, page_token: &str) -> Result<pb::CleanSandboxesResponse, Status> {
        let request = pb::CleanSandboxesRequest { batch_size, page_token: page_token.to_owned() };
        let request = self.component_request("tasks", request);
        Ok(self.sandboxes.clone().clean_sandboxes(request).await?.into_inner())
    }

    /// Cleans to the end: how many were removed, and their bytes.
    async fn clean_all(&self, batch_size: i32) -> (i64, i64) {
        let (mut removed, mut bytes, mut token) = (0, 0, String::new());
        for _ in 0..50 {
            let answer = self.clean(batch_size, &token).await.unwrap();
            removed += answer.removed;
            bytes += answer.removed_bytes;
            assert_eq!(answer.failed, 0);
            assert_eq!(answer.done, answer.next_page_token.is_empty());
            if answer.done {
                return (removed, bytes);
            }
            token = answer.next_page_token;
        }
        panic!("no end")
    }

    /// Uploads a sandbox if it is asked for, and gives its PFN.
    async fn brings(&self, who: &str, bytes: &[u8]) -> String {
        let answer = self.announce(who, bytes).await.unwrap();
        if let Some(upload) = &answer.upload {
            self.send(upload, bytes).await.unwrap();
        }
        answer.pfn
    }

    fn files(&self) -> usize {
        let users = self.directory.path().join("sandboxes/alpha/alpha_user/alice");
        std::fs::read_dir(users).map_or(0, Iterator::count)
    }
}

on_both_backends! {
    async fn what_nobody_needs_goes_and_the_rest_stays(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let gone = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let (kept, orphan) = (jobs.uploads("alice", b"kept").await, jobs.uploads("alice", b"orphan").await);
        for i in 0..5_u8 {
            jobs.uploads("alice", &[i]).await;
        }
        jobs.announce("alice", b"never uploaded").await.unwrap();
        assert_eq!(jobs.assign("alice", &[(job, &kept, Output), (gone, &orphan, Output)]).await.unwrap(), ["", ""]);
        let forgotten = format!("DELETE FROM sb_EntityMapping WHERE EntityId = 'Job:{gone}'");
        crate::sql::execute(&jobs.databases.sandbox_metadata_db, &forgotten).await;
        assert_eq!(jobs.clean_all(0).await, (0, 0), "nobody has waited yet");
        jobs.clock.advance(TimeDelta::days(2));
        assert_eq!(jobs.clean_all(2).await, (1, 6), "the orphan");
        assert_eq!(jobs.files(), 6);
        jobs.clock.advance(TimeDelta::days(12));
        jobs.announce("alice", &[3]).await.unwrap();
        jobs.clock.advance(TimeDelta::days(2));
        // Two to a call: no row is passed over.
        assert_eq!(jobs.clean_all(2).await, (5, 4 + 14), "four and the one that never came");
        assert_eq!(jobs.files(), 2);
        jobs.locate("alice", &kept).await.unwrap();
        assert_eq!(reason(jobs.locate("carol", &orphan).await), "SANDBOX_NOT_FOUND");
        assert!(jobs.announce("alice", b"orphan").await.unwrap().upload.is_some(), "it may come again");
    }

    async fn what_the_store_does_not_remove_stays_for_the_next_time(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let pfn = jobs.uploads("alice", b"stubborn").await;
        jobs.clock.advance(TimeDelta::days(16));
        // A directory in its place cannot be removed like a file.
        let name = pfn.rsplit('/').next().unwrap();
        let path = jobs.directory.path().join("sandboxes/alpha/alpha_user/alice").join(name);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let first = jobs.clean(0, "unassigned:0").await.unwrap();
        assert_eq!((first.removed, first.failed, first.done), (0, 1, true));
        assert_eq!(reason(jobs.locate("carol", &pfn).await), "SANDBOX_NOT_FOUND", "it is going");
        assert!(jobs.announce("alice", b"stubborn").await.unwrap().upload.is_some(), "and may come again");
        std::fs::remove_dir(&path).unwrap();
        assert_eq!(jobs.clean_all(0).await.0, 0, "it is wanted again");
        jobs.clock.advance(TimeDelta::days(16));
        assert_eq!(jobs.clean_all(0).await.0, 1);
    }

    async fn whoever_needs_a_sandbox_while_it_is_cleaned_has_it_in_the_end(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let all: Vec<[u8; 1]> = (0..6).map(|byte| [byte]).collect();
        for _ in 0..12 {
            for bytes in &all {
                jobs.brings("alice", bytes).await;
            }
            jobs.unassign("alice", &[job]).await.unwrap();
            jobs.clock.advance(TimeDelta::days(16));
            let cleaning = async { for _ in 0..3 { jobs.clean_all(2).await; } };
            let using = join_all(all.iter().map(async |bytes| {
                let pfn = jobs.brings("alice", bytes).await;
                // It may be going again, or still be there.
                jobs.assign("alice", &[(job, &pfn, Output)]).await.unwrap();
            }));
            tokio::join!(cleaning, using);
            for bytes in &all {
                let pfn = jobs.brings("alice", bytes).await;
                assert_eq!(jobs.fetch(&jobs.locate("alice", &pfn).await.unwrap()).await.unwrap(), bytes);
            }
        }
    }

    async fn only_the_system_cleans(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let request = jobs.request("carol", pb::CleanSandboxesRequest::default());
        assert_eq!(reason(jobs.sandboxes.clone().clean_sandboxes(request).await), "FORBIDDEN");
        assert_eq!(reason(jobs.clean(-1, "").await), "INVALID_FIELD");
        assert_eq!(reason(jobs.clean(0, "x").await), "INVALID_FIELD");
    }
}
