//! A service on a port: health, reflection, numbers, garbage, and the drain.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use diracx_server::{Readiness, limits::Limits, serve::ServeSettings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

mod common;
use common::lollies::{LOLLIES, Mesh, SOON, call, descriptor_set};

struct Served {
    mesh: Mesh,
    address: SocketAddr,
    metrics: SocketAddr,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

async fn serve(drain: Duration) -> Served {
    serve_with(drain, Limits::default()).await
}

async fn serve_with(drain: Duration, limits: Limits) -> Served {
    let mesh = Mesh::with_limits(limits);
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings =
        ServeSettings { listen: local, metrics_listen: Some(local), drain, ..ServeSettings::default() };
    let bound = settings.bind().await.unwrap();
    let (address, metrics) = (bound.address(), bound.metrics_address().unwrap());
    let readiness = Readiness::default();
    let (stop, stopped) = oneshot::channel();
    let (stack, service, handle) = (mesh.stack.clone(), mesh.service.clone(), readiness.clone());
    let serving = tokio::spawn(async move {
        let shutdown = async { stopped.await.unwrap() };
        bound.serve(service, &stack, descriptor_set(), handle, shutdown).await.unwrap();
    });
    Served { mesh, address, metrics, readiness, stop, serving }
}

impl Served {
    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    async fn health(&self, service: &str) -> Result<i32, Code> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = HealthClient::new(self.channel().await).check(request).await;
        answer.map(|answer| answer.into_inner().status).map_err(|status| status.code())
    }
}

#[tokio::test]
async fn a_served_service_answers_with_its_layers_in_force() {
    let served = serve(SOON).await;
    let channel = served.channel().await;
    assert_eq!(call(channel.clone(), "Open", &[]).await.unwrap(), "nobody");
    let status = call(channel.clone(), "Manage", &[]).await.unwrap_err();
    assert_eq!(status.message(), "Authorization header is missing");
    let status = call(channel, "Panic", &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn a_deadline_ends_a_call_over_the_network() {
    let limits = Limits { default_deadline: Duration::from_millis(20), ..Limits::default() };
    let served = serve_with(SOON, limits).await;
    let status = call(served.channel().await, "Sleep", &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn health_follows_readiness() {
    let served = serve(SOON).await;
    let mut changes = served.readiness.subscribe();
    for service in ["", LOLLIES] {
        assert_eq!(served.health(service).await, Ok(1));
    }
    assert_eq!(served.health("no.such.Service").await, Err(Code::NotFound));
    served.readiness.unmet("config", "not loaded yet");
    assert_eq!(served.readiness.problems(), ["config: not loaded yet"]);
    changes.changed().await.unwrap();
    until(|| async { served.health(LOLLIES).await == Ok(2) && served.health("").await == Ok(2) }).await;
    assert_eq!(served.health("liveness").await, Ok(1), "what is not ready need not be restarted");
    served.readiness.met("config");
    until(|| async { served.health(LOLLIES).await == Ok(1) }).await;
}

#[tokio::test]
async fn reflection_names_the_services() {
    let served = serve(SOON).await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(served.channel().await)
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list")
    };
    assert!(list.service.iter().any(|service| service.name == LOLLIES));
}

#[tokio::test]
async fn numbers_are_served_on_their_own_port() {
    let served = serve(SOON).await;
    call(served.channel().await, "Open", &[]).await.unwrap();
    let mut stream = TcpStream::connect(served.metrics).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("diracx_build_info{version=\""), "{answer}");
    assert!(answer.contains("method=\"Open\",code=\"Ok\"} 1"), "{answer}");
}

#[tokio::test]
async fn garbage_on_the_port_harms_nobody() {
    let served = serve(SOON).await;
    let mut garbage: Vec<u8> =
        (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    for prefix in [b"".as_slice(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        garbage.splice(0..0, prefix.iter().copied());
        // the server may hang up in the middle of it
        let _ = stream.write_all(&garbage).await;
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection must be closed");
    }
    assert_eq!(call(served.channel().await, "Open", &[]).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_drain_finishes_the_calls_under_way() {
    let served = serve(SOON).await;
    let channel = served.channel().await;
    let under_way = tokio::spawn(async move { call(channel, "Wait", &[]).await });
    until(|| async { served.mesh.shared.waiting.load(Ordering::SeqCst) == 1 }).await;
    served.stop.send(()).unwrap();
    let mut changes = served.readiness.subscribe();
    tokio::time::timeout(SOON, changes.wait_for(|state| !state.is_ready())).await.unwrap().unwrap();
    assert_eq!(served.readiness.problems(), ["shutting down"]);
    until(|| async { TcpStream::connect(served.address).await.is_err() }).await;
    assert!(!served.serving.is_finished());
    served.mesh.shared.go.notify_waiters();
    assert_eq!(under_way.await.unwrap().unwrap(), "waited");
    tokio::time::timeout(SOON, served.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let served = serve(Duration::from_millis(50)).await;
    let channel = served.channel().await;
    let under_way = tokio::spawn(async move { call(channel, "Wait", &[]).await });
    until(|| async { served.mesh.shared.waiting.load(Ordering::SeqCst) == 1 }).await;
    served.stop.send(()).unwrap();
    tokio::time::timeout(SOON, served.serving).await.unwrap().unwrap();
    assert!(!under_way.is_finished(), "the call ends with the process");
    under_way.abort();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let error = ServeSettings { listen, ..ServeSettings::default() }.bind().await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {listen}"));
}

async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    tokio::time::timeout(SOON, async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it should have happened by now");
}
