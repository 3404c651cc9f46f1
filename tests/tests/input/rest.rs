//! Every operation with everything that can be wrong with it.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use diracx_tests::{
    http::{Answer, Connection, form},
    mesh::Mesh,
};
use tokio::sync::Mutex;

use crate::{
    contract::{Body, Operation, Parameter, Place, operations},
    must_be_well,
    wrong::{Edit, edited, large, places, texts, values},
};

/// How long an answer may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many ask at once.
const WORKERS: usize = 4;
/// Of what is wrong, one in so many is tried as an administrator too.
const AS_ADMINISTRATOR: usize = 5;
/// And one in so many without a token.
const AS_NOBODY: usize = 23;

/// What there is to say about a request that nothing is wrong with.
const GOOD: &str = "good";

/// One request.
#[derive(Clone)]
struct Attempt {
    about: String,
    who: &'static str,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// Tries everything; of what is wrong, one in `sparse`. Returns the operations that are not served.
pub(crate) async fn try_everything(mesh: &mut Mesh, sparse: usize) -> Vec<String> {
    let mut not_served = Vec::new();
    let mut failures = BTreeSet::new();
    let mut count = 0;
    for operation in operations() {
        if !is_served(mesh, &operation).await {
            not_served.push(format!("{} {}", operation.method, operation.path));
            continue;
        }
        let attempts = attempts(&operation, sparse);
        count += attempts.len();
        failures.extend(run(mesh, attempts).await);
        must_be_well(mesh).await;
    }
    assert!(count > 7_000 / sparse, "only {count} requests were made of the description");
    assert!(
        failures.is_empty(),
        "{} kinds of failures:\n{}",
        failures.len(),
        Vec::from_iter(failures).join("\n")
    );
    not_served
}

async fn is_served(mesh: &Mesh, operation: &Operation) -> bool {
    let path = target(operation, None, &[]);
    let path = path.split('?').next().unwrap_or_default();
    // A method that nobody has ever heard of tells an unknown path (404) from a known one (405).
    let unheard_of = mesh.request("", "BREW", path, None).await.expect("an answer");
    let asked = mesh.request("", &operation.method, path, None).await.expect("an answer");
    unheard_of.status == 405 && asked.status != 405
}

fn attempts(operation: &Operation, sparse: usize) -> Vec<Attempt> {
    let mut wrong = in_parameters(operation);
    match &operation.body {
        Some(Body::Json(value)) => wrong.extend(in_json(operation, value)),
        Some(Body::Form(fields)) => wrong.extend(in_form(operation, fields)),
        None => {}
    }
    let is_large = |attempt: &Attempt| attempt.body.as_ref().is_some_and(|body| body.len() > 1 << 20);
    let wrong = wrong.into_iter().enumerate().filter(|(i, attempt)| i % sparse == 0 || is_large(attempt));
    let mut all = Vec::new();
    for (i, attempt) in wrong {
        let i = i / sparse;
        let others = [("admin", AS_ADMINISTRATOR), ("", AS_NOBODY)]
            .into_iter()
            .filter(|(_, every)| i.is_multiple_of(*every));
        all.extend(others.map(|(who, _)| Attempt { who, ..attempt.clone() }));
        all.push(attempt);
    }
    all
}

/// A request in which everything is good.
fn good(operation: &Operation) -> Attempt {
    let (kind, body) = match &operation.body {
        Some(Body::Json(value)) => (Some("application/json"), Some(value.to_string().into_bytes())),
        Some(Body::Form(fields)) => (Some("application/x-www-form-urlencoded"), Some(encoded(fields))),
        None => (None, None),
    };
    Attempt {
        about: GOOD.to_owned(),
        who: "normal_user",
        method: operation.method.clone(),
        target: target(operation, None, &[]),
        headers: kind.map(|kind| ("Content-Type".to_owned(), kind.to_owned())).into_iter().collect(),
        body,
    }
}

fn encoded(fields: &[(String, String)]) -> Vec<u8> {
    form(fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))).into_bytes()
}

