//! The service as its callers see it, with every layer around it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, sync::Arc, time::Duration};

use diracx_config::{ConfigKeeper, ConfigSource};
use diracx_core::{Clock, Reason, SystemClock};
use diracx_proto::config::v1::{
    GetConfigRequest, GetConfigStatusRequest, WatchConfigRequest, config_service_client::ConfigServiceClient,
};
use diracx_server::{
    KeyStore, Readiness, RpcService, Stack, StatusInfo, TokenMinter, TokenVerifier,
    limits::Limits,
    telemetry::Metrics,
    token::{AccessClaims, DEFAULT_ALGORITHMS, new_token_id},
    version_gate::VersionGate,
};
use futures::StreamExt;
use tonic::{Code, Request};

const ISSUER: &str = "https://diracx.invalid";
const DOCUMENT: &str = include_str!("data/default.yml");

/// A config service over a plain file.
struct Mesh {
    directory: tempfile::TempDir,
    keeper: ConfigKeeper,
    minter: TokenMinter,
    client: ConfigServiceClient<RpcService>,
}

impl Mesh {
    async fn start(document: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("default.yml");
        fs::write(&path, document).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let source = ConfigSource::open(path.to_str().unwrap()).unwrap();
        let keeper = ConfigKeeper::start(source, clock.clone(), Duration::from_secs(86_400)).await;
        let keys = Arc::new(KeyStore::generate(clock.now()).unwrap());
        let stack = Stack {
            access: Arc::new(diracx_config::access().unwrap()),
            verifier: TokenVerifier::new(ISSUER, DEFAULT_ALGORITHMS, keys.clone(), clock.clone()),
            gate: VersionGate::new("0.0.1a1".parse().unwrap()),
            limits: Limits::default(),
            metrics: Metrics::default(),
        };
        let minter = TokenMinter::new(keys, ISSUER, &DEFAULT_ALGORITHMS, clock).unwrap();
        let client = ConfigServiceClient::new(diracx_config::service(keeper.clone(), &stack));
        Self { directory, keeper, minter, client }
    }

    async fn write(&self, document: &str) {
        fs::write(self.directory.path().join("default.yml"), document).unwrap();
        self.keeper.refresh().await;
    }

    fn with_token<T>(token: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    fn as_user<T>(&self, message: T) -> Request<T> {
        self.as_user_for(60, message)
    }

    /// As a user whose token is good for so many seconds.
    fn as_user_for<T>(&self, seconds: i64, message: T) -> Request<T> {
        let now = SystemClock.now();
        let claims = AccessClaims {
            jti: new_token_id(now),
            exp: now.timestamp() + seconds,
            dirac_policies: serde_json::Map::new(),
            sub: "alpha:1".to_owned(),
            vo: "alpha".to_owned(),
            iss: ISSUER.to_owned(),
            dirac_properties: Vec::new(),
            preferred_username: "alice".to_owned(),
            dirac_group: "alpha_user".to_owned(),
        };
        Self::with_token(&self.minter.mint(&claims).unwrap(), message)
    }

    fn as_component<T>(&self, name: &str, message: T) -> Request<T> {
        Self::with_token(&self.minter.component(name).get().unwrap(), message)
    }
}

#[tokio::test]
async fn any_token_and_any_service_reads_the_configuration_and_nobody_without() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let refused = mesh.client.get_config(GetConfigRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let request = mesh.as_user(GetConfigRequest::default());
    let answer = mesh.client.get_config(request).await.unwrap().into_inner();
    assert_eq!(answer.document, mesh.keeper.loaded().unwrap().document);
    assert_eq!(answer.revision.len(), 40);

    let known = GetConfigRequest { known_revision: Some(answer.revision.clone()) };
    let request = mesh.as_component("jobs", known);
    let again = mesh.client.get_config(request).await.unwrap().into_inner();
    assert!(again.not_modified && again.document.is_empty());
    assert_eq!(again.revision, answer.revision);

    let request = mesh.as_component("stranger", GetConfigRequest::default());
    assert_eq!(mesh.client.get_config(request).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn without_a_configuration_callers_are_told_why_and_when_to_come_back() {
    let mut mesh = Mesh::start("DIRAC: {}").await;
    let request = mesh.as_user(GetConfigRequest::default());
    let status = mesh.client.get_config(request).await.unwrap_err();
    let info = StatusInfo::of(&status);
    assert_eq!(status.code(), Code::Unavailable);
    assert!(info.is(Reason::ConfigurationUnavailable));
    assert_eq!(info.retry_after, Some(Duration::from_secs(10)));
    assert!(status.message().contains("Registry: is required"), "{}", status.message());

    let request = mesh.as_user(GetConfigStatusRequest {});
    let status = mesh.client.get_config_status(request).await.unwrap().into_inner();
    assert_eq!(status.revision, "");
    assert!(status.last_error.contains("Registry: is required"));

    mesh.write(DOCUMENT).await;
    let request = mesh.as_user(GetConfigStatusRequest {});
    let status = mesh.client.get_config_status(request).await.unwrap().into_inner();
    assert_eq!((status.revision.len(), status.last_error.as_str()), (40, ""));
    assert!(status.checked.is_some() && status.loaded.is_some());
}

#[tokio::test]
async fn watchers_get_the_configuration_and_then_every_change() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let request = mesh.as_user(WatchConfigRequest::default());
    let mut stream = mesh.client.watch_config(request).await.unwrap().into_inner();
    let first = stream.next().await.unwrap().unwrap();
    assert!(first.document.contains("Ask the alpha helpdesk"));

    mesh.write(&DOCUMENT.replace("Ask the alpha helpdesk", "Ask nobody")).await;
    let second = stream.next().await.unwrap().unwrap();
    assert!(second.document.contains("Ask nobody"));
    assert_ne!(second.revision, first.revision);
}

#[tokio::test]
async fn of_many_quick_changes_the_last_always_comes_and_what_is_known_is_not_sent() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let known_revision = Some(mesh.keeper.loaded().unwrap().revision.id.clone());
    let request = mesh.as_user(WatchConfigRequest { known_revision });
    let mut stream = mesh.client.watch_config(request).await.unwrap().into_inner();
    for number in 0..20 {
        mesh.write(&DOCUMENT.replace("Ask the alpha helpdesk", &format!("Ask number {number}."))).await;
    }
    let mut messages = 0;
    loop {
        messages += 1;
        let document = stream.next().await.unwrap().unwrap().document;
        assert!(!document.contains("Ask the alpha helpdesk"));
        if document.contains("Ask number 19.") {
            break;
        }
    }
    assert!(messages <= 20);
}

#[tokio::test]
async fn a_broken_configuration_is_not_streamed_and_streams_end_when_the_process_drains() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let readiness = Readiness::default();
    diracx_config::observe(&mesh.keeper, readiness.clone(), &Metrics::default(), Arc::new(SystemClock));
    let request = mesh.as_user(WatchConfigRequest::default());
    let mut stream = mesh.client.watch_config(request).await.unwrap().into_inner();
    stream.next().await.unwrap().unwrap();

