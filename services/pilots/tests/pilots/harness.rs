//! A pilots service of one's own, with a jobs service beside it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diracx_auth::{AuthDb, StateKey, settings::AuthSettings};
use diracx_client::{AnyChannel, Caller, ConfigFollower, in_process};
use diracx_core::{
    Clock, JobStatus, PilotStatus,
    config::Config,
    search::{Cell, Filter},
};
use diracx_db::DbUrl;
use diracx_jobs::{
    logic::watch::Feed,
    settings::SandboxSettings,
    store::{JobDatabases, migrate as migrate_jobs, open as open_jobs},
};
use diracx_pilots::{
    Deps,
    settings::{CredentialSettings, Lives, open_store},
};
use diracx_proto::{
    jobs::v1::{self as jobs, jobs_service_client::JobsServiceClient},
    pilots::v1::{
        self as pb, pilots_service_client::PilotsServiceClient, register_pilot_outcome::Result as Outcome,
    },
    time::timestamp,
};
use diracx_server::{
    AccessTable, Stack, limits::Limits, status::StatusInfo, telemetry::Metrics, token::OwnToken,
    version_gate::VersionGate,
};
use diracx_testkit::{MockClock, TestDatabase, TestIssuer};
use serde_json::json;
use tonic::Status;

pub(crate) struct Pilots {
    pub(crate) client: PilotsServiceClient<AnyChannel>,
    pub(crate) jobs: JobsServiceClient<AnyChannel>,
    pub(crate) database: DbUrl,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) deps: Deps,
    issuer: TestIssuer,
    _sandboxes: tempfile::TempDir,
    _db: TestDatabase,
}

fn config() -> Config {
    let vo = json!({"DefaultGroup": "user", "IdP": {"URL": "http://idp.invalid", "ClientID": "x"}, "Users": {},
        "Groups": {"user": {"Properties": ["NormalUser"], "Users": []}}});
    Config::from_value(json!({"DIRAC": {}, "Registry": {"alpha": vo.clone(), "beta": vo}, "Operations": {}}))
        .unwrap()
}

impl Pilots {
    pub(crate) async fn start(db: TestDatabase) -> Self {
        let database = db.url("PilotAgentsDB").await;
        Self::start_on(db, database).await
    }

    /// On a database that may have tables already.
    pub(crate) async fn start_on(db: TestDatabase, database: DbUrl) -> Self {
        let clock = Arc::new(MockClock::at("2026-11-23T10:00:00.25Z".parse().unwrap()));
        let issuer = TestIssuer::new(clock.clone()).unwrap();
        let stack = |access: AccessTable| Stack {
            access: Arc::new(access),
            verifier: issuer.verifier(),
            gate: VersionGate::new("0.0.1a1".parse().unwrap()),
            limits: Limits::default(),
            metrics: Metrics::default(),
        };
        let databases = JobDatabases {
            job_db: db.url("JobDB").await,
            job_logging_db: db.url("JobLoggingDB").await,
            task_queue_db: db.url("TaskQueueDB").await,
            sandbox_metadata_db: db.url("SandboxMetadataDB").await,
            connections: 4,
        };
        migrate_jobs(&databases).await.unwrap();
        let store = open_jobs(&databases).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let sandboxes = SandboxSettings::in_directory(directory.path());
        let job_deps = diracx_jobs::Deps {
            feed: Feed::start(store.clone(), clock.clone()),
            store,
            bytes: sandboxes.open(clock.clone()).await.unwrap(),
            sandboxes: Arc::new(sandboxes),
            config: ConfigFollower::fixed(config()),
            clock: clock.clone(),
            most_jobs_at_once: 20,
            pilots: None,
            generic_pilots_manage_vo_jobs: true,
        };
        let jobs = in_process(diracx_jobs::service(job_deps, &stack(diracx_jobs::access().unwrap())));

        let auth_url = db.url("AuthDB").await;
        AuthDb::migrate(&auth_url).await.unwrap();
        let auth_db = AuthDb::open(&auth_url, 4).await.unwrap();
        let key = StateKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        let follower = ConfigFollower::fixed(config());
        let auth_settings = AuthSettings::new(key);
        let auth = diracx_auth::Deps::new(
            auth_db,
            follower,
            clock.clone(),
            auth_settings,
            issuer.settings().clone(),
        );
        let auth = in_process(diracx_auth::service(auth.unwrap(), &stack(diracx_auth::access().unwrap())));

        let token = OwnToken::from(issuer.component(diracx_pilots::COMPONENT));
        let caller = Caller::default().token(move || token.clone().of_a_call());
        let deps = Deps {
            store: open_store(&database, 16, true).await.unwrap(),
            config: ConfigFollower::fixed(config()),
            jobs: caller.clone().on(jobs.clone()),
            auth: caller.on(auth),
            clock: clock.clone(),
            lives: Lives::default(),
            credentials: CredentialSettings {
                generic_pilots: true,
                ..CredentialSettings::new("pepper of a test".repeat(2).parse().unwrap())
            },
        };
        Self {
            client: serve(deps.clone(), &issuer),
            jobs: JobsServiceClient::new(jobs),
            database,
            clock,
            deps,
            issuer,
            _sandboxes: directory,
            _db: db,
        }
    }

