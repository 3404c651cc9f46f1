//! The layers around a service, in process: who is let in, and what happens when things go wrong.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use diracx_server::{
    AccessTable, Deadline, Identity, StatusInfo,
    access::AccessError,
    identity::ComponentIdentity,
    limits::Limits,
    telemetry::{PropagateLayer, TraceContext},
    token::{AccessClaims, PilotClaims, new_token_id},
};
use tonic::Code;
use tower::{Layer, ServiceExt};

mod common;
use common::{
    ISSUER,
    lollies::{self, LOLLIES, Mesh, call, descriptor_set},
    noon,
};

fn alice(mesh: &Mesh) -> String {
    let claims = AccessClaims {
        jti: new_token_id(noon()),
        exp: noon().timestamp() + 60,
        dirac_policies: serde_json::Map::new(),
        sub: "alpha:1".to_owned(),
        vo: "alpha".to_owned(),
        iss: ISSUER.to_owned(),
        dirac_properties: vec!["NormalUser".to_owned()],
        preferred_username: "alice".to_owned(),
        dirac_group: "alpha_user".to_owned(),
    };
    format!("Bearer {}", mesh.minter.mint(&claims).unwrap())
}

fn component(mesh: &Mesh, name: &str) -> String {
    format!("Bearer {}", mesh.minter.component(name).get().unwrap())
}

#[tokio::test]
async fn open_rpcs_are_served_to_anybody_even_with_a_bad_token() {
    let mesh = Mesh::start();
    assert_eq!(mesh.call("Open", &[]).await.unwrap(), "nobody");
    assert_eq!(mesh.call("Open", &[("authorization", "Bearer nonsense")]).await.unwrap(), "nobody");
}

#[tokio::test]
async fn users_are_let_in_with_their_identity() {
    let mesh = Mesh::start();
    let alice = alice(&mesh);
    for method in ["Greet", "Manage"] {
        let answer = mesh.call(method, &[("authorization", &alice)]).await;
        assert_eq!(answer.unwrap(), "alice of alpha");
    }
}

#[tokio::test]
async fn without_a_good_token_nobody_gets_in_and_everybody_is_told_why() {
    let mesh = Mesh::start();
    for (header, reason, text) in [
        (None, "TOKEN_MISSING", "Authorization header is missing"),
        (Some("Basic x"), "AUTHORIZATION_HEADER_INVALID", "Invalid authorization header"),
        (Some("Bearer x"), "TOKEN_INVALID", "Invalid JWT"),
    ] {
        let metadata: Vec<_> = header.map(|header| ("authorization", header)).into_iter().collect();
        let status = mesh.call("Manage", &metadata).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, text));
        assert_eq!(StatusInfo::of(&status).reason.as_deref(), Some(reason));
    }
}

#[tokio::test]
async fn only_the_components_that_are_declared_may_call() {
    let mesh = Mesh::start();
    let jobs = component(&mesh, "jobs");
    assert_eq!(mesh.call("Greet", &[("authorization", &jobs)]).await.unwrap(), "component jobs");
    for (method, name) in [("Greet", "tasks"), ("Manage", "jobs")] {
        let token = component(&mesh, name);
        let status = mesh.call(method, &[("authorization", &token)]).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{method} {name}");
        assert_eq!(StatusInfo::of(&status).variables["component"], name);
    }
}

#[tokio::test]
async fn a_pilot_gets_no_further_than_the_contract_says() {
    let mesh = Mesh::start();
    let claims = PilotClaims::new("alpha", "stamp1", ISSUER, noon(), chrono::Duration::minutes(20));
    let pilot = format!("Bearer {}", mesh.minter.mint(&claims).unwrap());
    for method in ["Greet", "Tend"] {
        let answer = mesh.call(method, &[("authorization", &pilot)]).await.unwrap();
        assert_eq!(answer, "pilot stamp1 of alpha", "{method}");
    }
    let status = mesh.call("Manage", &[("authorization", &pilot)]).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(StatusInfo::of(&status).reason.as_deref(), Some("FORBIDDEN"));
    assert_eq!(mesh.call("Open", &[("authorization", &pilot)]).await.unwrap(), "nobody");
}

#[tokio::test]
async fn an_identity_in_the_callers_extensions_counts_for_nothing() {
    let mesh = Mesh::start();
    let forged = Arc::new(Identity::Component(ComponentIdentity {
        name: "jobs".to_owned(),
        token_id: new_token_id(noon()),
        expires: noon(),
    }));
    let request = http::Request::post(format!("/{LOLLIES}/Open"))
        .header("content-type", "application/grpc")
        .extension(forged)
        .body(tonic::body::Body::new(http_body_util::Full::from(lollies::frame("hello"))))
        .unwrap();
    let answer = mesh.service.clone().oneshot(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("nobody"));
}

