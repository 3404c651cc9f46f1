//! Jobs begin again.

use chrono::TimeDelta;
use diracx_core::JobStatus::{self, Checking, Deleted, Done, Failed, Killed, Matched, Running, Waiting};
use diracx_proto::jobs::v1::{self as pb, reschedule_outcome::Result as Outcome};
use diracx_testkit::on_both_backends;
use tonic::Status;

use crate::{
    harness::{HELLO, Jobs, reason, record, update},
    sql::{cells, execute},
};

impl Jobs {
    async fn reschedule(&self, who: &str, jobs: &[i64], reset: bool) -> Result<Vec<Outcome>, Status> {
        let request = pb::RescheduleJobsRequest { job_ids: jobs.to_vec(), reset_counters: reset };
        let outcomes =
            self.client.clone().reschedule_jobs(self.request(who, request)).await?.into_inner().outcomes;
        assert_eq!(outcomes.iter().map(|outcome| outcome.job_id).collect::<Vec<_>>(), jobs);
        Ok(outcomes.into_iter().map(|outcome| outcome.result.unwrap()).collect())
    }

    /// Alice reschedules one job.
    pub(crate) async fn again(&self, job: i64) -> Result<pb::RescheduledJob, String> {
        match self.reschedule("alice", &[job], false).await.unwrap().remove(0) {
            Outcome::Job(job) => Ok(job),
            Outcome::Error(error) => Err(error.message),
        }
    }

    async fn force(&self, job: i64, status: JobStatus) {
        let updates = vec![update(job, vec![record(self.now(), Some(status))])];
        let request = pb::SetJobStatusesRequest { updates, force: true };
        self.client.clone().set_job_statuses(self.request("carol", request)).await.unwrap();
        assert_eq!(self.columns(job, ["Status"]).await, [status.as_str()]);
    }
}

const CHANGED: [&str; 6] =
    ["Site", "Status", "MinorStatus", "ApplicationStatus", "UserPriority", "RescheduleCounter"];