    /// The same service after something about it was changed.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Deps)) -> PilotsServiceClient<AnyChannel> {
        let mut deps = self.deps.clone();
        change(&mut deps);
        serve(deps, &self.issuer)
    }

    /// From now on the jobs service is somebody else.
    pub(crate) fn jobs_are_away(&mut self, away: AnyChannel) {
        self.client = self.changed(|deps| deps.jobs = away);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// A request of somebody: a person by role, a component, or a pilot as `pilot:<vo>:<stamp>`.
    pub(crate) fn request<T>(&self, who: &str, message: T) -> tonic::Request<T> {
        if let Some((vo, stamp)) = who.strip_prefix("pilot:").and_then(|pilot| pilot.split_once(':')) {
            let mut request = tonic::Request::new(message);
            let token = self.issuer.pilot(vo, stamp).unwrap();
            request.metadata_mut().insert("authorization", token.bearer().parse().unwrap());
            return request;
        }
        if let Some(component) = who.strip_prefix("component ") {
            let mut request = tonic::Request::new(message);
            let token = self.issuer.component(component).get().unwrap();
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            return request;
        }
        self.issuer.actor(who).unwrap().request(message).unwrap()
    }

    pub(crate) async fn register_call(
        &self,
        who: &str,
        request: pb::RegisterPilotsRequest,
    ) -> Result<Vec<Option<String>>, Status> {
        let answer = self.client.clone().register_pilots(self.request(who, request)).await?.into_inner();
        let said = |outcome: pb::RegisterPilotOutcome| match outcome.result.unwrap() {
            Outcome::Pilot(_) => None,
            Outcome::Error(error) => Some(error.message),
        };
        Ok(answer.outcomes.into_iter().map(said).collect())
    }

    /// Registers pilots of a VO; for each the sentence of its error, if there is one.
    pub(crate) async fn register(
        &self,
        who: &str,
        vo: &str,
        stamps: &[&str],
    ) -> Result<Vec<Option<String>>, Status> {
        let pilots = stamps.iter().map(|stamp| pilot(stamp, vo)).collect();
        self.register_call(who, pb::RegisterPilotsRequest { pilots, ..Default::default() }).await
    }

    pub(crate) async fn search(
        &self,
        who: &str,
        change: impl FnOnce(&mut pb::SearchPilotsRequest),
    ) -> Result<pb::SearchPilotsResponse, Status> {
        let mut request = pb::SearchPilotsRequest { include_total: true, ..Default::default() };
        change(&mut request);
        Ok(self.client.clone().search_pilots(self.request(who, request)).await?.into_inner())
    }

    /// The stamps of the pilots that somebody finds.
    pub(crate) async fn finds(&self, who: &str, filters: Vec<Filter>) -> Result<Vec<String>, Status> {
        let found = self
            .search(who, |request| {
                request.search = Some(filters.into());
                request.read_mask = vec!["PilotStamp".into()];
            })
            .await?;
        Ok(rows(found).into_iter().map(|mut row| row.remove(0)).collect())
    }

    /// Some columns of a pilot, as a service administrator sees them.
    pub(crate) async fn look(&self, stamp: &str, columns: &[&str]) -> Vec<String> {
        let found = self
            .search("service_admin", |request| {
                request.search = Some(vec![Filter::equals("PilotStamp", stamp)].into());
                request.read_mask = columns.iter().map(|column| (*column).to_owned()).collect();
            })
            .await
            .unwrap();
        rows(found).into_iter().next().unwrap_or_default()
    }
}