#[tokio::test]
async fn a_request_that_cannot_be_decoded_is_the_callers_mistake() {
    let mesh = Mesh::start();
    let huge = (u32::MAX).to_be_bytes();
    for (body, code) in [
        (vec![], Code::InvalidArgument),
        (vec![0, 0], Code::InvalidArgument),
        (vec![0, 0, 0, 0, 9, 1], Code::InvalidArgument),
        (vec![0, 0, 0, 0, 2, 0xff, 0xff], Code::InvalidArgument),
        (vec![0, 0, 0, 0, 3, 0x0a, 1, 0xff], Code::InvalidArgument),
        (vec![7, 0, 0, 0, 0], Code::InvalidArgument),
        (vec![1, 0, 0, 0, 0], Code::InvalidArgument),
        ([&[0], huge.as_slice()].concat(), Code::OutOfRange),
    ] {
        let request = http::Request::post(format!("/{LOLLIES}/Open"))
            .header("content-type", "application/grpc")
            .body(tonic::body::Body::new(http_body_util::Full::from(body.clone())))
            .unwrap();
        let answer = mesh.service.clone().oneshot(request).await.unwrap();
        let status = tonic::Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), code, "{body:?}: {}", status.message());
    }
}

#[tokio::test]
async fn an_rpc_that_is_not_declared_is_not_served() {
    let mesh = Mesh::start();
    let status = mesh.call("Steal", &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(StatusInfo::of(&status).reason.as_deref(), Some("UNIMPLEMENTED"));
}

#[test]
fn a_server_with_undeclared_rpcs_does_not_start_and_names_them_all() {
    let careless = "test.lollies.v1.CarelessService";
    let error = AccessTable::from_descriptor_set(descriptor_set(), &[LOLLIES, careless]).unwrap_err();
    let AccessError::Undeclared(found) = &error else { panic!("{error}") };
    assert_eq!(found.len(), 5, "{found:?}");
    for name in ["Forgotten", "Undecided", "Idle", "Tempting", "Nobody"] {
        assert!(error.to_string().contains(&format!("{careless}.{name} (")), "{error}");
    }
    assert!(!error.to_string().contains("Fine"));
    assert!(AccessTable::from_descriptor_set(descriptor_set(), &["no.such.Service"]).is_err());
    assert!(AccessTable::from_descriptor_set(b"garbage", &[LOLLIES]).is_err());
}

#[tokio::test]
async fn clients_that_are_too_old_are_turned_away_with_the_remedy() {
    let mesh = Mesh::start();
    let status = mesh.call("Open", &[("diracx-client-version", "0.0.0")]).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        status.message(),
        "Client version 0.0.0 is not compatible with the server. Upgrade to a version >= 0.0.1a1."
    );
    let info = StatusInfo::of(&status);
    assert_eq!(info.reason.as_deref(), Some("CLIENT_VERSION_UNSUPPORTED"));
    assert_eq!(info.variables["minimum"], "0.0.1a1");
    assert!(!info.variables["remedy"].is_empty());

    let status = mesh.call("Open", &[("diracx-client-version", "not-a-version")]).await.unwrap_err();
    assert_eq!(status.message(), "Invalid version string: 'not-a-version'");
    for version in ["0.0.1a1", "0.0.1a2.dev3", "99.1", "0.0.1a1+local", "v0.1.0", "1!0.0.0", ""] {
        assert!(mesh.call("Open", &[("diracx-client-version", version)]).await.is_ok(), "{version}");
    }
    // the gate is in front of the guard
    let status = mesh.call("Manage", &[("diracx-client-version", "0.0.0")]).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_panic_is_one_bad_answer_with_a_trace_and_nothing_else() {
    let mesh = Mesh::start();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let metadata = [("traceparent", &*format!("00-{trace}-b7ad6b7169203331-01"))];
    let status = mesh.call("Panic", &metadata).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), format!("internal error, trace id {trace}"));
    assert!(!format!("{status:?}").contains("sticky"));
    assert!(status.metadata().get("traceparent").unwrap().to_str().unwrap().contains(trace));
    assert_eq!(mesh.call("Open", &[]).await.unwrap(), "nobody");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_call_in_process_too() {
    let mesh = Mesh::start();
    let started = tokio::time::Instant::now();
    let status = mesh.call("Sleep", &[("grpc-timeout", "100m")]).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(StatusInfo::of(&status).reason.as_deref(), Some("DEADLINE_EXCEEDED"));
    assert_eq!(started.elapsed().as_millis() / 10, 10);
}