/// The path with its query. One parameter may be replaced by something that is encoded already; further ones may follow.
fn target(operation: &Operation, replaced: Option<(&str, Option<&str>)>, further: &[&str]) -> String {
    let encode = |parameter: &Parameter| match replaced {
        Some((name, other)) if name == parameter.name => other.map(ToOwned::to_owned),
        _ => form([("", parameter.good.as_str())]).strip_prefix('=').map(ToOwned::to_owned),
    };
    let mut path = operation.path.clone();
    let mut query = Vec::new();
    for parameter in &operation.parameters {
        match parameter.place {
            Place::Path => {
                path =
                    path.replace(&format!("{{{}}}", parameter.name), &encode(parameter).unwrap_or_default());
            }
            Place::Query => {
                query.extend(encode(parameter).map(|value| format!("{}={value}", parameter.name)));
            }
            Place::Header => {}
        }
    }
    query.extend(further.iter().map(|&pair| pair.to_owned()));
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

/// Texts as they may stand in a URL, right or wrong.
fn url_texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "%",
        "%zz",
        "%00",
        "%ff%fe",
        "%2f..%2f",
        "%ED%A0%80",
        "a;b",
        "a&b=c",
        "=",
        "+",
        "%0d%0aX:%20y",
        "[",
        "{}",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(texts().iter().map(|text| form([("", text.replace('\\', "").as_str())])[1..].to_owned()));
    all.push("9".repeat(5_000));
    all.push("x".repeat(50_000));
    all
}

fn in_parameters(operation: &Operation) -> Vec<Attempt> {
    let mut all = vec![good(operation)];
    for Parameter { place, name, good: right } in &operation.parameters {
        let attempt = |about: &str, target: String| {
            let about: String = about.chars().take(40).collect();
            Attempt { about: format!("{name}: {about}"), target, ..good(operation) }
        };
        if *place == Place::Header {
            for text in texts().into_iter().chain(["\"".repeat(3), "W/\"x\"".to_owned(), "x".repeat(9_000)]) {
                let mut headers = good(operation).headers;
                headers.push((name.clone(), text.clone()));
                all.push(Attempt { headers, ..attempt(&text, target(operation, None, &[])) });
            }
            continue;
        }
        for text in url_texts() {
            all.push(attempt(&text, target(operation, Some((name, Some(&text))), &[])));
        }
        if *place == Place::Query {
            all.push(attempt("missing", target(operation, Some((name, None)), &[])));
            for text in ["", "abc", right] {
                all.push(attempt("twice", target(operation, None, &[&form([(name.as_str(), text)])])));
            }
        }
    }
    all.push(Attempt {
        about: "a long query".into(),
        target: target(operation, None, &vec!["x=y"; 10_000]),
        ..good(operation)
    });
    all
}

fn in_json(operation: &Operation, value: &serde_json::Value) -> Vec<Attempt> {
    let with = |about: String, body: Vec<u8>| Attempt { about, body: Some(body), ..good(operation) };
    let mut all = Vec::new();
    for place in places(value) {
        let mut edits: Vec<(String, Edit)> =
            vec![("missing".to_owned(), Edit::Remove), ("twice".to_owned(), Edit::Double)];
        let quoted = texts().into_iter().map(|text| format!("\"{text}\""));
        for raw in values().into_iter().chain(quoted).chain(large()) {
            let about = raw.chars().take(40).collect();
            edits.push((about, Edit::Replace(raw)));
        }
        // A name is wrong or not; of the ways to be wrong a few suffice.
        for name in texts().into_iter().step_by(4) {
            edits.push((format!("named {name:.40}"), Edit::Rename(name)));
        }
        for (about, edit) in edits {
            let about = format!("{} {about}", place.join("/"));
            all.push(with(about, edited(value, &place, &edit).into_bytes()));
        }
    }
    let text = value.to_string().into_bytes();
    for part in 1..8 {
        all.push(with(format!("cut at {part}/8"), text[..text.len() * part / 8].to_vec()));
    }
    for (i, byte) in
        [(text.len() / 2, 0xff), (text.len() / 3, 0), (1.min(text.len() - 1), 0xc3), (text.len() - 1, b'}')]
    {
        let mut spoilt = text.clone();
        spoilt[i] = byte;
        all.push(with(format!("byte {byte} at {i}"), spoilt));
    }
    for (name, before, after) in
        [("BOM", &b"\xef\xbb\xbf"[..], &b""[..]), ("more behind", b"", b" {}"), ("spaces", b" \r\n\t", b"\n")]
    {
        all.push(with(name.to_owned(), [before, &text, after].concat()));
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/problem+json",
        "/",
        "\u{fc}",
    ] {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        all.push(Attempt { about: format!("as {kind}"), headers, ..good(operation) });
    }
    all.push(Attempt { about: "as nothing".into(), headers: Vec::new(), ..good(operation) });
    let mut headers = good(operation).headers;
    headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
    all.push(Attempt { about: "as gzip".into(), headers, ..good(operation) });
    all.push(Attempt { about: "no body".into(), body: None, ..good(operation) });
    all
}