    mesh.write("DIRAC: [").await;
    mesh.write(&DOCUMENT.replace("Ask the alpha helpdesk", "Ask nobody")).await;
    assert!(stream.next().await.unwrap().unwrap().document.contains("Ask nobody"));

    readiness.drain();
    assert!(stream.next().await.is_none());
    let request = mesh.as_user(WatchConfigRequest::default());
    let mut late = mesh.client.watch_config(request).await.unwrap().into_inner();
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_it_was_asked_for_with() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let request = mesh.as_user_for(1, WatchConfigRequest::default());
    let mut short = mesh.client.watch_config(request).await.unwrap().into_inner();
    let request = mesh.as_user(WatchConfigRequest::default());
    let mut long = mesh.client.watch_config(request).await.unwrap().into_inner();
    for stream in [&mut short, &mut long] {
        stream.next().await.unwrap().unwrap();
    }
    let ended = tokio::time::timeout(Duration::from_secs(30), short.next()).await.expect("an end");
    assert!(ended.is_none(), "without an error: whoever wants more asks again");
    mesh.write(&DOCUMENT.replace("Ask the alpha helpdesk", "Ask nobody")).await;
    assert!(long.next().await.unwrap().unwrap().document.contains("Ask nobody"));
}

#[tokio::test]
async fn nobody_watches_more_often_than_makes_sense() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let mut streams = Vec::new();
    let refused = loop {
        let request = mesh.as_user(WatchConfigRequest::default());
        match mesh.client.watch_config(request).await {
            Ok(stream) => streams.push(stream),
            Err(status) => break status,
        }
    };
    assert_eq!((streams.len(), refused.code()), (8, Code::ResourceExhausted));
    assert!(StatusInfo::of(&refused).is(Reason::Overloaded));
    let request = mesh.as_component("jobs", WatchConfigRequest::default());
    mesh.client.watch_config(request).await.expect("others may");
    streams.pop();
    let request = mesh.as_user(WatchConfigRequest::default());
    mesh.client.watch_config(request).await.expect("a place that was given back");
}

#[tokio::test]
async fn the_status_tells_of_a_source_that_is_away() {
    let mut mesh = Mesh::start(DOCUMENT).await;
    let file = mesh.directory.path().join("default.yml");
    fs::remove_file(&file).unwrap();
    mesh.keeper.refresh().await;
    let request = mesh.as_user(GetConfigStatusRequest {});
    let away = mesh.client.get_config_status(request).await.unwrap().into_inner();
    assert!(away.last_error.starts_with("cannot read") && away.last_error_time.is_some());
    assert!(!away.stale && !away.kept, "not yet, and it was read by this process");
    mesh.keeper.refresh().await;
    let request = mesh.as_user(GetConfigStatusRequest {});
    let later = mesh.client.get_config_status(request).await.unwrap().into_inner();
    assert_eq!(later.last_error_time, away.last_error_time, "since when, not when last");
    assert_eq!(later.checked, away.checked);
}
