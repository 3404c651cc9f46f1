//! Which of our crates use which: the table that ARCHITECTURE.md refers to, held against the workspace.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::shell::{cargo, read};

/// Everything a service may use.
const OF_A_SERVICE: &[&str] = &["core", "proto", "server", "db", "client"];

/// A crate and what it uses of ours. What only its tests use is free.
const TABLE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("proto", &["core"]),
    ("server", &["core"]),
    ("db", &["core"]),
    ("client", &["core", "proto"]),
    ("api", &["core", "client"]),
    ("cs", &["core"]),
    ("testkit", &["core", "server", "db"]),
    ("auth", OF_A_SERVICE),
    ("config", &["core", "proto", "server", "client", "cs"]),
    ("jobs", OF_A_SERVICE),
    ("pilots", OF_A_SERVICE),
    ("rss", OF_A_SERVICE),
    ("gateway", &["core", "proto", "server", "client"]),
    ("cli", &["core", "client", "api", "cs"]),
    (
        "standalone",
        &[
            "core", "proto", "server", "db", "client", "api", "auth", "config", "jobs", "pilots", "rss",
            "gateway",
        ],
    ),
    ("tests", &["testkit"]),
    ("bench", &["core", "proto", "server", "db", "client", "standalone", "testkit", "tests"]),
    ("xtask", &[]),
];

/// Crates that must stay free of these, however far down.
const FREE_OF: &[(&str, &[&str])] =
    &[("core", &["tokio", "tonic", "diesel", "hyper", "reqwest"]), ("cli", &["diesel", "libsqlite3-sys"])];

/// Prints the table and fails when the workspace does not match it.
pub(crate) fn check() -> Result<()> {
    let metadata = read(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
    let uses = uses(&metadata);
    let mut problems = rows_of_nobody(&uses);
    for (name, used) in &uses {
        let shown = if used.is_empty() { "nothing of ours".to_owned() } else { join(used) };
        println!("  {name:<11} uses {shown}");
        problems.extend(judge(name, used));
    }
    for (name, forbidden) in FREE_OF {
        let reached = reached(&metadata, name);
        let found: BTreeSet<_> =
            forbidden.iter().filter(|crate_| reached.contains(**crate_)).copied().collect();
        if !found.is_empty() {
            problems.push(format!(
                "{name} builds with {}, which it must not",
                found.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    Ok(())
}

/// What is wrong with one crate using these.
fn judge(name: &str, used: &BTreeSet<String>) -> Vec<String> {
    let Some((_, row)) = TABLE.iter().find(|(row, _)| *row == name) else {
        return vec![format!("{name} has no row in the table of xtask/src/dependencies.rs")];
    };
    let row: BTreeSet<_> = row.iter().map(ToString::to_string).collect();
    let mut problems = Vec::new();
    if !used.is_subset(&row) {
        problems.push(format!("{name} may not use {}", join(&(used - &row))));
    }
    if !row.is_subset(used) {
        problems.push(format!("{name} does not use {}, take it out of the table", join(&(&row - used))));
    }
    problems
}

/// The rows of crates that are gone.
fn rows_of_nobody(uses: &BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    let gone = TABLE.iter().filter(|(name, _)| !uses.contains_key(name));
    gone.map(|(name, _)| format!("there is no crate {name}, take it out of the table")).collect()
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn short(name: &str) -> &str {
    name.strip_prefix("diracx-").or_else(|| name.strip_prefix("dirac-")).unwrap_or(name)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The crates of the workspace, each with those it declares for more than its tests.
fn uses(metadata: &Value) -> BTreeMap<&str, BTreeSet<String>> {
    let members: BTreeSet<_> = list(metadata, "workspace_members").filter_map(Value::as_str).collect();
    let ours: Vec<_> =
        list(metadata, "packages").filter(|package| members.contains(text(package, "id"))).collect();
    let names: BTreeSet<_> = ours.iter().map(|package| text(package, "name")).collect();
    let mut uses = BTreeMap::new();
    for package in ours {
        let declared = list(package, "dependencies")
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| text(dependency, "name"))
            .filter(|name| names.contains(name))
            .map(|name| short(name).to_owned());
        uses.insert(short(text(package, "name")), declared.collect());
    }
    uses
}

/// The names of all crates that a crate of ours is built with, tests and build scripts aside.
fn reached<'a>(metadata: &'a Value, name: &str) -> BTreeSet<&'a str> {
    let names: BTreeMap<_, _> =
        list(metadata, "packages").map(|package| (text(package, "id"), text(package, "name"))).collect();
    let nodes: BTreeMap<_, _> =
        list(&metadata["resolve"], "nodes").map(|node| (text(node, "id"), node)).collect();
    let members: Vec<_> = list(metadata, "workspace_members").filter_map(Value::as_str).collect();
    let start = members.into_iter().find(|id| names.get(id).is_some_and(|found| short(found) == name));
    let mut todo: Vec<&str> = start.into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        for dependency in nodes.get(id).into_iter().flat_map(|node| list(node, "deps")) {
            let normal = list(dependency, "dep_kinds").any(|kind| kind["kind"].is_null());
            let id = text(dependency, "pkg");
            if normal && seen.insert(id) {
                todo.push(id);
            }
        }
    }
    seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_service_that_uses_another_service_is_named() {
        let used = set(&[OF_A_SERVICE, &["auth"]].concat());
        assert_eq!(judge("jobs", &used), ["jobs may not use auth"]);
    }

    #[test]
    fn a_row_that_says_more_than_is_used_is_named() {
        assert_eq!(judge("db", &set(&[])), ["db does not use core, take it out of the table"]);
        assert_eq!(judge("db", &set(&["core"])), [""; 0]);
    }

    #[test]
    fn a_row_of_a_crate_that_is_gone_is_named() {
        let uses = TABLE.iter().skip(1).map(|(name, _)| (*name, set(&[]))).collect();
        assert_eq!(rows_of_nobody(&uses), ["there is no crate core, take it out of the table"]);
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        assert!(judge("newcomer", &set(&[]))[0].contains("no row"));
    }

    #[test]
    fn what_only_tests_use_is_free() {
        let metadata = serde_json::json!({
            "workspace_members": ["a", "b"],
            "packages": [
                {"id": "a", "name": "diracx-jobs", "dependencies": [{"name": "diracx-testkit", "kind": "dev"}]},
                {"id": "b", "name": "diracx-testkit", "dependencies": []},
            ],
        });
        assert_eq!(uses(&metadata)["jobs"], set(&[]));
    }
}