#[tokio::test(start_paused = true)]
async fn handlers_know_what_remains_of_their_time() {
    let limits = Limits {
        default_deadline: Duration::from_secs(3),
        max_deadline: Duration::from_secs(7),
        ..Limits::default()
    };
    let mesh = Mesh::with_limits(limits);
    for (asked, method, expected) in [
        (None, "Deadline", "3000"),
        (Some("2S"), "Deadline", "2000"),
        (Some("1H"), "Deadline", "7000"),
        (Some("99999999H"), "Deadline", "7000"),
        (Some("nonsense"), "Deadline", "3000"),
        (Some("100000000m"), "Deadline", "3000"),
        (None, "StreamDeadline", "none"),
        (Some("9S"), "StreamDeadline", "9000"),
    ] {
        let metadata: Vec<_> = asked.map(|asked| ("grpc-timeout", asked)).into_iter().collect();
        assert_eq!(mesh.call(method, &metadata).await.unwrap(), expected, "{asked:?} {method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_within_a_call_gets_no_more_time_and_stays_in_the_trace() {
    let mesh = Mesh::start();
    let inner = mesh.call("Deadline", &[("grpc-timeout", "9S")]);
    let left = Deadline::after(Duration::from_secs(1)).enforce(inner).await.unwrap();
    assert_eq!(left.unwrap(), "1000");

    // over a channel that propagates, as towards another process
    let seen = Arc::new(std::sync::Mutex::new(http::HeaderMap::new()));
    let seen_by_channel = seen.clone();
    let service = mesh.service.clone();
    let channel = PropagateLayer.layer(tower::service_fn(move |request: http::Request<_>| {
        seen_by_channel.lock().unwrap().clone_from(request.headers());
        service.clone().oneshot(request)
    }));
    let context = TraceContext::random();
    let outer = context.scope(call(channel, "Open", &[]));
    Deadline::after(Duration::from_secs(1)).enforce(outer).await.unwrap().unwrap();
    let headers = seen.lock().unwrap().clone();
    assert_eq!(headers["grpc-timeout"], "1000m");
    assert_eq!(headers["traceparent"], context.to_string());
}

#[tokio::test]
async fn what_is_too_much_is_turned_away_at_once() {
    let mesh = Mesh::with_limits(Limits { concurrency: 2, ..Limits::default() });
    let busy = futures::future::join(mesh.call("Wait", &[]), mesh.call("Wait", &[]));
    let one_more = async {
        while mesh.shared.waiting.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(mesh.stack.metrics.render().contains("diracx_rpc_in_flight 2\n"));
        let status = mesh.call("Open", &[]).await.unwrap_err();
        mesh.shared.go.notify_waiters();
        status
    };
    let (busy, status) =
        tokio::time::timeout(lollies::SOON, futures::future::join(busy, one_more)).await.unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = StatusInfo::of(&status);
    assert_eq!(info.reason.as_deref(), Some("OVERLOADED"));
    assert_eq!(info.retry_after, Some(Duration::from_secs(1)));
    assert_eq!((busy.0.unwrap(), busy.1.unwrap()), ("waited".to_owned(), "waited".to_owned()));
    assert_eq!(mesh.call("Open", &[]).await.unwrap(), "nobody");
}

#[tokio::test]
async fn calls_are_counted_by_rpc_and_code_and_strangers_under_one_name() {
    let mesh = Mesh::start();
    mesh.call("Open", &[]).await.unwrap();
    mesh.call("Manage", &[]).await.unwrap_err();
    mesh.call("Steal", &[]).await.unwrap_err();
    let hung_up = tokio::time::timeout(Duration::from_millis(5), mesh.call("Sleep", &[])).await;
    assert!(hung_up.is_err());
    let text = mesh.stack.metrics.render();
    for line in [
        "diracx_rpc_requests_total{service=\"test.lollies.v1.LolliesService\",method=\"Open\",code=\"Ok\"} 1",
        "method=\"Sleep\",code=\"Cancelled\"} 1",
        "method=\"Manage\",code=\"Unauthenticated\"} 1",
        "{service=\"unknown\",method=\"unknown\",code=\"Unimplemented\"} 1",
        "diracx_rpc_in_flight 0",
    ] {
        assert!(text.contains(line), "{line} not in\n{text}");
    }
    assert!(!text.contains("Steal"));
}
