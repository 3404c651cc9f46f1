//! The form of answers: of each operation that can be asked for something good at little cost.

use diracx_tests::{
    http::{Answer, form, send},
    mesh::Mesh,
};
use serde_json::{Value, json};

use crate::{description::Description, schema};

const HELLO: &str = "Executable = \"/bin/echo\"; JobName = \"greeting\";";
const SCOPE: &str = "vo:alpha group:alpha_user";
const CHECKSUM: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A request: as whom, method, path as described, what stands for its parameters, body, and the status that it has.
struct Ask {
    who: &'static str,
    method: &'static str,
    path: &'static str,
    target: &'static str,
    body: Option<Value>,
    status: u16,
}

const fn get(path: &'static str) -> Ask {
    Ask { who: "normal_user", method: "GET", path, target: path, body: None, status: 200 }
}

fn with_body(method: &'static str, path: &'static str, body: Value, status: u16) -> Ask {
    Ask { method, body: Some(body), status, ..get(path) }
}

/// What is asked for, in an order in which each finds what it needs: the first makes the jobs 1 and 2.
fn asks() -> Vec<Ask> {
    let now = "2026-11-22T20:51:17.182005Z";
    vec![
        with_body("POST", "/api/jobs/jdl", json!([HELLO, HELLO]), 201),
        get("/.well-known/openid-configuration"),
        get("/.well-known/jwks.json"),
        get("/.well-known/dirac-metadata"),
        get("/api/auth/userinfo"),
        get("/api/auth/refresh-tokens"),
        get("/api/config/"),
        with_body("POST", "/api/jobs/search", json!({}), 200),
        Ask {
            target: "/api/jobs/search?per_page=1",
            ..with_body("POST", "/api/jobs/search", json!({}), 206)
        },
        with_body("POST", "/api/jobs/summary", json!({"grouping": ["Status"]}), 200),
        Ask {
            who: "admin",
            ..with_body(
                "PATCH",
                "/api/jobs/status",
                json!({"1": {now: {"Status": "Killed", "MinorStatus": "by hand"}}, "99": {now: {"Status": "Done"}}}),
                200,
            )
        },
        Ask {
            who: "pilot",
            ..with_body("PATCH", "/api/jobs/heartbeat", json!({"1": {"LoadAverage": 1.0}}), 200)
        },
        with_body("PATCH", "/api/jobs/metadata", json!({"2": {"HostName": "wn1"}}), 204),
        with_body("POST", "/api/jobs/reschedule", json!({"job_ids": [2]}), 200),
        with_body(
            "POST",
            "/api/jobs/sandbox",
            json!({"checksum_algorithm": "sha256", "checksum": CHECKSUM, "size": 5, "format": "tar.zst"}),
            200,
        ),
        Ask { target: "/api/jobs/1/sandbox", ..get("/api/jobs/{job_id}/sandbox") },
        Ask { target: "/api/jobs/1/sandbox/input", ..get("/api/jobs/{job_id}/sandbox/{sandbox_type}") },
        with_body("POST", "/api/jobs/sandbox/unassign", json!({"job_ids": [1]}), 204),
        get("/api/rss/storage"),
        get("/api/rss/compute"),
        get("/api/rss/site"),
        get("/api/rss/fts"),
    ]
}

/// Every difference: where, and what.
pub(crate) async fn compare(mesh: &mut Mesh, description: &Description) -> Vec<(String, String)> {
    mesh.database.seed("ResourceStatusDB").await.expect("rows");
    mesh.kill().await.expect("it lived");
    mesh.boot().await.expect("a mesh");
    let mut found = Vec::new();
    for Ask { who, method, path, target, body, status } in asks() {
        let body = body.map(|body| body.to_string());
        let answer = mesh.request(who, method, target, body).await.expect("an answer");
        found.extend(differences(description, method, path, status, &answer));
    }
    found.extend(of_a_login(mesh, description).await);
    found
}

/// A login begins, and the program asks too early.
async fn of_a_login(mesh: &Mesh, description: &Description) -> Vec<(String, String)> {
    let query = form([("client_id", "myDIRACClientID"), ("scope", SCOPE)]);
    let url = format!("{}/api/auth/device?{query}", mesh.base);
    let begun = send("POST", &url, &[], None).await.expect("an answer");
    differences(description, "POST", "/api/auth/device", 200, &begun)
}

fn differences(
    description: &Description,
    method: &str,
    path: &str,
    status: u16,
    answer: &Answer,
) -> Vec<(String, String)> {
    let operation = description.operation(method, path);
    let name = format!("{method} {path} {status}");
    if answer.status != status {
        return vec![(name, format!("it is {} {}", answer.status, answer.text))];
    }
    let Some(described) = operation.answer(status) else {
        return vec![(name, "DiracX describes no answer with this status".to_owned())];
    };
    let Some(content) = described["content"].get("application/json") else {
        let wrong = !answer.text.is_empty();
        return wrong
            .then(|| (name, format!("there should be no body: {}", answer.text)))
            .into_iter()
            .collect();
    };
    let kind = answer.header("content-type");
    if kind.as_deref() != Some("application/json") {
        return vec![(name, format!("its content type is {kind:?}"))];
    }
    let Some(value) = answer.json() else {
        return vec![(name, format!("not JSON: {}", answer.text))];
    };
    let found = schema::problems(description, &content["schema"], &value, "answer");
    found.into_iter().map(|problem| (name.clone(), problem)).collect()
}
