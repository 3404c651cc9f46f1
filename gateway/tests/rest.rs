//! The REST face as clients see it: what comes before a service is asked, and what is made of its answers.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Behind, Running, ok, script};
use diracx_core::{Explanation, Reason};
use diracx_gateway::GatewaySettings;
use diracx_proto::{
    auth::v1::{GetTokenRequest, GetTokenResponse, GetUserInfoResponse, InitiateDeviceFlowResponse},
    common::v1::{Cell, Row, Table, cell::Kind},
    config::v1::GetConfigResponse,
    jobs::v1::{SearchJobsRequest, SearchJobsResponse},
};
use diracx_server::status::from_explanation;
use prost::Message;
use prost_types::Timestamp;
use serde_json::json;
use tonic::Status;

const OLD: &str = "DiracX-Client-Version: 0.0.0\r\n";
const PAGE: &str = "Origin: http://localhost:3000\r\n";

async fn alone() -> Running {
    Behind::default().start().await
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_refused_in_diracx_words() {
    let gateway = alone().await;
    let unknown = gateway.get("/api/nothing-here", "").await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "detail": "Not Found" })));
    let wrong = gateway.send("DELETE", "/api/health/live", "", b"").await;
    assert_eq!((wrong.status, wrong.json()), (405, json!({ "detail": "Method Not Allowed" })));
    assert_eq!(
        (wrong.header("allow"), wrong.header("content-type")),
        (Some("GET"), Some("application/json"))
    );
    let head = gateway.send("HEAD", "/api/config/", "", b"").await;
    assert_eq!((head.status, head.header("allow"), head.body.as_slice()), (405, Some("GET"), &b""[..]));
    let options = gateway.send("OPTIONS", "/api/jobs/search", "", b"").await;
    assert_eq!((options.status, options.header("allow")), (405, Some("POST")));
    let device = gateway.send("DELETE", "/api/auth/device", "", b"").await;
    assert_eq!(device.header("allow"), Some("GET, POST"));
}

