//! A jobs service of one's own.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diracx_client::{AnyChannel, ConfigFollower, in_process};
use diracx_core::{Clock, JobStatus, config::Config, search::Filter};
use diracx_jobs::{
    Deps,
    logic::watch::Feed,
    settings::SandboxSettings,
    store::{self, JobDatabases},
};
use diracx_proto::jobs::v1::{
    self as pb, jobs_service_client::JobsServiceClient, sandboxes_service_client::SandboxesServiceClient,
};
use diracx_server::{
    Stack, limits::Limits, status::StatusInfo, telemetry::Metrics, version_gate::VersionGate,
};
use diracx_testkit::{MockClock, TestDatabase, TestIssuer};
use serde_json::json;
use tonic::Status;

use crate::fleet::Fleet;

pub(crate) const HELLO: &str = r#"Executable = "/bin/echo"; Arguments = "hello"; JobName = "greeting";"#;

#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) client: JobsServiceClient<AnyChannel>,
    pub(crate) sandboxes: SandboxesServiceClient<AnyChannel>,
    /// Where their bytes are.
    pub(crate) directory: Arc<tempfile::TempDir>,
    pub(crate) databases: JobDatabases,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) deps: Deps,
    /// The pilots service next door.
    pub(crate) fleet: Fleet,
    issuer: TestIssuer,
    _db: Arc<TestDatabase>,
}

/// VO alpha shows its jobs to all its members, beta does not.
fn config() -> Config {
    let group = |properties: &[&str]| json!({"Properties": properties, "Users": []});
    let vo = json!({"DefaultGroup": "user", "IdP": {"URL": "http://idp.invalid", "ClientID": "x"}, "Users": {},
        "Groups": {"user": group(&["NormalUser"]), "team": group(&["JobSharing"])}});
    Config::from_value(json!({
        "DIRAC": {},
        "Registry": {"alpha": vo.clone(), "beta": vo},
        "Operations": {"beta": {"Services": {"JobMonitoring": {"GlobalJobsInfo": false}}}},
    }))
    .unwrap()
}

fn clients(
    deps: &Deps,
    issuer: &TestIssuer,
) -> (JobsServiceClient<AnyChannel>, SandboxesServiceClient<AnyChannel>) {
    let stack = Stack {
        access: Arc::new(diracx_jobs::access().unwrap()),
        verifier: issuer.verifier(),
        gate: VersionGate::new("0.0.1a1".parse().unwrap()),
        limits: Limits::default(),
        metrics: Metrics::default(),
    };
    let channel = in_process(diracx_jobs::service(deps.clone(), &stack));
    (diracx_client::jobs(channel.clone()), diracx_client::sandboxes(channel))
}

impl Jobs {
    pub(crate) async fn start(db: TestDatabase) -> Self {
        Self::start_with(db, true).await
    }

    /// Where users with `GenericPilot` may, or may not, manage every job of their VO.
    pub(crate) async fn start_with(db: TestDatabase, generic_pilots_manage_vo_jobs: bool) -> Self {
        let fleet = Fleet::default();
        let databases = JobDatabases {
            job_db: db.url("JobDB").await,
            job_logging_db: db.url("JobLoggingDB").await,
            task_queue_db: db.url("TaskQueueDB").await,
            sandbox_metadata_db: db.url("SandboxMetadataDB").await,
            connections: 16,
        };
        store::migrate(&databases).await.unwrap();
        let clock = Arc::new(MockClock::at("2026-11-23T10:00:00.25Z".parse().unwrap()));
        let issuer = TestIssuer::new(clock.clone()).unwrap();
        let store = store::open(&databases).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let sandboxes = SandboxSettings::in_directory(directory.path());
        let deps = Deps {
            feed: Feed::start(store.clone(), clock.clone()),
            store,
            bytes: sandboxes.open(clock.clone()).await.unwrap(),
            sandboxes: Arc::new(sandboxes),
            config: ConfigFollower::fixed(config()),
            clock: clock.clone(),
            most_jobs_at_once: 20,
            pilots: Some(fleet.channel()),
            generic_pilots_manage_vo_jobs,
        };
        let (client, sandboxes) = clients(&deps, &issuer);
        let directory = Arc::new(directory);
        Self { client, sandboxes, directory, databases, clock, deps, fleet, issuer, _db: Arc::new(db) }
    }

    /// Another process of the service on the same databases.
    pub(crate) async fn replica(&self) -> Self {
        let store = store::open(&self.databases).await.unwrap();
        let feed = Feed::start(store.clone(), self.clock.clone());
        let deps = Deps { feed, store, ..self.deps.clone() };
        let (client, sandboxes) = clients(&deps, &self.issuer);
        Self { client, sandboxes, deps, ..self.clone() }
    }

