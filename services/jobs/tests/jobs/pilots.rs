//! What pilots may do: with tokens of their own, and as users of DIRAC.

use diracx_core::JobStatus::{Checking, Running};
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use tonic::Status;

use crate::{
    harness::{HELLO, Jobs, reason},
    heartbeat::alive,
    sandbox::announcement,
};

const OURS: &str = "pilot:alpha:stamp1";
const ANOTHER: &str = "pilot:alpha:stamp2";
/// It has the stamp of ours, in another VO.
const STRANGER: &str = "pilot:beta:stamp1";

impl Jobs {
    async fn announces_for(&self, who: &str, job_id: Option<i64>) -> Result<String, Status> {
        let request = pb::InitiateSandboxUploadRequest { job_id, ..announcement(b"output of the job") };
        let answer = self.sandboxes.clone().initiate_sandbox_upload(self.request(who, request)).await?;
        Ok(answer.into_inner().pfn)
    }

    async fn locates_for(&self, who: &str, job_id: Option<i64>, pfn: &str) -> Result<String, Status> {
        let request = self.request(who, pb::GetSandboxRequest { pfn: pfn.to_owned(), job_id });
        Ok(self.sandboxes.clone().get_sandbox(request).await?.into_inner().url)
    }

    /// Everything that a pilot does for its job, by name, with the reason if it is refused.
    async fn a_pilots_day(&self, who: &str, job: i64, pfn: &str) -> Vec<(&'static str, String)> {
        fn ended<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
            if result.is_ok() { "ok".to_owned() } else { reason(result) }
        }
        let patch = pb::JobMetadataPatch {
            job_id: job,
            attributes: None,
            parameters: vec![pb::JobParameter {
                name: "HostName".to_owned(),
                value: Some(pb::job_parameter::Value::StringValue("node1".to_owned())),
            }],
        };
        let output = (job, pfn, pb::SandboxType::Output);
        vec![
            ("describe", ended(self.descriptions(who, &[job]).await)),
            ("history", ended(self.histories(who, &[job]).await)),
            ("parameters", ended(self.parameters(who, &[job], &[]).await)),
            ("status", ended(self.set_status(who, job, self.later(1), Running).await)),
            ("beat", ended(self.beat(who, vec![alive(job)], false).await)),
            ("patch", ended(self.patch(who, vec![patch]).await)),
            ("list sandboxes", ended(self.sandboxes_of(who, job).await)),
            ("announce", ended(self.announces_for(who, Some(job)).await)),
            ("assign", ended(self.assign(who, &[output]).await)),
            ("download", ended(self.locates_for(who, Some(job), pfn).await)),
        ]
    }
}

