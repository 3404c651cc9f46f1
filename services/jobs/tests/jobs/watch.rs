//! Jobs are watched.

use std::{collections::BTreeMap, time::Duration};

use diracx_core::{
    JobId,
    JobStatus::{self, Checking, Failed, Matched, Running, Waiting},
    search::Filter,
};
use diracx_jobs::logic::{feed::ResumeToken, watch::Feed};
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::{TestDatabase, on_both_backends};
use tonic::{Code, Status, Streaming};

use crate::{
    harness::{HELLO, Jobs, reason, record, update},
    sql::execute,
};

fn all() -> pb::WatchJobsRequest {
    pb::WatchJobsRequest::default()
}

pub(crate) fn of(jobs: &[i64]) -> pb::WatchJobsRequest {
    pb::WatchJobsRequest { job_ids: jobs.to_vec(), ..Default::default() }
}

/// What somebody who watches was told.
pub(crate) struct Seen {
    pub(crate) stream: Streaming<pb::WatchJobsResponse>,
    token: String,
}

impl Seen {
    pub(crate) async fn begin(jobs: &Jobs, who: &str, ask: pb::WatchJobsRequest) -> Result<Self, Status> {
        let stream = jobs.client.clone().watch_jobs(jobs.request(who, ask)).await?.into_inner();
        Ok(Self { stream, token: String::new() })
    }

    /// The next events with whether they are the present state; `None` at the end.
    async fn next(&mut self) -> Option<(Vec<(i64, JobStatus, bool)>, bool)> {
        let message = self.stream.message().await.unwrap()?;
        self.token = message.resume_token;
        let event = |event: &pb::JobEvent| {
            let status = JobStatus::try_from(event.status()).unwrap_or(JobStatus::Submitting);
            (event.job_id, status, event.removed)
        };
        Some((message.events.iter().map(event).collect(), message.snapshot))
    }

    /// The next `count` changes.
    async fn changes(&mut self, count: usize) -> Vec<(i64, JobStatus)> {
        let mut changes = Vec::new();
        while changes.len() < count {
            let (events, snapshot) = self.next().await.expect("more changes");
            assert!(!snapshot, "a snapshot instead of changes: {events:?}");
            changes.extend(events.into_iter().map(|(job, status, _)| (job, status)));
        }
        changes
    }
}

