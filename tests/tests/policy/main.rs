//! Who may call what: every rpc that is served, called as everybody, and written down for administrators.
//!
//! `docs/reference/access.md` is what comes out. `cargo xtask docs` writes it anew; a test compares it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod document;
mod requests;
mod world;

use std::{collections::BTreeSet, path::Path};

use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{StatusInfo, access::Rule};
use tonic::{Code, Status};

use crate::{
    document::Contract,
    requests::{Prepared, prepare},
    world::{Caller, World},
};

/// Set by `cargo xtask docs`: the document is written instead of compared.
const WRITE: &str = "DIRACX_WRITE_DOCS";

/// Whose calls are tried, besides those of components: people of the testkit, by role.
const PEOPLE: [&str; 9] = [
    "normal_user",
    "other_user",
    "other_vo_user",
    "no_properties",
    "admin",
    "pilot",
    "service_admin",
    "site_manager",
    "token_manager",
];

/// Services of the contract that nobody serves yet; their rpcs have no rows.
const NOT_SERVED: [&str; 1] = ["diracx.tasks.v1.TasksService"];

/// How a call ended, as far as access is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Allowed,
    Forbidden,
    Unauthenticated,
    Unimplemented,
}

/// A row of the matrix: an rpc, and how it went for each caller.
struct Row {
    rule: Rule,
    outcomes: Vec<Outcome>,
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_call_what_the_access_document_says() {
    let contract = Contract::read(FILE_DESCRIPTOR_SET);
    let world = World::start().await;
    let in_contract = |service: &str| contract.rules().any(|rule| document::service(rule) == service);
    assert!(NOT_SERVED.into_iter().all(in_contract), "NOT_SERVED names what the contract does not have");
    let callers = callers(&contract);
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for rule in contract.rules().filter(|rule| !NOT_SERVED.contains(&document::service(rule))) {
        match row(&world, rule, &callers).await {
            Ok(outcomes) => rows.push(Row { rule: rule.clone(), outcomes }),
            Err(problem) => problems.push(problem),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    let text = document::render(&contract, &world, &callers, &rows);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/access.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<_> = text.lines().filter(|line| !stored.lines().any(|known| known == *line)).collect();
    assert!(
        stored == text,
        "docs/reference/access.md says something else; `cargo xtask docs` writes it anew. Now:\n{}",
        changed.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rpc_that_nobody_wrote_a_request_for_is_named() {
    let world = World::start().await;
    let mut rule = Contract::read(FILE_DESCRIPTOR_SET).rules().next().unwrap().clone();
    rule.path = "/diracx.jobs.v1.JobsService/DanceWithJobs".to_owned();
    let problem = row(&world, &rule, &[Caller::Anonymous]).await.unwrap_err();
    assert!(problem.starts_with("JobsService/DanceWithJobs has no request"), "{problem}");
}

/// Everybody: nobody in particular, the people, a pilot, and each component that the contract names anywhere.
fn callers(contract: &Contract) -> Vec<Caller> {
    let components: BTreeSet<_> = contract.rules().flat_map(|rule| rule.components.clone()).collect();
    [Caller::Anonymous, Caller::Expired]
        .into_iter()
        .chain(PEOPLE.map(Caller::Person))
        .chain([Caller::Pilot])
        .chain(components.into_iter().map(Caller::Component))
        .collect()
}

async fn row(world: &World, rule: &Rule, callers: &[Caller]) -> Result<Vec<Outcome>, String> {
    let rpc = document::rpc(rule);
    let mut outcomes = Vec::new();
    for caller in callers {
        let Some(Prepared { message, wrong_credential_inside, impossible_here }) = prepare(world, &rpc).await
        else {
            return Err(format!("{rpc} has no request in tests/tests/policy/requests.rs"));
        };
        let answer = world.call(caller, &rule.path, message, rule.streaming).await;
        let outcome = match answer {
            // A bulk call says it of each item; one that is forbidden is enough.
            Ok(messages) if messages.iter().any(|bytes| contains(bytes, b"FORBIDDEN")) => Outcome::Forbidden,
            Ok(_) => Outcome::Allowed,
            Err(status) if Some(status.code()) == impossible_here => Outcome::Allowed,
            Err(status) => match (outcome(&status), wrong_credential_inside) {
                (Some(Outcome::Unimplemented), _) => Outcome::Unimplemented,
                (_, true) if !is_about_the_token(&status) => Outcome::Allowed,
                (Some(outcome), _) => outcome,
                (None, _) => {
                    let (code, message) = (status.code(), status.message());
                    return Err(format!(
                        "{rpc} as {caller:?}: the request is not as good as it should be: {code:?} {message}"
                    ));
                }
            },
        };
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn outcome(status: &Status) -> Option<Outcome> {
    match status.code() {
        Code::PermissionDenied => Some(Outcome::Forbidden),
        Code::Unauthenticated => Some(Outcome::Unauthenticated),
        Code::Unimplemented => Some(Outcome::Unimplemented),
        _ => None,
    }
}

/// Did the guard want a token of the call, whatever is in the request?
fn is_about_the_token(status: &Status) -> bool {
    let reason = StatusInfo::of(status).reason.unwrap_or_default();
    ["TOKEN_MISSING", "TOKEN_EXPIRED", "AUTHORIZATION_HEADER_INVALID"].contains(&reason.as_str())
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