on_both_backends! {
    async fn a_pilot_does_everything_for_the_job_that_it_runs_and_others_do_nothing(db: TestDatabase) {
        let jobs = Jobs::start_with(db, false).await;
        let job = jobs.matched().await;
        let pfn = jobs.uploads("alice", b"output of the job").await;
        jobs.fleet.gives(job, "alpha", "stamp1");
        // petra is a user with GenericPilot
        for who in [ANOTHER, STRANGER, "petra"] {
            for (what, outcome) in jobs.a_pilots_day(who, job, &pfn).await {
                assert_eq!(outcome, "FORBIDDEN", "{who}: {what}");
            }
        }
        for (what, outcome) in jobs.a_pilots_day(OURS, job, &pfn).await {
            assert_eq!(outcome, "ok", "{what}");
        }
    }

    async fn a_pilot_has_no_say_in_jobs_that_went_on_to_another_one(db: TestDatabase) {
        let jobs = Jobs::start_with(db, false).await;
        let ids = jobs.submit("alice", &[HELLO; 2]).await.unwrap();
        jobs.fleet.gives(ids[0], "alpha", "stamp1");
        jobs.fleet.gives(ids[1], "alpha", "stamp1");
        jobs.descriptions(OURS, &ids).await.unwrap();
        jobs.fleet.gives(ids[1], "alpha", "stamp2");
        assert_eq!(reason(jobs.descriptions(OURS, &ids).await), "FORBIDDEN", "one foreign job is enough");
        assert_eq!(reason(jobs.set_status(OURS, ids[1], jobs.later(1), Checking).await), "FORBIDDEN");
        jobs.set_status(OURS, ids[0], jobs.later(1), Checking).await.unwrap();
        jobs.set_status(ANOTHER, ids[1], jobs.later(1), Checking).await.unwrap();
    }

    async fn a_pilot_is_no_user(db: TestDatabase) {
        let jobs = Jobs::start_with(db, true).await;
        let job = jobs.matched().await;
        jobs.fleet.gives(job, "alpha", "stamp1");
        assert_eq!(reason(jobs.submit(OURS, &[HELLO]).await), "FORBIDDEN");
        assert_eq!(reason(jobs.search(OURS, |_| ()).await), "FORBIDDEN");
        assert_eq!(reason(jobs.summarise(OURS, &["Status"]).await), "FORBIDDEN");
        assert_eq!(reason(jobs.remove(OURS, &[job]).await), "FORBIDDEN");
        assert_eq!(reason(jobs.unassign(OURS, &[job]).await), "FORBIDDEN");
        assert_eq!(reason(jobs.announces_for(OURS, None).await), "INVALID_FIELD");
        let theft = pb::JobAttributes { owner: Some("eve".to_owned()), ..Default::default() };
        let theft = pb::JobMetadataPatch { job_id: job, attributes: Some(theft), parameters: vec![] };
        assert_eq!(reason(jobs.patch(OURS, vec![theft]).await), "FORBIDDEN");
        for none in [jobs.set_statuses(OURS, vec![]).await.map(drop), jobs.beat(OURS, vec![], false).await.map(drop)] {
            assert_eq!(reason(none), "FORBIDDEN");
        }
        assert_eq!(reason(jobs.descriptions(OURS, &[job, 999_999]).await), "FORBIDDEN", "as if it were somebody else's");
    }

    async fn a_pilot_downloads_what_its_own_job_has_and_nothing_else(db: TestDatabase) {
        let jobs = Jobs::start_with(db, false).await;
        let (job, other) = (jobs.matched().await, jobs.submit("alice", &[HELLO]).await.unwrap()[0]);
        let (ours, theirs) = (jobs.uploads("alice", b"ours").await, jobs.uploads("alice", b"theirs").await);
        jobs.assign("alice", &[(job, &ours, pb::SandboxType::Input), (other, &theirs, pb::SandboxType::Input)]).await.unwrap();
        jobs.fleet.gives(job, "alpha", "stamp1");
        jobs.locates_for(OURS, Some(job), &ours).await.unwrap();
        assert_eq!(reason(jobs.locates_for(OURS, Some(job), &theirs).await), "FORBIDDEN");
        assert_eq!(reason(jobs.locates_for(OURS, Some(other), &theirs).await), "FORBIDDEN");
        assert_eq!(reason(jobs.locates_for(OURS, None, &ours).await), "INVALID_FIELD");
        let bobs = jobs.uploads("bob", b"bobs").await;
        assert_eq!(jobs.assign(OURS, &[(job, &bobs, pb::SandboxType::Output)]).await.unwrap(), ["FORBIDDEN"]);
    }

    async fn nobody_is_let_in_while_the_pilots_service_is_away(db: TestDatabase) {
        let jobs = Jobs::start_with(db, false).await;
        let job = jobs.matched().await;
        jobs.fleet.gives(job, "alpha", "stamp1");
        jobs.descriptions(OURS, &[job]).await.unwrap();
        jobs.fleet.goes_away();
        assert_eq!(reason(jobs.descriptions(OURS, &[job]).await), "SERVICE_UNAVAILABLE");
        jobs.descriptions("alice", &[job]).await.expect("people need no pilots");
    }
}