on_both_backends! {
    async fn the_present_state_comes_first_and_then_every_change(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut seen = Seen::begin(&jobs, "alice", of(&[job])).await.unwrap();
        assert_eq!(seen.next().await.unwrap(), (vec![(job, JobStatus::Received, false)], true));
        for (second, status) in [(1, Checking), (2, Waiting), (3, Matched)] {
            jobs.set_status("alice", job, jobs.later(second), status).await.unwrap();
        }
        assert_eq!(seen.changes(3).await, [(job, Checking), (job, Waiting), (job, Matched)]);
        let later = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        jobs.set_status("alice", job, jobs.later(4), Running).await.unwrap();
        assert_eq!(seen.changes(1).await, [(job, Running)], "{later} was not asked for");
    }

    async fn a_stream_goes_on_where_it_broke(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut seen = Seen::begin(&jobs, "alice", all()).await.unwrap();
        assert_eq!(seen.next().await.unwrap().0.len(), 1);
        jobs.set_status("alice", job, jobs.later(1), Checking).await.unwrap();
        assert_eq!(seen.changes(1).await, [(job, Checking)]);
        let resume_token = seen.token.clone();
        drop(seen);
        jobs.set_status("alice", job, jobs.later(2), Waiting).await.unwrap();
        let other = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut seen = Seen::begin(&jobs, "alice", pb::WatchJobsRequest { resume_token, ..all() }).await.unwrap();
        assert_eq!(seen.changes(2).await, [(job, Waiting), (other, JobStatus::Received)]);
    }

    async fn everybody_sees_what_searches_show_them(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        // VO beta keeps its jobs to their owners.
        let mine = jobs.submit("dave", &[HELLO]).await.unwrap()[0];
        let alices = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut dave = Seen::begin(&jobs, "dave", all()).await.unwrap();
        let mut bob = Seen::begin(&jobs, "bob", all()).await.unwrap();
        let mut carol = Seen::begin(&jobs, "carol", all()).await.unwrap();
        let numbers = |(events, _): (Vec<(i64, JobStatus, bool)>, bool)| events.iter().map(|event| event.0).collect::<Vec<_>>();
        assert_eq!(numbers(dave.next().await.unwrap()), [mine]);
        assert_eq!(numbers(bob.next().await.unwrap()), [alices]);
        assert_eq!(numbers(carol.next().await.unwrap()), [mine, alices]);
        jobs.set_status("alice", alices, jobs.later(1), Checking).await.unwrap();
        jobs.set_status("dave", mine, jobs.later(1), Waiting).await.unwrap();
        assert_eq!(dave.changes(1).await, [(mine, Waiting)]);
        assert_eq!(bob.changes(1).await, [(alices, Checking)]);
        assert_eq!(carol.changes(2).await, [(alices, Checking), (mine, Waiting)]);
        // To somebody who may not see a job it looks like one that does not exist.
        let mut other = Seen::begin(&jobs, "dave", of(&[alices, 999_999])).await.unwrap();
        let absent = |(job, _, removed)| (job, removed);
        let told: Vec<_> = other.next().await.unwrap().0.into_iter().map(absent).collect();
        assert_eq!(told, [(alices, true), (999_999, true)]);
        for who in ["petra", "no_properties"] {
            assert_eq!(reason(Seen::begin(&jobs, who, all()).await.map(|_| ())), "FORBIDDEN", "{who}");
        }
    }

    async fn jobs_are_watched_by_what_does_not_change(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let other = jobs.submit("alice", &["Executable = \"x\"; JobName = \"other\";"]).await.unwrap()[0];
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let search = Some(vec![Filter::equals("JobName", "greeting")].into());
        let mut seen = Seen::begin(&jobs, "alice", pb::WatchJobsRequest { search, ..all() }).await.unwrap();
        assert_eq!(seen.next().await.unwrap(), (vec![(job, JobStatus::Received, false)], true));
        jobs.set_status("alice", other, jobs.later(1), Checking).await.unwrap();
        jobs.set_status("alice", job, jobs.later(1), Waiting).await.unwrap();
        assert_eq!(seen.changes(1).await, [(job, Waiting)]);
    }

    async fn a_stream_ends_when_its_jobs_have(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        let ask = pb::WatchJobsRequest { until_final: true, ..of(&ids) };
        let mut seen = Seen::begin(&jobs, "alice", ask.clone()).await.unwrap();
        assert_eq!(seen.next().await.unwrap().0.len(), 3);
        for (i, end) in [Failed, JobStatus::Killed, JobStatus::Deleted].into_iter().enumerate() {
            jobs.set_status("alice", ids[i], jobs.later(1), end).await.unwrap();
            assert_eq!(seen.changes(1).await, [(ids[i], end)]);
        }
        assert_eq!(seen.next().await, None);
        // Who comes later, or back, is told the end as well.
        let mut late = Seen::begin(&jobs, "alice", ask.clone()).await.unwrap();
        assert_eq!(late.next().await.unwrap().0.len(), 3);
        while late.next().await.is_some() {}
        let mut back =
            Seen::begin(&jobs, "alice", pb::WatchJobsRequest { resume_token: late.token, ..ask }).await.unwrap();
        let mut told = BTreeMap::new();
        while let Some((events, _)) = back.next().await {
            told.extend(events.into_iter().map(|(job, status, _)| (job, status)));
        }
        assert_eq!(told.into_values().collect::<Vec<_>>(), [Failed, JobStatus::Killed, JobStatus::Deleted]);
    }

    async fn what_makes_no_sense_is_refused(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let check = async |ask: pb::WatchJobsRequest, expected: &str| {
            let error = Seen::begin(&jobs, "alice", ask).await.map(|_| ()).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains(expected), "{}", error.message());
        };
        check(pb::WatchJobsRequest { resume_token: "x".into(), ..all() }, "resume_token: is not one").await;
        check(pb::WatchJobsRequest { until_final: true, ..all() }, "until_final").await;
        check(of(&vec![1; 10_001]), "10000 is the limit").await;
        let search = Some(vec![Filter::equals("Status", "Done")].into());
        check(pb::WatchJobsRequest { search, ..all() }, "cannot be watched by Status").await;
    }

    async fn a_slow_reader_loses_nothing_and_holds_up_nobody(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut slow = Seen::begin(&jobs, "alice", of(&[job])).await.unwrap();
        let mut quick = Seen::begin(&jobs, "alice", of(&[job])).await.unwrap();
        slow.next().await.unwrap();
        quick.next().await.unwrap();
        // more than the reader keeps for those who are behind
        for n in 0..100 {
            let mut change = record(jobs.later(1), None);
            change.application_status = Some(format!("step {n}"));
            jobs.set_statuses("alice", vec![update(job, vec![change])]).await.unwrap();
            quick.changes(1).await;
        }
        let mut steps = Vec::new();
        while steps.len() < 100 {
            let message = slow.stream.message().await.unwrap().unwrap();
            steps.extend(message.events.into_iter().map(|event| event.application_status));
        }
        assert_eq!(steps, (0..100).map(|n| format!("step {n}")).collect::<Vec<_>>());
    }

    async fn what_other_software_changed_is_told_to_who_comes_back(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 2]).await.unwrap();
        let mut seen = Seen::begin(&jobs, "alice", of(&ids)).await.unwrap();
        seen.next().await.unwrap();
        let resume_token = seen.token;
        execute(&jobs.databases.job_db, &format!("UPDATE Jobs SET Status = 'Done' WHERE JobID = {}", ids[0])).await;
        let ask = pb::WatchJobsRequest { resume_token, ..of(&ids) };
        let mut seen = Seen::begin(&jobs, "alice", ask).await.unwrap();
        let (events, snapshot) = seen.next().await.unwrap();
        assert!(snapshot && events.contains(&(ids[0], JobStatus::Done, false)), "{events:?}");
    }

    async fn a_token_from_before_yesterday_begins_anew(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let mut seen = Seen::begin(&jobs, "alice", all()).await.unwrap();
        seen.next().await.unwrap();
        let resume_token = seen.token;
        jobs.set_status("alice", job, jobs.later(1), Checking).await.unwrap();
        jobs.clock.advance(chrono::Duration::hours(25));
        jobs.set_status("alice", job, jobs.later(1), Waiting).await.unwrap();
        let forgetting = Feed::start(jobs.deps.store.clone(), jobs.clock.clone());
        while jobs.deps.store.feed_ends(diracx_db::Deadline::NONE).await.unwrap().first != Some(3) {
            tokio::task::yield_now().await;
        }
        drop(forgetting);
        let ask = pb::WatchJobsRequest { resume_token, ..all() };
        let mut seen = Seen::begin(&jobs, "alice", ask).await.unwrap();
        assert_eq!(seen.next().await.unwrap(), (vec![(job, Waiting, false)], true));
    }

    async fn a_token_from_the_middle_of_the_present_state_goes_on_there_unless_it_is_far_behind(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        let token = ResumeToken { behind: 0, snapshot_behind: Some(JobId(ids[1])) };
        let ask = pb::WatchJobsRequest { resume_token: token.write(), ..all() };
        let told = async || {
            let mut seen = Seen::begin(&jobs, "alice", ask.clone()).await.unwrap();
            let (events, snapshot) = seen.next().await.unwrap();
            assert!(snapshot);
            events.into_iter().map(|(job, ..)| job).collect::<Vec<_>>()
        };
        assert_eq!(told().await, ids[2..]);
        let columns = "JobID, EventTime, Status, MinorStatus, ApplicationStatus, RescheduleCounter, Removed, Owner, \
                       OwnerGroup, VO, JobGroup, JobName";
        let later = format!("INSERT INTO JobEvents (Seq, {columns}) SELECT 10001, {columns} FROM JobEvents WHERE Seq = 1");
        execute(&jobs.databases.job_db, &later).await;
        jobs.set_status("alice", ids[0], jobs.later(1), Checking).await.unwrap();
        let mut live = Seen::begin(&jobs, "alice", all()).await.unwrap();
        live.next().await.unwrap();
        let anew = async { while told().await != ids {} };
        tokio::time::timeout(Duration::from_secs(20), anew).await.expect("all jobs");
    }

    async fn streams_end_with_the_process_and_say_so(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let mut seen = Seen::begin(&jobs, "alice", all()).await.unwrap();
        seen.next().await.unwrap();
        jobs.deps.feed.end();
        assert_eq!(seen.stream.message().await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(reason(Seen::begin(&jobs, "alice", all()).await.map(|_| ())), "SERVICE_UNAVAILABLE");
    }

    async fn there_is_an_end_to_how_many_may_watch(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let mut watching = Vec::new();
        for _ in 0..200 {
            watching.push(Seen::begin(&jobs, "alice", all()).await.unwrap());
        }
        let refused = Seen::begin(&jobs, "alice", all()).await.map(|_| ());
        assert_eq!(refused.as_ref().unwrap_err().code(), Code::ResourceExhausted);
        assert_eq!(reason(refused), "OVERLOADED");
        watching.pop();
        Seen::begin(&jobs, "alice", all()).await.unwrap();
    }

    async fn a_stream_ends_at_the_deadline_of_its_caller(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let mut request = jobs.request("alice", all());
        request.set_timeout(Duration::from_millis(300));
        let mut stream = jobs.client.clone().watch_jobs(request).await.unwrap().into_inner();
        let ended = async { while stream.message().await?.is_some() {} Ok::<_, Status>(()) };
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
        assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);
    }
}

