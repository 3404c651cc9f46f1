//! DiracX's own description of its interface, held against what we serve: paths and methods, parameters, and the form
//! of answers. A difference that docs/compatibility.md does not name fails.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod description;
mod parameters;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use diracx_tests::mesh::{Form, Mesh, Store};

use crate::description::Description;

/// What DiracX serves and we do not, yet.
const NOT_THERE_YET: &[&str] = &[];

/// What DiracX serves as well, and leaves out of its description.
const NOT_DESCRIBED: &[&str] = &[
    "GET /",
    "GET /api/openapi.json",
    "POST /api/auth/legacy-exchange",
    "GET /api/auth/legacy-exchange",
    "GET /api/health/live",
    "GET /api/health/ready",
    "GET /api/health/startup",
];

/// Paths and methods: what DiracX describes and what the gateway's table has.
#[test]
fn what_diracx_serves_is_served_and_everything_else_is_explained() {
    let described: BTreeSet<String> =
        Description::read().operations().map(|operation| operation.name()).collect();
    let served: BTreeSet<String> = diracx_gateway::rest_paths()
        .into_iter()
        .flat_map(|(path, allow)| allow.split(", ").map(move |method| format!("{method} {path}")))
        .collect();
    let missing: Vec<_> = described.difference(&served).map(String::as_str).collect();
    assert_eq!(missing, sorted(NOT_THERE_YET), "what is served now belongs out of NOT_THERE_YET");
    let document = compatibility();
    // up to what stands for something else
    let named = |name: &str| {
        let path = name.split_once(' ').map_or(name, |(_, path)| path);
        document.contains(path.split('{').next().unwrap_or(path))
    };
    let ours: Vec<_> = served
        .iter()
        .filter(|name| !described.iter().any(|pattern| fits(pattern, name)))
        .filter(|name| !NOT_DESCRIBED.contains(&name.as_str()) && !named(name))
        .collect();
    assert!(ours.is_empty(), "docs/compatibility.md does not name {ours:?}");
}

/// The description itself: DiracX's, with a name and a version of our own.
#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_to_everybody() {
    let mesh = Mesh::start(Form::Standalone, Store::Sqlite).await.expect("a mesh");
    let answer = mesh.request("", "GET", "/api/openapi.json", None).await.expect("an answer");
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some("application/json")));
    let served = answer.json().expect("JSON");
    let described = Description::read();
    for part in ["openapi", "paths", "components"] {
        assert_eq!(&served[part], described.part(part), "{part}");
    }
    assert_eq!(served["info"]["title"], "DiracX");
    assert_eq!(served["servers"][0]["url"], "/");
}

/// Parameters: who needs a token, what must be there, what it must look like.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_asked_for_and_refused_as_described() {
    let mesh = Mesh::start(Form::Standalone, Store::Sqlite).await.expect("a mesh");
    judge(parameters::compare(&mesh, &Description::read(), NOT_THERE_YET).await, parameters::DIFFERENT);
}

/// Answers: none is forgotten.
#[test]
fn every_operation_is_asked_for_its_answer_or_it_is_said_where_else() {
    assert_eq!(answers::left_out(&Description::read()), [""; 0]);
}

/// Answers: what comes has the form that is described.
#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_described_form() {
    let mut mesh = Mesh::start(Form::Standalone, Store::Sqlite).await.expect("a mesh");
    judge(answers::compare(&mut mesh, &Description::read()).await, &[]);
}

/// Fails with every difference that is not listed, with every listed one that is gone, and with every listed one that
/// the document does not name.
fn judge(differences: Vec<(String, String)>, listed: &[(&str, &str)]) {
    let document = compatibility();
    let listed: BTreeMap<_, _> = listed.iter().copied().collect();
    let found: BTreeMap<_, _> = differences.iter().map(|(what, how)| (what.as_str(), how.as_str())).collect();
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(
        differences
            .iter()
            .filter(|(what, _)| !listed.contains_key(what.as_str()))
            .map(|(what, how)| format!("{what}: {how}")),
    );
    wrong.extend(
        listed
            .keys()
            .filter(|what| !found.contains_key(**what))
            .map(|what| format!("{what} is listed as different, but is not")),
    );
    wrong.extend(listed.iter().filter(|(_, words)| !document.contains(**words)).map(|(what, words)| {
        format!("docs/compatibility.md should explain {what} with the words {words:?}")
    }));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a method and path is one that is described: what is in braces fits anything.
fn fits(described: &str, served: &str) -> bool {
    let pairs = described.split('/').zip(served.split('/'));
    let same = |(described, served): (&str, &str)| described == served || described.starts_with('{');
    described.matches('/').count() == served.matches('/').count() && pairs.into_iter().all(same)
}

fn compatibility() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");
    std::fs::read_to_string(path).expect("docs/compatibility.md")
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}
