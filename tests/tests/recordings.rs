//! What DiracX answered, we answer: the recordings, replayed against every form of the system.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use diracx_tests::{
    mesh::Mesh,
    on_both_forms, on_every_mesh,
    replay::{Outcome, Validation},
};

/// Steps that differ on purpose; docs/compatibility.md says what DiracX does, what we do, and why.
const DIFFERENT_ON_PURPOSE: &[&str] =
    &["10-reschedule/reschedule", "10-reschedule/read-back", "17-search-rarer/in-mixed"];

/// Steps of sandboxes that show which store they were recorded with: S3. Here it is a directory.
const OF_THE_STORE: &[&str] =
    &["09-sandbox/ask-upload", "09-sandbox/upload", "09-sandbox/ask-download", "09-sandbox/download"];

/// Fails with every difference that is not listed above, and with every listed one that is gone.
fn judge(outcomes: &[Outcome], mesh: &Mesh) {
    assert!(!outcomes.is_empty(), "nothing was replayed");
    let listed =
        |outcome: &Outcome| DIFFERENT_ON_PURPOSE.iter().chain(OF_THE_STORE).any(|name| *name == outcome.name);
    let mut wrong = Vec::new();
    for outcome in outcomes {
        match (outcome.differences.is_empty(), listed(outcome)) {
            (false, false) => {
                wrong.push(format!("{}\n    {}", outcome.name, outcome.differences.join("\n    ")));
            }
            (true, true) => wrong.push(format!("{} is listed as different, but is not", outcome.name)),
            _ => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} steps differ:\n{}\nthe processes complained:\n{}",
        wrong.len(),
        outcomes.len(),
        wrong.join("\n"),
        mesh.complaints()
    );
}

async fn replay(mesh: &Mesh, recording: &str) {
    let outcomes = mesh.replay(recording, Validation::Full, |_| true).await.expect("the recording");
    judge(&outcomes, mesh);
}

/// Stores the statuses of the recordings behind the mesh's back, and lets it find them when it starts.
async fn with_statuses(mesh: &mut Mesh) {
    mesh.database.seed("ResourceStatusDB").await.expect("rows");
    mesh.kill().await.expect("it lived");
    mesh.boot().await.expect("a mesh");
}

on_both_forms! {
    async fn the_configuration_is_served_as_recorded(mesh: Mesh) {
        replay(&mesh, "02-config").await;
    }

    async fn client_versions_are_judged_as_recorded(mesh: Mesh) {
        replay(&mesh, "15-client-version").await;
    }

    async fn browsers_from_elsewhere_are_answered_as_recorded(mesh: Mesh) {
        replay(&mesh, "16-cors").await;
    }
}

on_every_mesh! {
    async fn discovery_and_health_are_as_recorded(mesh: Mesh) {
        replay(&mesh, "01-well-known-and-health").await;
    }

    async fn everybody_learns_who_he_is_as_recorded(mesh: Mesh) {
        replay(&mesh, "03-userinfo").await;
    }

    async fn jobs_are_submitted_as_recorded(mesh: Mesh) {
        replay(&mesh, "04-job-submission").await;
    }

    async fn jobs_are_searched_and_counted_as_recorded(mesh: Mesh) {
        replay(&mesh, "05-job-search").await;
    }

    async fn jobs_go_through_the_status_machine_as_recorded(mesh: Mesh) {
        replay(&mesh, "06-job-status").await;
    }

    async fn pilots_say_that_jobs_are_alive_and_fetch_the_kill_as_recorded(mesh: Mesh) {
        replay(&mesh, "07-heartbeat").await;
    }

    async fn jobs_get_attributes_and_parameters_as_recorded(mesh: Mesh) {
        replay(&mesh, "08-metadata").await;
    }

    async fn jobs_are_rescheduled_as_recorded(mesh: Mesh) {
        replay(&mesh, "10-reschedule").await;
    }

    async fn rarer_searches_find_the_jobs_of_years_ago_as_recorded(mesh: Mesh) {
        for database in ["JobDB", "PilotAgentsDB"] {
            mesh.database.seed(database).await.expect("rows");
        }
        replay(&mesh, "17-search-rarer").await;
    }

    async fn pilots_are_registered_changed_found_and_counted_as_recorded(mesh: Mesh) {
        mesh.database.seed("PilotAgentsDB").await.expect("rows");
        replay(&mesh, "11-pilots").await;
    }

    async fn sandboxes_are_kept_as_recorded(mesh: Mesh) {
        replay(&mesh, "09-sandbox").await;
    }

    async fn resource_statuses_are_told_as_recorded(mesh: Mesh) {
        with_statuses(&mut mesh).await;
        replay(&mesh, "12-rss").await;
    }

    async fn resource_statuses_are_not_told_twice_as_recorded(mesh: Mesh) {
        with_statuses(&mut mesh).await;
        replay(&mesh, "18-rss-conditional").await;
    }

    async fn the_device_flow_goes_as_recorded(mesh: Mesh) {
        replay(&mesh, "13-device-flow").await;
    }

    async fn the_authorization_code_flow_goes_as_recorded(mesh: Mesh) {
        replay(&mesh, "14-authorization-code-flow").await;
    }
}

#[test]
fn every_difference_is_explained_in_the_compatibility_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");
    let document = std::fs::read_to_string(path).expect("docs/compatibility.md");
    let explained = steps_in(&document);
    let listed: BTreeSet<_> = DIFFERENT_ON_PURPOSE.iter().map(ToString::to_string).collect();
    assert_eq!(explained, listed, "steps that the document explains, and those that differ on purpose");
}

/// What a document names in backticks that looks like a step of a recording: `17-search-rarer/in-mixed`.
fn steps_in(document: &str) -> BTreeSet<String> {
    let step = regex::Regex::new(r"`(\d\d-[a-z-]+/[a-z0-9-]+)`").unwrap();
    step.captures_iter(document).map(|found| found[1].to_owned()).collect()
}
