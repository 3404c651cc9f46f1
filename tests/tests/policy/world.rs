//! The services that are served, over a real database each, and everybody who may want something from them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use diracx_auth::{AuthDb, StateKey, settings::AuthSettings};
use diracx_client::{self as client, AnyChannel, ConfigFollower, in_process};
use diracx_config::{ConfigKeeper, ConfigSource};
use diracx_core::{Clock, SystemClock, config::Config};
use diracx_jobs::{
    settings::SandboxSettings,
    store::{self, JobDatabases},
};
use diracx_pilots::settings::CredentialSettings;
use diracx_proto::pilots::v1::{
    self as pb,
    pilots_service_server::{PilotsService, PilotsServiceServer},
};
use diracx_server::{
    AccessTable, Stack, limits::Limits, telemetry::Metrics, token::OwnToken, version_gate::VersionGate,
};
use diracx_testkit::{BadToken, TestDatabase, TestIssuer};
use diracx_tests::{as_it_is::AsItIs, identity_provider::IdentityProvider};
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

/// Where a web page lets its visitors return to.
pub(crate) const REDIRECT: &str = "http://web.invalid/callback";

/// The pilot that calls.
pub(crate) const STAMP: &str = "aaaabbbbccccdddd";

/// How long the first answer of a stream may take before the silence counts as being let in.
const SILENCE: Duration = Duration::from_secs(2);

/// Everybody who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Without a token.
    Anonymous,
    /// With a token that ended an hour ago.
    Expired,
    /// Somebody of the testkit, by role.
    Person(&'static str),
    /// The pilot [`STAMP`] of VO alpha, with its own token.
    Pilot,
    /// A part of the system.
    Component(String),
}

/// The services, and what tokens and logins need.
pub(crate) struct World {
    pub(crate) auth: AnyChannel,
    config: AnyChannel,
    pub(crate) jobs: AnyChannel,
    pilots: AnyChannel,
    rss: AnyChannel,
    pub(crate) clock: Arc<dyn Clock>,
    issuer: TestIssuer,
    // Kept for as long as the services need them.
    _idp: IdentityProvider,
    _database: TestDatabase,
    _directory: tempfile::TempDir,
}

/// Two VOs that keep their jobs to their owners; everybody of the testkit is in the first but dave.
fn document(idp: &str) -> Value {
    let vo = |users: Value, groups: Value| json!({"IdP": {"URL": idp, "ClientID": "x"}, "DefaultGroup": "user", "Users": users, "Groups": groups});
    let alice = "11111111-aaaa-4aaa-8aaa-000000000001";
    let group = json!({"Properties": ["NormalUser"], "Users": [alice]});
    json!({
        "DIRAC": {},
        "Registry": {
            "alpha": vo(json!({alice: {"PreferedUsername": "alice"}}), json!({"user": group.clone(), "alpha_user": group})),
            "beta": vo(json!({}), json!({"user": {"Properties": ["NormalUser"], "Users": []}})),
        },
        "Operations": {"Defaults": {"Services": {"JobMonitoring": {"GlobalJobsInfo": false}}}},
    })
}

impl World {
    pub(crate) async fn start() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let issuer = TestIssuer::new(clock.clone()).unwrap();
        let idp = IdentityProvider::start().await.unwrap();
        let document = document(&idp.base);
        let database = TestDatabase::sqlite();
        let directory = tempfile::tempdir().unwrap();
        let stack = |access: AccessTable| Stack {
            access: Arc::new(access),
            verifier: issuer.verifier(),
            gate: VersionGate::new("0.0.1a1".parse().unwrap()),
            limits: Limits::default(),
            metrics: Metrics::default(),
        };
        let follower = || ConfigFollower::fixed(Config::from_value(document.clone()).unwrap());

        let key = StateKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        let settings =
            AuthSettings { allowed_redirects: vec![REDIRECT.to_owned()], ..AuthSettings::new(key) };
        let url = database.url("AuthDB").await;
        AuthDb::migrate(&url).await.unwrap();
        let db = AuthDb::open(&url, 4).await.unwrap();
        let token = issuer.settings().clone();
        let deps = diracx_auth::Deps::new(db, follower(), clock.clone(), settings, token).unwrap();
        let auth = in_process(diracx_auth::service(deps, &stack(diracx_auth::access().unwrap())));

        let path = directory.path().join("default.yml");
        std::fs::write(&path, document.to_string()).unwrap();
        let source = ConfigSource::open(path.to_str().unwrap()).unwrap();
        let keeper = ConfigKeeper::start(source, clock.clone(), Duration::from_secs(86_400)).await;
        let config = in_process(diracx_config::service(keeper, &stack(diracx_config::access().unwrap())));