fn serve(deps: Deps, issuer: &TestIssuer) -> PilotsServiceClient<AnyChannel> {
    let stack = Stack {
        access: Arc::new(diracx_pilots::access().unwrap()),
        verifier: issuer.verifier(),
        gate: VersionGate::new("0.0.1a1".parse().unwrap()),
        limits: Limits::default(),
        metrics: Metrics::default(),
    };
    PilotsServiceClient::new(in_process(diracx_pilots::service(deps, &stack)))
}

/// Patches of pilots, jobs that they run, and their end.
impl Pilots {
    /// Patches pilots; for each the sentence of its error, if there is one.
    pub(crate) async fn patch(
        &self,
        who: &str,
        patches: Vec<pb::PilotMetadataPatch>,
        how: impl FnOnce(&mut pb::PatchPilotMetadataRequest),
    ) -> Result<Vec<Option<String>>, Status> {
        let mut request = pb::PatchPilotMetadataRequest { patches, ..Default::default() };
        how(&mut request);
        let answer = self.client.clone().patch_pilot_metadata(self.request(who, request)).await?;
        Ok(answer.into_inner().outcomes.into_iter().map(|outcome| Some(outcome.error?.message)).collect())
    }

    /// Moves a pilot.
    pub(crate) async fn becomes(&self, stamp: &str, status: PilotStatus) {
        let outcomes =
            self.patch("service_admin", vec![to(stamp, status)], |request| request.force = true).await;
        assert_eq!(outcomes.unwrap(), [None]);
    }