fn in_form(operation: &Operation, fields: &[(String, String)]) -> Vec<Attempt> {
    let with = |about: String, body: Vec<u8>| Attempt { about, body: Some(body), ..good(operation) };
    let grants = ["refresh_token", "authorization_code", "urn:ietf:params:oauth:grant-type:device_code"];
    let mut all = Vec::new();
    for grant in grants {
        let mut fields = fields.to_vec();
        fields
            .iter_mut()
            .filter(|(name, _)| name == "grant_type")
            .for_each(|field| grant.clone_into(&mut field.1));
        all.push(with(grant.to_owned(), encoded(&fields)));
        for i in 0..fields.len() {
            let name = fields[i].0.clone();
            let pairs = |of: &[(String, String)]| String::from_utf8(encoded(of)).unwrap_or_default();
            let others = [&fields[..i], &fields[i + 1..]].concat();
            all.push(with(format!("{grant}: {name} missing"), encoded(&others)));
            for text in url_texts() {
                let about = format!("{grant}: {name}: {text:.40}");
                all.push(with(about, format!("{}&{name}={text}", pairs(&others)).into_bytes()));
            }
            all.push(with(
                format!("{grant}: {name} twice"),
                format!("{}&{name}=x", pairs(&fields)).into_bytes(),
            ));
        }
    }
    for body in [&b"\xff\xfe\x00"[..], b"&&&&", b"=", b"grant_type", &vec![b'a'; 200_000]] {
        all.push(with(format!("{:.20}", String::from_utf8_lossy(body)), body.to_vec()));
    }
    for kind in ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"] {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        all.push(Attempt { about: format!("as {kind}"), headers, ..good(operation) });
    }
    all
}

/// Sends the attempts from several sides; what was wrong with the answers.
async fn run(mesh: &Mesh, attempts: Vec<Attempt>) -> Vec<String> {
    let queue = Arc::new(Mutex::new(attempts.into_iter()));
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let (queue, tokens, base) = (Arc::clone(&queue), mesh.tokens.clone(), mesh.base.clone());
        workers.push(tokio::spawn(async move {
            let mut connection = Connection::to(&base);
            let mut problems = Vec::new();
            loop {
                let Some(mut attempt) = queue.lock().await.next() else { return problems };
                if let Some(token) = tokens.get(attempt.who) {
                    attempt.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
                }
                let begun = Instant::now();
                let sent =
                    connection.send(&attempt.method, &attempt.target, &attempt.headers, attempt.body.take());
                let problem = match tokio::time::timeout(PATIENCE, sent).await {
                    Err(_) => Some("no answer".to_owned()),
                    Ok(Err(error)) => Some(format!("{error:#}")),
                    Ok(Ok(answer)) => complaint(&attempt, &answer),
                };
                let Attempt { about, who, method, target, .. } = &attempt;
                let path = target.split('?').next().unwrap_or_default();
                problems.extend(problem.map(|problem| {
                    format!(
                        "{method} {path:.60} as {who:?}, {about}: {problem:.300} ({} ms)",
                        begun.elapsed().as_millis()
                    )
                }));
            }
        }));
    }
    let mut problems = Vec::new();
    for worker in workers {
        problems.extend(worker.await.expect("a worker that does not panic"));
    }
    problems
}

fn complaint(attempt: &Attempt, answer: &Answer) -> Option<String> {
    let problem = format!("{} {}", answer.status, answer.text);
    if answer.status >= 500 || attempt.about == GOOD && answer.status == 422 {
        return Some(problem);
    }
    // A request line or headers beyond measure are refused before there is anybody to explain it.
    let beyond_measure =
        matches!(answer.status, 400 | 414 | 431) && answer.text.is_empty() && attempt.target.len() > 8_000;
    if answer.status < 400 || beyond_measure {
        return None;
    }
    let is_page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let explains = answer.json().is_some_and(|json| !json["detail"].is_null() || json["error"].is_string());
    let is_explained = explains || is_page && attempt.target.starts_with("/api/auth/");
    (!is_explained).then(|| format!("unexplained: {problem}"))
}