/// On MySQL a transaction may take its number first and commit last.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_commits_late_is_told_to_who_was_there_and_to_who_comes_back_on_mariadb() {
    use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
    let jobs = Jobs::start(TestDatabase::mariadb()).await;
    let ids = jobs.submit("alice", &[HELLO; 2]).await.unwrap();
    let mut seen = Seen::begin(&jobs, "alice", of(&ids)).await.unwrap();
    seen.next().await.unwrap();
    let diracx_db::DbUrl::MySql(url) = &jobs.databases.job_db else { panic!("another database") };
    let mut late = AsyncMysqlConnection::establish(url).await.unwrap();
    late.batch_execute("BEGIN").await.unwrap();
    let columns = "JobID, EventTime, Status, MinorStatus, ApplicationStatus, RescheduleCounter, Removed, Owner, \
                   OwnerGroup, VO, JobGroup, JobName";
    let insert = format!(
        "INSERT INTO JobEvents ({columns}) SELECT JobID, NOW(6), 'Matched', '', '', 0, 0, Owner, OwnerGroup, VO, \
         JobGroup, JobName FROM Jobs WHERE JobID = {}",
        ids[0]
    );
    late.batch_execute(&insert).await.unwrap();

    jobs.set_status("alice", ids[1], jobs.later(1), Checking).await.unwrap();
    assert_eq!(seen.changes(1).await, [(ids[1], Checking)], "what is behind is not held up");
    let ask = pb::WatchJobsRequest { resume_token: seen.token.clone(), ..of(&ids) };
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(seen.changes(1).await, [(ids[0], Matched)]);
    let mut back = Seen::begin(&jobs, "alice", ask).await.unwrap();
    assert_eq!(back.changes(2).await, [(ids[0], Matched), (ids[1], Checking)]);
}