        let databases = JobDatabases {
            job_db: database.url("JobDB").await,
            job_logging_db: database.url("JobLoggingDB").await,
            task_queue_db: database.url("TaskQueueDB").await,
            sandbox_metadata_db: database.url("SandboxMetadataDB").await,
            connections: 4,
        };
        store::migrate(&databases).await.unwrap();
        let store = store::open(&databases).await.unwrap();
        let sandboxes = SandboxSettings::in_directory(directory.path().join("sandboxes"));
        let deps = diracx_jobs::Deps {
            feed: diracx_jobs::logic::watch::Feed::start(store.clone(), clock.clone()),
            store,
            config: follower(),
            bytes: sandboxes.open(clock.clone()).await.unwrap(),
            sandboxes: Arc::new(sandboxes),
            clock: clock.clone(),
            most_jobs_at_once: 20,
            pilots: Some(in_process(PilotsServiceServer::new(OneForAll))),
            generic_pilots_manage_vo_jobs: false,
        };
        let jobs = in_process(diracx_jobs::service(deps, &stack(diracx_jobs::access().unwrap())));
        let token = OwnToken::from(issuer.component(diracx_pilots::COMPONENT));
        let caller = client::Caller::default().token(move || token.clone().of_a_call());
        let pilot_agents_db = database.url("PilotAgentsDB").await;
        let deps = diracx_pilots::Deps {
            store: diracx_pilots::settings::open_store(&pilot_agents_db, 4, true).await.unwrap(),
            config: follower(),
            jobs: caller.clone().on(jobs.clone()),
            auth: caller.on(auth.clone()),
            clock: clock.clone(),
            lives: diracx_pilots::settings::Lives::default(),
            credentials: CredentialSettings::new("pepper of a test".repeat(2).parse().unwrap()),
        };
        let pilots = in_process(diracx_pilots::service(deps, &stack(diracx_pilots::access().unwrap())));

        let url = database.url("ResourceStatusDB").await;
        diracx_rss::store::migrate(&url).await.unwrap();
        let deps = diracx_rss::Deps::new(diracx_rss::store::open(&url, 4).await.unwrap(), clock.clone());
        let rss = in_process(diracx_rss::service(deps, &stack(diracx_rss::access().unwrap())));
        let world = Self {
            auth,
            config,
            jobs,
            pilots,
            rss,
            clock,
            issuer,
            _idp: idp,
            _database: database,
            _directory: directory,
        };
        world.register(STAMP).await;
        world
    }

    /// Sends an encoded message to an rpc; what came back, encoded. Of a stream, the beginning.
    pub(crate) async fn call(
        &self,
        caller: &Caller,
        path: &str,
        message: Vec<u8>,
        streaming: bool,
    ) -> Result<Vec<Bytes>, Status> {
        let mut request = Request::new(Bytes::from(message));
        if let Some(token) = self.token(caller) {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let channel = match path.split('.').nth(1) {
            Some("auth") => &self.auth,
            Some("config") => &self.config,
            Some("jobs") => &self.jobs,
            Some("pilots") => &self.pilots,
            Some("rss") => &self.rss,
            _ => panic!("{path} is served by nobody here"),
        };
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let path = path.parse().unwrap();
        let mut answers = grpc.server_streaming(request, path, AsItIs).await?.into_inner();
        if streaming {
            let first = tokio::time::timeout(SILENCE, answers.message()).await;
            return Ok(first.unwrap_or(Ok(None))?.into_iter().collect());
        }
        let mut all = Vec::new();
        while let Some(answer) = answers.message().await? {
            all.push(answer);
        }
        Ok(all)
    }

    fn token(&self, caller: &Caller) -> Option<String> {
        match caller {
            Caller::Anonymous => None,
            Caller::Expired => Some(self.issuer.bad_token(BadToken::Expired).unwrap()),
            Caller::Person(role) => Some(self.person(role)),
            Caller::Pilot => Some(self.issuer.pilot("alpha", STAMP).unwrap().expose().to_owned()),
            Caller::Component(name) => Some(self.issuer.component(name).get().unwrap().to_string()),
        }
    }

    fn person(&self, role: &str) -> String {
        self.issuer.minter().mint(&self.issuer.claims(role).unwrap()).unwrap()
    }

    /// The claims of somebody's token.
    pub(crate) fn claims(&self, role: &str) -> diracx_server::token::AccessClaims {
        self.issuer.claims(role).unwrap()
    }

    /// A pilot of alice's VO, registered for this one call.
    pub(crate) async fn pilot(&self) -> String {
        let stamp = uuid::Uuid::new_v4().simple().to_string();
        self.register(&stamp).await;
        stamp
    }

    async fn register(&self, stamp: &str) {
        let pilot_stamp = stamp.to_owned();
        let pilot = pb::PilotRegistration { pilot_stamp, vo: "alpha".into(), ..Default::default() };
        let request = pb::RegisterPilotsRequest { pilots: vec![pilot], ..Default::default() };
        let request = self.issuer.actor("service_admin").unwrap().request(request).unwrap();
        client::pilots(self.pilots.clone()).register_pilots(request).await.unwrap();
    }

    /// A request of alice.
    pub(crate) fn as_alice<T>(&self, message: T) -> Request<T> {
        self.issuer.actor("alice").unwrap().request(message).unwrap()
    }
}

/// A pilots service in whose eyes one pilot runs all jobs.
#[derive(Clone)]
struct OneForAll;

#[tonic::async_trait]
impl PilotsService for OneForAll {
    async fn get_job_pilots(
        &self,
        request: Request<pb::GetJobPilotsRequest>,
    ) -> Result<Response<pb::GetJobPilotsResponse>, Status> {
        let runner = pb::JobPilot {
            pilot_stamp: STAMP.to_owned(),
            vo: "alpha".to_owned(),
            start_time: None,
            ended: false,
            barred_time: None,
        };
        let of = |job_id| pb::JobPilots { job_id, pilots: vec![runner.clone()] };
        let jobs = request.into_inner().job_ids.into_iter().map(of).collect();
        Ok(Response::new(pb::GetJobPilotsResponse { jobs }))
    }
}