on_both_backends! {
    async fn a_job_goes_back_to_the_beginning_wherever_it_is(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 16]).await.unwrap();
        for (job, status) in ids.iter().zip(JobStatus::ALL) {
            jobs.clock.advance(TimeDelta::seconds(1));
            jobs.force(*job, *status).await;
        }
        jobs.clock.advance(TimeDelta::seconds(1));
        let outcomes = jobs.reschedule("alice", &ids, false).await.unwrap();
        for ((job, outcome), before) in ids.iter().zip(outcomes).zip(JobStatus::ALL) {
            let Outcome::Job(again) = outcome else { panic!("{before} is not rescheduled") };
            let change = again.change.as_ref().unwrap();
            assert_eq!((change.status(), change.minor_status(), again.reschedule_counter, again.user_priority), (pb::JobStatus::Received, "Job Rescheduled", 1, 1), "{before}");
            assert_eq!((again.site.as_str(), again.reschedule_time), ("ANY", Some(diracx_proto::time::timestamp(jobs.now()))));
            assert_eq!(jobs.columns(*job, CHANGED).await, ["ANY", "Received", "Job Rescheduled", "Unknown", "1", "1"], "{before}");
            let pb::job_history_outcome::Result::History(history) = jobs.histories("alice", &[*job]).await.unwrap().remove(0).result.unwrap() else { panic!("no history") };
            let last = history.records.last().unwrap();
            assert_eq!((last.status.as_str(), last.minor_status.as_str(), last.source.as_str()), ("Received", "Job Rescheduled", "Unknown"));
        }
    }

    async fn a_rescheduled_job_lives_again(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Running, Failed]).await;
        jobs.again(job).await.unwrap();
        jobs.walk(job, &[Checking, Waiting, Matched, Running, Done]).await;
        let times = jobs.columns(job, ["StartExecTime", "EndExecTime"]).await;
        jobs.again(job).await.unwrap();
        assert_eq!(jobs.columns(job, ["StartExecTime", "EndExecTime"]).await, times, "those of the first run, as in DIRAC");
    }

    async fn the_description_is_made_anew_of_what_was_submitted(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let jdl = r#"Executable = "/bin/echo"; Arguments = "%j"; Site = {"LCG.A.org", "LCG.B.org"}; Priority = 7; Owner = "somebody";"#;
        let parametric = r#"Executable = "/bin/echo"; Parameters = 2; ParameterStart = 0; ParameterStep = 1; JobName = "n%n";"#;
        let first = jobs.submit("alice", &[jdl]).await.unwrap()[0];
        let series = jobs.submit("alice", &[parametric]).await.unwrap();
        let plain = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        execute(&jobs.databases.job_db, &format!(
            "UPDATE JobJDLs SET JDL = '[ Changed = 1; ]' WHERE JobID = {first}; UPDATE Jobs SET UserPriority = 3, Site = 'X' WHERE JobID = {first}; \
             INSERT INTO OptimizerParameters (JobID, Name, Value) VALUES ({first}, 'SiteCandidates', '{{}}')"
        )).await;
        let again = jobs.again(first).await.unwrap();
        assert_eq!((again.site.as_str(), again.user_priority), ("Multiple", 7));
        assert!(again.jdl.contains(&format!("Arguments = \"{first}\";")) && again.jdl.contains("Owner = \"alice\";"), "{}", again.jdl);
        assert!(cells(&jobs.databases.job_db, &format!("SELECT Name AS cell FROM OptimizerParameters WHERE JobID = {first}")).await.is_empty());
        let described = async |job: i64| {
            let Some(pb::job_description_outcome::Result::Description(description)) = jobs.descriptions("alice", &[job]).await.unwrap().remove(0).result else { panic!("none") };
            description.jdl
        };
        assert_eq!(described(first).await, again.jdl);
        for job in [plain, series[0], series[1]] {
            let before = described(job).await;
            assert_eq!(jobs.again(job).await.unwrap().jdl, before);
            assert_eq!(described(job).await, before);
        }
    }

    async fn a_job_rescheduled_too_often_fails_even_if_no_other_goes_back(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        for counter in 1..=3 {
            assert_eq!(jobs.again(job).await.unwrap().reschedule_counter, counter);
            jobs.clock.advance(TimeDelta::seconds(1));
        }
        let refused = jobs.reschedule("alice", &[job], false).await.unwrap().remove(0);
        let Outcome::Error(error) = refused else { panic!("it went back") };
        let error = diracx_proto::status::of_call(&error);
        assert_eq!((error.code(), error.message()), (tonic::Code::FailedPrecondition, "Maximum number of reschedules exceeded (3)"));
        assert_eq!(reason::<()>(Err(error)), "RESCHEDULED_TOO_OFTEN");
        assert_eq!(jobs.columns(job, ["Status", "MinorStatus", "RescheduleCounter"]).await, ["Failed", "Maximum of reschedulings reached", "3"]);
        for ended in [Done, Killed, Deleted] {
            jobs.clock.advance(TimeDelta::seconds(1));
            jobs.force(job, ended).await;
            assert!(jobs.again(job).await.is_err());
            assert_eq!(jobs.columns(job, ["Status"]).await, [ended.as_str()]);
        }
        // An administrator counts from zero again.
        jobs.clock.advance(TimeDelta::seconds(1));
        assert_eq!(reason(jobs.reschedule("alice", &[job], true).await), "FORBIDDEN");
        assert_eq!(reason(jobs.reschedule("petra", &[job], true).await), "FORBIDDEN");
        let Outcome::Job(again) = jobs.reschedule("carol", &[job], true).await.unwrap().remove(0) else { panic!("refused") };
        assert_eq!(again.reschedule_counter, 0);
        assert_eq!(jobs.again(job).await.unwrap().reschedule_counter, 1);
    }

    async fn no_kill_of_the_run_before_reaches_the_next(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Running, Killed]).await;
        let stale = jobs.commands(job).await;
        assert_eq!(stale.len(), 1);
        jobs.again(job).await.unwrap();
        assert!(jobs.commands(job).await.is_empty());
        assert_eq!(jobs.stored_commands(job).await, ["Kill Dropped"]);
        // Within the same second, and although the old one is acknowledged late.
        jobs.force(job, Killed).await;
        jobs.acknowledge("petra", &stale).await.unwrap();
        let fresh = jobs.commands(job).await;
        assert_eq!((fresh.len(), fresh[0].reschedule_counter), (1, 1));
        assert_ne!(fresh[0].command_id, stale[0].command_id);
    }

    async fn each_job_of_a_call_has_its_own_outcome(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        execute(&jobs.databases.job_db, &format!(
            "UPDATE Jobs SET VerifiedFlag = 'False' WHERE JobID = {}; UPDATE JobJDLs SET OriginalJDL = '[ A = ]' WHERE JobID = {}", ids[0], ids[1]
        )).await;
        let outcomes = jobs.reschedule("carol", &[ids[0], 999_999, ids[1], ids[2]], false).await.unwrap();
        let messages: Vec<_> = outcomes.iter().map(|outcome| match outcome {
            Outcome::Error(error) => error.message.as_str(),
            Outcome::Job(_) => "again",
        }).collect();
        assert_eq!(messages[..2], ["VerifiedFlag is False: Status Received, Minor Status: Job accepted", "Job 999999 not found"]);
        assert!(messages[2].contains("JDL"), "{}", messages[2]);
        assert_eq!(messages[3], "again");
        for (job, counter) in ids.iter().zip(["0", "0", "1"]) {
            assert_eq!(jobs.columns(*job, ["RescheduleCounter"]).await, [counter]);
        }
        // To its owner the unknown job looks like somebody else's.
        assert_eq!(reason(jobs.reschedule("alice", &[ids[2], 999_999], false).await), "FORBIDDEN");
        let twice = jobs.reschedule("alice", &[ids[2], ids[2]], false).await.unwrap_err();
        assert_eq!(twice.message(), format!("job_ids[1]: {} is there twice", ids[2]));
        for who in ["bob", "dave", "no_properties"] {
            assert_eq!(reason(jobs.reschedule(who, &[ids[2]], false).await), "FORBIDDEN", "{who}");
        }
    }

    async fn a_job_goes_back_even_when_its_last_record_is_ahead_of_the_clock(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        jobs.set_status("alice", job, jobs.later(3600), Killed).await.unwrap();
        jobs.again(job).await.unwrap();
        assert_eq!(jobs.columns(job, ["Status"]).await, ["Received"]);
    }

    async fn two_calls_at_once_count_two_reschedulings(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 8]).await.unwrap();
        let reversed: Vec<i64> = ids.iter().rev().copied().collect();
        let (one, other) = futures::join!(jobs.reschedule("alice", &ids, false), jobs.reschedule("alice", &reversed, false));
        assert!(one.is_ok() && other.is_ok());
        for job in ids {
            assert_eq!(jobs.columns(job, ["RescheduleCounter"]).await, ["2"]);
        }
    }
}