    /// The service started again, with something else in what it works with.
    pub(crate) fn now_with(&mut self, change: impl FnOnce(&mut Deps)) {
        change(&mut self.deps);
        (self.client, self.sandboxes) = clients(&self.deps, &self.issuer);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn later(&self, seconds: i64) -> DateTime<Utc> {
        self.now() + TimeDelta::seconds(seconds)
    }

    /// A request of somebody of the testkit, or of the pilot `pilot:<vo>:<stamp>`.
    pub(crate) fn request<T>(&self, who: &str, message: T) -> tonic::Request<T> {
        if let Some((vo, stamp)) = who.strip_prefix("pilot:").and_then(|pilot| pilot.split_once(':')) {
            let mut request = tonic::Request::new(message);
            let token = self.issuer.pilot(vo, stamp).unwrap();
            request.metadata_mut().insert("authorization", token.bearer().parse().unwrap());
            return request;
        }
        self.issuer.actor(who).unwrap().request(message).unwrap()
    }

    pub(crate) fn component_request<T>(&self, name: &str, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let token = self.issuer.component(name).get().unwrap();
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    pub(crate) async fn submit(&self, who: &str, jdls: &[&str]) -> Result<Vec<i64>, Status> {
        self.submit_as_call(who, jdls, "").await
    }

    pub(crate) async fn submit_as_call(
        &self,
        who: &str,
        jdls: &[&str],
        call: &str,
    ) -> Result<Vec<i64>, Status> {
        let jdls = jdls.iter().map(|jdl| (*jdl).to_owned()).collect();
        let request = pb::SubmitJobsRequest { jdls, request_id: call.to_owned() };
        let answer = self.client.clone().submit_jobs(self.request(who, request)).await?.into_inner();
        Ok(answer.jobs.iter().map(|job| job.job_id).collect())
    }

    pub(crate) async fn search(
        &self,
        who: &str,
        change: impl FnOnce(&mut pb::SearchJobsRequest),
    ) -> Result<pb::SearchJobsResponse, Status> {
        let mut request = pb::SearchJobsRequest { include_total: true, ..Default::default() };
        change(&mut request);
        Ok(self.client.clone().search_jobs(self.request(who, request)).await?.into_inner())
    }

    /// The numbers of the jobs that somebody finds.
    pub(crate) async fn finds(&self, who: &str, filters: Vec<Filter>) -> Result<Vec<i64>, Status> {
        let found = self
            .search(who, |request| {
                request.search = Some(filters.into());
                request.read_mask = vec!["JobID".into()];
            })
            .await?;
        Ok(rows(found).into_iter().map(|row| row[0].parse().unwrap()).collect())
    }

    pub(crate) async fn summarise(&self, who: &str, grouping: &[&str]) -> Result<Vec<Vec<String>>, Status> {
        let request = pb::SummariseJobsRequest {
            grouping: grouping.iter().map(|name| (*name).to_owned()).collect(),
            search: None,
        };
        let answer = self.client.clone().summarise_jobs(self.request(who, request)).await?.into_inner();
        Ok(table_rows(answer.table.unwrap()))
    }

    pub(crate) async fn set_statuses(
        &self,
        who: &str,
        updates: Vec<pb::JobStatusUpdates>,
    ) -> Result<Vec<pb::JobStatusOutcome>, Status> {
        let request = pb::SetJobStatusesRequest { updates, force: false };
        Ok(self.client.clone().set_job_statuses(self.request(who, request)).await?.into_inner().outcomes)
    }

    /// Reports one status of one job; the status that the job has then, if it is known.
    pub(crate) async fn set_status(
        &self,
        who: &str,
        job: i64,
        at: DateTime<Utc>,
        status: JobStatus,
    ) -> Result<Option<pb::JobStatus>, Status> {
        let outcomes = self.set_statuses(who, vec![update(job, vec![record(at, Some(status))])]).await?;
        match outcomes.into_iter().next().unwrap().result.unwrap() {
            pb::job_status_outcome::Result::Change(change) => Ok(change.status.map(|_| change.status())),
            pb::job_status_outcome::Result::Error(error) => Err(diracx_proto::status::of_call(&error)),
        }
    }

    pub(crate) async fn histories(
        &self,
        who: &str,
        jobs: &[i64],
    ) -> Result<Vec<pb::JobHistoryOutcome>, Status> {
        let request = pb::GetJobHistoriesRequest { job_ids: jobs.to_vec() };
        Ok(self.client.clone().get_job_histories(self.request(who, request)).await?.into_inner().outcomes)
    }

    pub(crate) async fn history_length(&self, who: &str, job: i64) -> usize {
        match self.histories(who, &[job]).await.unwrap().remove(0).result.unwrap() {
            pb::job_history_outcome::Result::History(history) => history.records.len(),
            pb::job_history_outcome::Result::Error(error) => panic!("{error:?}"),
        }
    }

    /// Patches metadata; for each patch the sentence of its error, if there is one.
    pub(crate) async fn patch(
        &self,
        who: &str,
        patches: Vec<pb::JobMetadataPatch>,
    ) -> Result<Vec<Option<String>>, Status> {
        let request = self.request(who, pb::PatchJobMetadataRequest { patches });
        let outcomes = self.client.clone().patch_job_metadata(request).await?.into_inner().outcomes;
        Ok(outcomes.into_iter().map(|outcome| outcome.error.map(|error| error.message)).collect())
    }

    pub(crate) async fn parameters(
        &self,
        who: &str,
        jobs: &[i64],
        names: &[&str],
    ) -> Result<Vec<pb::JobParametersOutcome>, Status> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let request = self.request(who, pb::GetJobParametersRequest { job_ids: jobs.to_vec(), names });
        Ok(self.client.clone().get_job_parameters(request).await?.into_inner().outcomes)
    }

    /// Removes jobs; for each the sentence of its error, if there is one.
    pub(crate) async fn remove(&self, who: &str, jobs: &[i64]) -> Result<Vec<Option<String>>, Status> {
        let request = self.request(who, pb::RemoveJobsRequest { job_ids: jobs.to_vec() });
        let outcomes = self.client.clone().remove_jobs(request).await?.into_inner().outcomes;
        assert!(outcomes.iter().map(|outcome| outcome.job_id).eq(jobs.iter().copied()));
        Ok(outcomes.into_iter().map(|outcome| outcome.error.map(|error| error.message)).collect())
    }

    /// Has the task queues put in order, as a task does.
    pub(crate) async fn maintain(
        &self,
        batch_size: i32,
        page_token: &str,
    ) -> Result<pb::MaintainTaskQueuesResponse, Status> {
        let request = pb::MaintainTaskQueuesRequest { batch_size, page_token: page_token.to_owned() };
        let request = self.component_request("tasks", request);
        Ok(self.client.clone().maintain_task_queues(request).await?.into_inner())
    }

    pub(crate) async fn descriptions(
        &self,
        who: &str,
        jobs: &[i64],
    ) -> Result<Vec<pb::JobDescriptionOutcome>, Status> {
        let request = pb::GetJobDescriptionsRequest { job_ids: jobs.to_vec() };
        Ok(self.client.clone().get_job_descriptions(self.request(who, request)).await?.into_inner().outcomes)
    }
}

pub(crate) fn update(job_id: i64, records: Vec<pb::StatusRecord>) -> pb::JobStatusUpdates {
    pb::JobStatusUpdates { job_id, records }
}

pub(crate) fn record(at: DateTime<Utc>, status: Option<JobStatus>) -> pb::StatusRecord {
    pb::StatusRecord {
        time: Some(diracx_proto::time::timestamp(at)),
        status: status.map(|status| pb::JobStatus::from(status).into()),
        source: "Test".into(),
        ..Default::default()
    }
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    let status = result.expect_err("this should have been refused");
    StatusInfo::of(&status).reason.unwrap_or_else(|| format!("no reason: {status}"))
}

/// The cells of an answer as text; `-` for no value.
pub(crate) fn rows(found: pb::SearchJobsResponse) -> Vec<Vec<String>> {
    table_rows(found.table.unwrap())
}

fn table_rows(table: diracx_proto::common::v1::Table) -> Vec<Vec<String>> {
    use diracx_core::search::Cell;
    let table = table.into_domain(None).unwrap();
    let show = |cell: Cell| match cell {
        Cell::Null => "-".to_owned(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => number.to_string(),
        Cell::Text(text) => text,
        Cell::Time(time) => time.to_string(),
        Cell::Bool(flag) => flag.to_string(),
    };
    table.rows.into_iter().map(|row| row.into_iter().map(show).collect()).collect()
}

/// The commands that wait for a job's pilot, straight from the table: no rpc of this version tells.
pub(crate) async fn commands(databases: &JobDatabases, job: i64) -> Vec<String> {
    let sql = format!("SELECT Command AS cell FROM JobCommands WHERE JobID = {job}");
    crate::sql::cells(&databases.job_db, &sql).await
}