    /// A job of alice that a pilot runs.
    pub(crate) async fn job_running_on(&self, stamp: &str) -> i64 {
        let request = jobs::SubmitJobsRequest {
            jdls: vec![r#"Executable = "/bin/echo";"#.to_owned()],
            request_id: String::new(),
        };
        let submitted =
            self.jobs.clone().submit_jobs(self.request("alice", request)).await.unwrap().into_inner();
        let job = submitted.jobs[0].job_id;
        self.job_becomes(job, JobStatus::Running).await;
        self.assign(stamp, &[job]).await.unwrap();
        job
    }

    /// Moves a job.
    pub(crate) async fn job_becomes(&self, job: i64, status: JobStatus) {
        let record = jobs::StatusRecord {
            time: Some(timestamp(self.now())),
            status: Some(jobs::JobStatus::from(status).into()),
            source: "test".to_owned(),
            ..Default::default()
        };
        let updates = vec![jobs::JobStatusUpdates { job_id: job, records: vec![record] }];
        let request = jobs::SetJobStatusesRequest { updates, force: true };
        self.jobs.clone().set_job_statuses(self.request("admin", request)).await.unwrap();
    }

    /// Where a job is.
    pub(crate) async fn job_status(&self, job: i64) -> String {
        let request = jobs::SearchJobsRequest {
            search: Some(vec![Filter::equals("JobID", job.to_string())].into()),
            read_mask: vec!["Status".into()],
            ..Default::default()
        };
        let found = self.jobs.clone().search_jobs(self.request("admin", request)).await.unwrap().into_inner();
        table_rows(found.table.unwrap()).remove(0).remove(0)
    }

    pub(crate) async fn assign(&self, stamp: &str, jobs: &[i64]) -> Result<(), Status> {
        let request = pb::AssignJobsToPilotRequest {
            pilot_stamp: stamp.into(),
            job_ids: jobs.to_vec(),
            start_time: None,
        };
        self.client.clone().assign_jobs_to_pilot(self.request("component jobs", request)).await.map(drop)
    }

    /// The jobs of pilots, as somebody sees them.
    pub(crate) async fn jobs_of(
        &self,
        who: &str,
        stamps: &[&str],
    ) -> Result<Vec<(String, Vec<i64>)>, Status> {
        let pilot_stamps = stamps.iter().map(|stamp| (*stamp).to_owned()).collect();
        let request = self.request(who, pb::GetPilotJobsRequest { pilot_stamps });
        let found = self.client.clone().get_pilot_jobs(request).await?.into_inner().pilots;
        let jobs =
            |pilot: pb::PilotJobs| (pilot.pilot_stamp, pilot.jobs.iter().map(|job| job.job_id).collect());
        Ok(found.into_iter().map(jobs).collect())
    }

    /// The pilots of jobs, as somebody sees them.
    pub(crate) async fn pilots_of(&self, who: &str, jobs: &[i64]) -> Result<Vec<(i64, Vec<String>)>, Status> {
        let request = self.request(who, pb::GetJobPilotsRequest { job_ids: jobs.to_vec() });
        let found = self.client.clone().get_job_pilots(request).await?.into_inner().jobs;
        let pilots = |job: pb::JobPilots| {
            (job.job_id, job.pilots.into_iter().map(|pilot| pilot.pilot_stamp).collect())
        };
        Ok(found.into_iter().map(pilots).collect())
    }

    /// Stops pilots; for each the sentence of its error, if there is one.
    pub(crate) async fn kill(
        &self,
        who: &str,
        stamps: &[&str],
        reason: &str,
    ) -> Result<Vec<Option<String>>, Status> {
        let request = pb::KillPilotsRequest {
            pilot_stamps: stamps.iter().map(|stamp| (*stamp).to_owned()).collect(),
            reason: reason.to_owned(),
        };
        let answer = self.client.clone().kill_pilots(self.request(who, request)).await?.into_inner();
        Ok(answer.outcomes.into_iter().map(|outcome| Some(outcome.error?.message)).collect())
    }

    /// Forgets pilots; for each the sentence of its error, if there is one.
    pub(crate) async fn delete(
        &self,
        who: &str,
        stamps: &[&str],
        force: bool,
    ) -> Result<Vec<Option<String>>, Status> {
        let request = pb::DeletePilotsRequest {
            pilot_stamps: stamps.iter().map(|stamp| (*stamp).to_owned()).collect(),
            force,
        };
        let answer = self.client.clone().delete_pilots(self.request(who, request)).await?.into_inner();
        Ok(answer.outcomes.into_iter().map(|outcome| Some(outcome.error?.message)).collect())
    }

    pub(crate) async fn declare_stalled(&self, batch_size: i32) -> (Vec<String>, bool) {
        let request = self.request("component tasks", pb::DeclareStalledPilotsRequest { batch_size });
        let answer = self.client.clone().declare_stalled_pilots(request).await.unwrap().into_inner();
        (answer.pilot_stamps, answer.done)
    }

    pub(crate) async fn clean(&self, batch_size: i32) -> (i64, bool) {
        let request = self.request("component tasks", pb::CleanPilotsRequest { batch_size });
        let answer = self.client.clone().clean_pilots(request).await.unwrap().into_inner();
        (answer.removed_pilots, answer.done)
    }
}

/// A patch of a status.
pub(crate) fn to(stamp: &str, status: PilotStatus) -> pb::PilotMetadataPatch {
    let status = Some(pb::PilotStatus::from(status).into());
    pb::PilotMetadataPatch { pilot_stamp: stamp.into(), status, ..Default::default() }
}

/// What can be wrong with a message, and the field that it is wrong with.
pub(crate) type Wrong<T> = Vec<(fn(&mut T), &'static str)>;

pub(crate) fn pilot(stamp: &str, vo: &str) -> pb::PilotRegistration {
    pb::PilotRegistration { pilot_stamp: stamp.into(), vo: vo.into(), ..Default::default() }
}

pub(crate) fn rows(found: pb::SearchPilotsResponse) -> Vec<Vec<String>> {
    table_rows(found.table.unwrap())
}

pub(crate) fn table_rows(table: diracx_proto::common::v1::Table) -> Vec<Vec<String>> {
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

pub(crate) fn reason(status: &Status) -> String {
    StatusInfo::of(status).reason.unwrap_or_default()
}
