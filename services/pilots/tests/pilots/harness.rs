//! A pilots service of one's own, with a jobs service beside it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diracx_client::{AnyChannel, Caller, ConfigFollower, in_process};
use diracx_core::{
    Clock,
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
    settings::{Lives, open_store},
};
use diracx_proto::{
    jobs::v1::jobs_service_client::JobsServiceClient,
    pilots::v1::{
        self as pb, pilots_service_client::PilotsServiceClient, register_pilot_outcome::Result as Outcome,
    },
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
    pub(crate) job_db: DbUrl,
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
        let jobs = diracx_jobs::Deps {
            feed: Feed::start(store.clone(), clock.clone()),
            store,
            bytes: sandboxes.open(clock.clone()).await.unwrap(),
            sandboxes: Arc::new(sandboxes),
            config: ConfigFollower::fixed(config()),
            clock: clock.clone(),
            most_jobs_at_once: 20,
            pilots: None,
        };
        let jobs = in_process(diracx_jobs::service(jobs, &stack(diracx_jobs::access().unwrap())));

        let token = OwnToken::from(issuer.component(diracx_pilots::COMPONENT));
        let deps = Deps {
            store: open_store(&database, 16, true).await.unwrap(),
            config: ConfigFollower::fixed(config()),
            jobs: Caller::default().token(move || token.clone().of_a_call()).on(jobs.clone()),
            clock: clock.clone(),
            lives: Lives::default(),
        };
        let service = diracx_pilots::service(deps.clone(), &stack(diracx_pilots::access().unwrap()));
        Self {
            client: PilotsServiceClient::new(in_process(service)),
            jobs: JobsServiceClient::new(jobs),
            database,
            job_db: databases.job_db,
            clock,
            deps,
            issuer,
            _sandboxes: directory,
            _db: db,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// A request of somebody: a person by role, or a component.
    pub(crate) fn request<T>(&self, who: &str, message: T) -> tonic::Request<T> {
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