#[tokio::test]
async fn a_missing_slash_redirects_to_the_host_that_the_caller_used() {
    let gateway = alone().await;
    let answer = gateway.get("/api/config?x=1", "X-Forwarded-Proto: https\r\n").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, Some("https://gateway.test/api/config/?x=1"))
    );
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_client_too_old_is_turned_away_before_anything_else_and_pages_can_read_why() {
    let gateway = alone().await;
    for path in ["/api/nope", "/api/config/", "/"] {
        let answer = gateway.get(path, &format!("{OLD}{PAGE}")).await;
        let expected =
            "Client version 0.0.0 is not compatible with the server. Upgrade to a version >= 0.0.1a1.";
        assert_eq!((answer.status, answer.json()), (400, json!({ "detail": expected })), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
        assert_eq!(answer.header("diracx-error-reason"), Some("CLIENT_VERSION_UNSUPPORTED"));
        assert!(answer.header("traceparent").is_some());
    }
    assert_eq!(gateway.get("/", "DiracX-Client-Version: \r\n").await.status, 200);
}

#[tokio::test]
async fn the_token_is_looked_at_before_the_body() {
    let gateway = alone().await;
    for path in ["/api/jobs/jdl", "/api/jobs/search", "/api/jobs/summary"] {
        let missing = gateway.json("POST", path, "", &json!(5)).await;
        assert_eq!((missing.status, missing.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        assert_eq!(missing.json(), json!({ "detail": "Authorization header is missing" }));
        let basic = gateway.json("POST", path, "Authorization: Basic eDp5\r\n", &json!(5)).await;
        assert_eq!((basic.status, basic.json()), (400, json!({ "detail": "Invalid authorization header" })));
        let bad = gateway.json("POST", path, "Authorization: Bearer garbage\r\n", &json!(5)).await;
        assert_eq!((bad.status, bad.json()), (401, json!({ "detail": "Invalid JWT" })));
        assert_eq!(bad.header("www-authenticate"), None);
        let good = gateway.json("POST", path, &gateway.alice(), &json!(5)).await;
        assert_eq!(good.status, 422, "{path}");
    }
}

#[tokio::test]
async fn health_tells_what_is_missing() {
    let behind = Behind::default();
    let ready = behind.ready.clone();
    ready.unmet("config", "not loaded");
    let gateway = behind.start().await;
    let answer = gateway.get("/api/health/live", "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("10")));
    assert_eq!(answer.json(), json!({ "detail": "Cache key latest_revision is not ready yet." }));

    let gateway = alone().await;
    for (path, status) in [("live", "live"), ("ready", "ready"), ("startup", "startup complete")] {
        let answer = gateway.get(&format!("/api/health/{path}"), "").await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": status })));
    }
}

#[tokio::test]
async fn the_configuration_is_fetched_once_and_served_with_its_revision() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let config = script(move |_, headers, _| {
        assert!(headers.contains_key("authorization"), "the caller's token goes along");
        count.fetch_add(1, Ordering::Relaxed);
        let modified = Some(Timestamp { seconds: 1_711_929_600, nanos: 0 });
        ok(&GetConfigResponse {
            revision: "abc".into(),
            modified,
            document: "{}".into(),
            not_modified: false,
        })
    });
    let gateway = Behind { config, ..Behind::default() }.start().await;
    let full = gateway.get("/api/config/", &gateway.alice()).await;
    assert_eq!((full.status, full.text().as_str(), full.header("etag")), (200, "{}", Some("abc")));
    assert_eq!(full.header("last-modified"), Some("Mon, 01 Apr 2024 00:00:00 GMT"));
    let same = gateway.get("/api/config/", &format!("{}If-None-Match: abc\r\n", gateway.alice())).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some("abc")));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_configuration_that_is_held_is_served_while_its_service_is_away() {
    let away = Arc::new(AtomicUsize::new(0));
    let state = away.clone();
    let config = script(move |_, _, _| match state.load(Ordering::Relaxed) {
        1 => Err(Status::unavailable("the service is away")),
        2 => Err(Status::permission_denied("Forbidden")),
        version => {
            let revision = format!("abc{version}");
            let modified = Some(Timestamp { seconds: 1_711_929_600, nanos: 0 });
            ok(&GetConfigResponse { revision, modified, document: "{}".into(), not_modified: false })
        }
    });
    let gateway = Behind { config, ..Behind::default() }.start().await;
    let until = async |status: u16, etag: Option<&str>| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let answer = gateway.get("/api/config/", &gateway.alice()).await;
            if (answer.status, answer.header("etag")) == (status, etag) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{}: {:?}", answer.status, answer.header("etag"));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    away.store(1, Ordering::Relaxed);
    assert_eq!(gateway.get("/api/config/", &gateway.alice()).await.status, 503, "nothing is held yet");
    away.store(0, Ordering::Relaxed);
    until(200, Some("abc0")).await;
    away.store(1, Ordering::Relaxed);
    // Longer than what was asked for counts as fresh.
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(1500) {
        until(200, Some("abc0")).await;
    }
    let nobody = gateway.get("/api/config/", "").await;
    assert_eq!(nobody.status, 401, "held for those who may have it");
    away.store(3, Ordering::Relaxed);
    until(200, Some("abc3")).await;
    // What is not an absence is told.
    away.store(2, Ordering::Relaxed);
    until(403, None).await;
}

#[tokio::test]
async fn a_search_is_translated_and_its_page_is_told() {
    let jobs = script(|path, headers, message| {
        assert_eq!(path, "/diracx.jobs.v1.JobsService/SearchJobs");
        assert!(headers.contains_key("grpc-timeout") && headers.contains_key("traceparent"), "{headers:?}");
        let request = SearchJobsRequest::decode(message).expect("a request");
        assert_eq!((request.skip, request.page_size, request.include_total), (4, 2, true));
        let table = Table {
            columns: vec!["JobID".into()],
            rows: vec![Row { cells: vec![Cell { kind: Some(Kind::IntValue(7)) }] }],
        };
        ok(&SearchJobsResponse { table: Some(table), total_size: Some(5), ..SearchJobsResponse::default() })
    });
    let gateway = Behind { jobs, ..Behind::default() }.start().await;
    let body = json!({ "parameters": ["JobID"], "search": [{ "parameter": "JobID", "operator": "eq", "value": 7 }] });
    let answer = gateway.json("POST", "/api/jobs/search?page=3&per_page=2", &gateway.alice(), &body).await;
    assert_eq!((answer.status, answer.header("content-range")), (206, Some("jobs 4-4/5")));
    assert_eq!(answer.json(), json!([{ "JobID": 7 }]));
}

#[tokio::test]
async fn refusals_of_a_service_arrive_as_they_are() {
    let jobs = script(|_, _, _| {
        let why = Explanation::invalid_argument(Reason::InvalidSearch);
        Err(from_explanation(&why, "Unknown column Colour"))
    });
    let gateway = Behind { jobs, ..Behind::default() }.start().await;
    let answer = gateway.json("POST", "/api/jobs/search", &gateway.alice(), &json!({})).await;
    assert_eq!((answer.status, answer.json()), (400, json!({ "detail": "Unknown column Colour" })));
    assert_eq!(answer.header("diracx-error-reason"), Some("INVALID_SEARCH"));
}

#[tokio::test]
async fn a_login_polls_until_the_person_is_done() {
    let auth = script(|path, _, message| {
        if path == "/diracx.auth.v1.AuthService/InitiateDeviceFlow" {
            return ok(&InitiateDeviceFlowResponse {
                user_code: "BCDFGHJK".into(),
                device_code: "secret".into(),
                expires_in: Some(diracx_proto::time::seconds(600)),
                verification_path: "/api/auth/device".into(),
            });
        }
        let request = GetTokenRequest::decode(message).expect("a request");
        if request.client_id == "early" {
            let pending = Explanation::failed_precondition(Reason::AuthorizationPending);
            return Err(from_explanation(&pending, "authorization_pending"));
        }
        ok(&GetTokenResponse {
            access_token: "a".into(),
            expires_in: Some(diracx_proto::time::seconds(1200)),
            token_type: "Bearer".into(),
            refresh_token: "r".into(),
        })
    });
    let gateway = Behind { auth, ..Behind::default() }.start().await;
    let flow = gateway.send("POST", "/api/auth/device?client_id=c&scope=vo:alpha", "", b"").await.json();
    assert_eq!(flow["verification_uri_complete"], "http://gateway.test/api/auth/device?user_code=BCDFGHJK");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let grant = "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=secret&client_id=";
    let early = gateway.send("POST", "/api/auth/token", form, format!("{grant}early").as_bytes()).await;
    assert_eq!((early.status, early.json()), (400, json!({ "error": "authorization_pending" })));
    let done = gateway.send("POST", "/api/auth/token", form, format!("{grant}late").as_bytes()).await;
    let tokens =
        json!({ "access_token": "a", "expires_in": 1200, "token_type": "Bearer", "refresh_token": "r" });
    assert_eq!((done.status, done.json()), (200, tokens));
}

#[tokio::test]
async fn who_am_i() {
    let auth = script(|_, _, _| {
        ok(&GetUserInfoResponse {
            sub: "alpha:1".into(),
            vo: "alpha".into(),
            dirac_group: "alpha_user".into(),
            properties: vec!["NormalUser".into()],
            preferred_username: "alice".into(),
            policies: [("p".to_owned(), r#"{"a":1}"#.to_owned())].into(),
        })
    });
    let gateway = Behind { auth, ..Behind::default() }.start().await;
    let answer = gateway.get("/api/auth/userinfo", &gateway.alice()).await;
    let expected = json!({
        "sub": "alpha:1", "vo": "alpha", "dirac_group": "alpha_user", "policies": { "p": { "a": 1 } },
        "properties": ["NormalUser"], "preferred_username": "alice",
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn bodies_too_large_or_too_slow_are_refused() {
    let settings = GatewaySettings {
        max_body_bytes: 1000,
        body_timeout: Duration::from_millis(50),
        ..GatewaySettings::default()
    };
    let gateway = Behind { settings, ..Behind::default() }.start().await;
    let large = gateway.send("POST", "/api/jobs/jdl", &gateway.alice(), &[b'x'; 2000]).await;
    assert_eq!(
        (large.status, large.json()),
        (413, json!({ "detail": "The body is larger than 1000 bytes" }))
    );
    let head = format!(
        "POST /api/jobs/jdl HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n{}\r\n[",
        gateway.alice()
    );
    let slow = String::from_utf8(gateway.raw(head.as_bytes()).await).expect("text");
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
}

#[tokio::test]
async fn a_panic_is_one_bad_answer() {
    let jobs = script(|_, _, _| panic!("a bug"));
    let gateway = Behind { jobs, ..Behind::default() }.start().await;
    let answer =
        gateway.json("POST", "/api/jobs/search", &format!("{PAGE}{}", gateway.alice()), &json!({})).await;
    assert_eq!((answer.status, answer.text().as_str()), (500, "Internal Server Error"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(gateway.get("/api/health/live", "").await.status, 200);
}

#[tokio::test]
async fn a_person_with_a_browser_learns_what_this_is() {
    let answer = alone().await.get("/", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.text().contains(env!("CARGO_PKG_VERSION")));
}
