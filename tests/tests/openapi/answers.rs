//! The form of answers: of each operation that can be asked for something good at little cost.

use std::collections::BTreeSet;

use diracx_tests::{
    http::{Answer, form, send},
    mesh::Mesh,
};
use serde_json::{Value, json};

use crate::{description::Description, schema};

const HELLO: &str = "Executable = \"/bin/echo\"; JobName = \"greeting\";";
const SCOPE: &str = "vo:alpha group:alpha_user";
const CHECKSUM: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

const ADMINISTRATOR: &str = "service_admin";

/// What is not asked for here, and where its answer is looked at instead.
const ASKED_ELSEWHERE: &[(&str, &str)] = &[
    ("GET /.well-known/security.txt", "a text; recording 01 has it"),
    ("GET /api/auth/device", "a redirection of a browser; tests/tests/logins"),
    ("GET /api/auth/device/complete", "a redirection of a browser; tests/tests/logins"),
    ("GET /api/auth/device/complete/finished", "a page; tests/tests/logins"),
    ("GET /api/auth/authorize", "a redirection of a browser; tests/tests/logins"),
    ("GET /api/auth/authorize/complete", "a redirection of a browser; tests/tests/logins"),
    ("POST /api/auth/token", "needs a login; recordings 13 and 14 have it"),
    ("POST /api/auth/revoke", "needs a refresh token; recording 14 has it"),
    ("DELETE /api/auth/refresh-tokens/{jti}", "needs a refresh token; recording 14 has it"),
];

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

fn with_method(method: &'static str, path: &'static str) -> Ask {
    Ask { method, ..get(path) }
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
        Ask { target: "/api/jobs/2/sandbox", ..with_method("DELETE", "/api/jobs/{job_id}/sandbox") },
        Ask {
            who: ADMINISTRATOR,
            ..with_body("POST", "/api/pilots/", json!({"pilot_stamp": "a", "vo": "alpha"}), 201)
        },
        Ask {
            who: ADMINISTRATOR,
            ..with_body(
                "POST",
                "/api/pilots/",
                json!({"pilot_stamp": "b", "vo": "alpha", "pilot_status": "Waiting"}),
                201,
            )
        },
        Ask {
            who: ADMINISTRATOR,
            ..with_body(
                "PATCH",
                "/api/pilots/metadata",
                json!({"a": {"Status": "Running", "BenchMark": 1.5}}),
                204,
            )
        },
        with_body("POST", "/api/pilots/search", json!({}), 200),
        Ask {
            target: "/api/pilots/search?per_page=1",
            ..with_body("POST", "/api/pilots/search", json!({}), 206)
        },
        with_body("POST", "/api/pilots/summary", json!({"grouping": ["Status"]}), 200),
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
    found.extend(of_a_sandbox(mesh, description).await);
    found
}

/// Each operation that is described is asked for, or it is said where else.
pub(crate) fn left_out(description: &Description) -> Vec<String> {
    let mut asked: BTreeSet<String> =
        asks().iter().map(|Ask { method, path, .. }| format!("{method} {path}")).collect();
    asked.extend(["POST /api/auth/device", "GET /api/jobs/sandbox", OUTPUT].map(str::to_owned));
    let elsewhere: BTreeSet<String> = ASKED_ELSEWHERE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let both = asked.intersection(&elsewhere).map(|name| format!("{name} is asked for, whatever is said"));
    let described = description.operations().map(|operation| operation.name());
    let forgotten = described.filter(|name| !asked.contains(name) && !elsewhere.contains(name));
    both.chain(forgotten.map(|name| format!("{name} is not asked for"))).collect()
}

const OUTPUT: &str = "PATCH /api/jobs/{job_id}/sandbox/output";

/// A sandbox is announced, uploaded, assigned to a job, and asked for.
async fn of_a_sandbox(mesh: &Mesh, description: &Description) -> Vec<(String, String)> {
    let hello = b"hello";
    let body = json!({"checksum_algorithm": "sha256", "checksum": CHECKSUM, "size": hello.len(), "format": "tar.zst"});
    let begun = mesh.request("normal_user", "POST", "/api/jobs/sandbox", Some(body.to_string())).await;
    let begun = begun.expect("an answer").json().expect("where to");
    let fields = begun["fields"].as_object().expect("fields");
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    let (kind, upload) = multipart(fields, hello);
    let url = begun["url"].as_str().expect("a URL");
    let uploaded = send("POST", url, &[("Content-Type".to_owned(), kind)], Some(upload)).await;
    let uploaded = uploaded.expect("an answer");
    assert!((200..300).contains(&uploaded.status), "{} {}", uploaded.status, uploaded.text);
    let pfn = begun["pfn"].as_str().expect("a name");
    let output = Some(json!(pfn).to_string());
    let output = mesh.request("normal_user", "PATCH", "/api/jobs/1/sandbox/output", output).await;
    let mut found = differences(
        description,
        "PATCH",
        "/api/jobs/{job_id}/sandbox/output",
        200,
        &output.expect("an answer"),
    );
    let target = format!("/api/jobs/sandbox?{}", form([("pfn", pfn)]));
    let answer = mesh.request("normal_user", "GET", &target, None).await.expect("an answer");
    found.extend(differences(description, "GET", "/api/jobs/sandbox", 200, &answer));
    found
}

/// A form with a file behind its fields, as browsers send it.
fn multipart<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>, file: &[u8]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "between-the-fields";
    let mut text = String::new();
    for (name, value) in fields {
        text = format!(
            "{text}--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    text = format!(
        "{text}--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n"
    );
    let body = [text.as_bytes(), file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
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
