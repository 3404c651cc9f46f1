//! Resource statuses as administrators and everybody else meet them, from the command line to REST.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use diracx_proto::rss::v1::{
    GetResourceStatusesRequest, resource_status_service_client::ResourceStatusServiceClient,
};
use diracx_tests::{
    http::send,
    mesh::{Database, Form, Laptop, Mesh, Store},
};
use serde_json::{Value, json};
use tonic::Code;

/// The exit code of a command that the server refuses.
const REFUSED: i32 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_bans_a_storage_element_and_everybody_learns_why() {
    let laptop = Laptop::start(&[]).await.expect("a laptop");
    let (carol, alice) = (laptop.dirac("carol"), laptop.dirac("alice"));
    carol.log_in(&["dev", "--group", "admin"], "login_hint=carol").await.expect("a log-in");
    alice.log_in(&["dev"], "login_hint=alice").await.expect("a log-in");

    let active = ["rss", "set", "storage", "SE-ONE", "--status", "active"];
    carol.run(&active).await.unwrap().json().expect("four statuses");
    let banned =
        ["rss", "set", "storage", "SE-ONE", "--access", "write", "--status", "banned", "--reason", "full"];
    carol.run(&banned).await.unwrap().json().expect("a status");

    let listed = alice.run(&["rss", "list", "--kind", "storage", "--status", "banned"]).await.unwrap();
    let listed = listed.json().expect("a table");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    for (column, value) in [
        ("Name", "SE-ONE"),
        ("StatusType", "WriteAccess"),
        ("Status", "Banned"),
        ("Reason", "full"),
        ("TokenOwner", "carol"),
    ] {
        assert_eq!(listed[0][column], value, "{listed}");
    }
    let past = alice.run(&["rss", "history", "storage", "SE-ONE", "--access", "write"]).await.unwrap();
    let past = past.json().expect("a table");
    assert_eq!([&past[0]["Status"], &past[1]["Status"]], [&json!("Banned"), &json!("Active")], "{past}");

    let credentials = alice.environment.iter().find(|(name, _)| name == "DIRACX_CREDENTIALS_PATH").unwrap();
    let credentials: Value = serde_json::from_str(&std::fs::read_to_string(&credentials.1).unwrap()).unwrap();
    let token = format!("Bearer {}", credentials["access_token"].as_str().unwrap());
    let url = format!("{}/api/rss/storage", laptop.base);
    let answer = send("GET", &url, &[("Authorization".to_owned(), token)], None).await.unwrap();
    assert_eq!(answer.json().unwrap()["SE-ONE"]["write"], json!({"allowed": false, "reason": "full"}));

    let refused = alice.run(&["rss", "set", "site", "A", "--status", "active"]).await.unwrap();
    assert_eq!(refused.code, REFUSED, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downtime_is_planned_with_draining_and_shown() {
    let laptop = Laptop::start(&[]).await.expect("a laptop");
    let carol = laptop.dirac("carol");
    carol.log_in(&["dev", "--group", "admin"], "login_hint=carol").await.expect("a log-in");
    let plan = [
        "rss",
        "set",
        "site",
        "LCG.One.ch",
        "--status",
        "banned",
        "--reason",
        "downtime",
        "--from",
        "2999-12-01 08:00",
        "--until",
        "2999-12-01 20:00",
        "--drain-from",
        "2999-11-30",
    ];
    let kept = carol.run(&plan).await.unwrap().json().expect("a status");
    let expected =
        "Banned from 2999-12-01 08:00:00 until 2999-12-01 20:00:00, drained since 2999-11-30 00:00:00";
    assert_eq!((&kept[0]["Planned"], &kept[0]["Status"]), (&json!(expected), &Value::Null), "{kept}");

    let other = carol.run(&["rss", "cancel", "site", "lcg.one.ch"]).await.unwrap();
    assert_eq!(other.code, REFUSED, "{other:?}");
    assert!(other.stderr.contains("lcg.one.ch is known as LCG.One.ch"), "{other:?}");
    let cancelled = carol.run(&["rss", "cancel", "site", "LCG.One.ch", "LCG.Two.ch"]).await.unwrap();
    assert!(cancelled.stderr.contains("Nothing was planned for LCG.Two.ch"), "{cancelled:?}");
    assert_eq!(cancelled.json().expect("what was planned")[0]["Cancelled"], expected);
    let listed = carol.run(&["rss", "list"]).await.unwrap().json().expect("a table");
    assert_eq!(listed, json!([]), "nothing holds and nothing is planned");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_without_resource_statuses_has_no_routes_for_them() {
    for form in [Form::Standalone, Form::Processes] {
        let database = Database::create(Store::Sqlite);
        let off = [("DIRACX_SERVICE_RSS_ENABLED".to_owned(), "false".to_owned())];
        let mesh = Mesh::start_on(form, database, &off).await.expect("a mesh");
        let answer = mesh.request("normal_user", "GET", "/api/rss/site", None).await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (404, r#"{"detail":"Not Found"}"#), "{form:?}");
        let channel =
            tonic::transport::Channel::from_shared(mesh.base.clone()).unwrap().connect().await.unwrap();
        let asked = ResourceStatusServiceClient::new(channel)
            .get_resource_statuses(GetResourceStatusesRequest::default())
            .await;
        assert_eq!(asked.unwrap_err().code(), Code::Unimplemented, "{form:?}");
    }
}
