//! Pilots as the whole system sees them: the life of one on REST, and the jobs service without its neighbour.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use diracx_tests::{
    http::Answer,
    mesh::{Database, Form, Mesh, Store},
    on_every_mesh,
};
use serde_json::{Value, json};

/// A search for the jobs of a pilot.
const JOBS_OF_ONE: &str =
    r#"{"parameters": ["JobID"], "search": [{"parameter": "PilotStamp", "operator": "eq", "value": "one"}]}"#;

async fn ask(mesh: &Mesh, who: &str, method: &str, path: &str, body: &Value) -> Answer {
    mesh.request(who, method, path, Some(body.to_string())).await.expect("an answer")
}

async fn becomes(mesh: &Mesh, who: &str, stamp: &str, status: &str) -> (u16, String) {
    let body = json!({ stamp: {"Status": status} });
    let answer = ask(mesh, who, "PATCH", "/api/pilots/metadata", &body).await;
    (answer.status, answer.header("diracx-error-reason").unwrap_or_default())
}

async fn register(mesh: &Mesh, stamp: &str, vo: &str) {
    let body = json!({"pilot_stamp": stamp, "vo": vo});
    let answer = ask(mesh, "service_admin", "POST", "/api/pilots/", &body).await;
    assert_eq!((answer.status, answer.text.as_str()), (201, "null"));
}

on_every_mesh! {
    async fn the_order_of_statuses_binds_pilots_and_administrators_overrule_it(mesh: Mesh) {
        register(&mesh, "one", "alpha").await;
        assert_eq!(becomes(&mesh, "pilot", "one", "Running").await, (204, String::new()));
        assert_eq!(becomes(&mesh, "pilot", "one", "Done").await, (204, String::new()));
        let refused = (400, "ILLEGAL_TRANSITION".to_owned());
        assert_eq!(becomes(&mesh, "pilot", "one", "Running").await, refused);
        assert_eq!(becomes(&mesh, "service_admin", "one", "Running").await, (204, String::new()));
    }

    async fn other_vos_have_no_pilots_to_look_at(mesh: Mesh) {
        register(&mesh, "theirs", "beta").await;
        let refused = (404, "PILOT_NOT_FOUND".to_owned());
        assert_eq!(becomes(&mesh, "pilot", "theirs", "Running").await, refused);
        assert_eq!(becomes(&mesh, "pilot", "nobodys", "Running").await, refused);
        assert_eq!(becomes(&mesh, "pilot", &"x".repeat(300), "Running").await, refused);
        let all = ask(&mesh, "normal_user", "POST", "/api/pilots/search", &json!({})).await;
        assert_eq!((all.status, all.text.as_str()), (200, "[]"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_searched_without_the_pilots_service_unless_by_pilot() {
    let mut mesh = Mesh::start(Form::Processes, Store::Sqlite).await.expect("a mesh");
    let search = async |mesh: &Mesh, body: &str| {
        mesh.request("normal_user", "POST", "/api/jobs/search", Some(body.to_owned()))
            .await
            .expect("an answer")
    };
    assert_eq!(search(&mesh, JOBS_OF_ONE).await.status, 200, "{}", mesh.complaints());
    let pilots = mesh.processes.iter_mut().find(|process| process.name == "diracx-pilots").expect("pilots");
    pilots.terminate().await.expect("an end");
    let away = search(&mesh, JOBS_OF_ONE).await;
    assert_eq!(away.status, 503, "{}", away.text);
    assert_eq!(away.json().expect("JSON")["detail"], "The pilots service does not answer");
    assert!(away.header("retry-after").is_some(), "{:?}", away.headers);
    assert_eq!(search(&mesh, "{}").await.status, 200);
    let pilots = mesh.processes.iter_mut().find(|process| process.name == "diracx-pilots").expect("pilots");
    pilots.start_again().await.expect("a start");
    assert_eq!(search(&mesh, JOBS_OF_ONE).await.status, 200, "{}", mesh.complaints());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_without_pilots_needs_no_database_for_them_and_says_so() {
    for form in [Form::Standalone, Form::Processes] {
        let none = [("DIRACX_SERVICE_PILOTS_ENABLED".to_owned(), "false".to_owned())];
        let mesh = Mesh::start_on(form, Database::create(Store::Sqlite), &none).await.expect("a mesh");
        let routes = ask(&mesh, "normal_user", "POST", "/api/pilots/search", &json!({})).await;
        assert_eq!(routes.status, 404, "{form:?}: {}", routes.text);
        let jobs =
            mesh.request("normal_user", "POST", "/api/jobs/search", Some(JOBS_OF_ONE.to_owned())).await;
        let jobs = jobs.expect("an answer");
        assert_eq!(jobs.status, 400, "{form:?}: {}", jobs.text);
        let detail = &jobs.json().expect("JSON")["detail"];
        assert_eq!(detail, "PilotStamp cannot be searched for: this installation has no pilots");
    }
}
