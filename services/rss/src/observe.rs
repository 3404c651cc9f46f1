//! What operators see: whether there are statuses to serve, how old they are, and whether they can be read anew.

use std::{fmt::Write, time::Duration};

use diracx_server::{Readiness, readiness::ReadinessState, telemetry::Metrics};

use crate::{Deps, logic::keeper::Keeper};

/// The condition of readiness.
const CONDITION: &str = "resource statuses";
/// How often it is looked at: statuses grow too old without anything happening.
const INTERVAL: Duration = Duration::from_secs(2);

/// Keeps `readiness` and `metrics` up to date for as long as the process runs. The service is ready as long as it has
/// statuses that are not too old: a database that is away shows in the numbers.
pub fn observe(deps: &Deps, readiness: Readiness, metrics: &Metrics) {
    readiness.unmet(CONDITION, "not read yet");
    let (keeper, clock) = (deps.keeper.clone(), deps.clock.clone());
    metrics.collect(move |text| {
        let state = keeper.subscribe().borrow().clone();
        let age = state.checked.map(|checked| (clock.now() - checked).num_seconds());
        numbers(text, state.failure.is_some(), age);
    });
    let (keeper, mut changes) = (deps.keeper.clone(), readiness.subscribe());
    diracx_server::spawn(async move {
        // an error means that nobody is left to drain
        if changes.wait_for(ReadinessState::is_draining).await.is_ok() {
            keeper.end();
        }
    });
    let keeper = deps.keeper.clone();
    diracx_server::spawn(async move {
        let mut states = keeper.subscribe();
        loop {
            report(&keeper, &readiness);
            // an error cannot be: the keeper is here
            let _ = tokio::time::timeout(INTERVAL, states.changed()).await;
        }
    });
}

fn report(keeper: &Keeper, readiness: &Readiness) {
    if keeper.usable().is_some() {
        readiness.met(CONDITION);
        return;
    }
    let failure = keeper.subscribe().borrow().failure.clone();
    readiness.unmet(CONDITION, failure.unwrap_or_else(|| "not read yet".to_owned()));
}

fn numbers(text: &mut String, failing: bool, age: Option<i64>) {
    // writing to a String cannot fail
    let _ =
        writeln!(text, "# HELP diracx_rss_refresh_failing Whether the statuses could not be read lately.");
    let _ = writeln!(text, "# TYPE diracx_rss_refresh_failing gauge");
    let _ = writeln!(text, "diracx_rss_refresh_failing {}", i32::from(failing));
    if let Some(age) = age {
        let _ = writeln!(text, "# HELP diracx_rss_age_seconds Time since the statuses were read.");
        let _ = writeln!(text, "# TYPE diracx_rss_age_seconds gauge");
        let _ = writeln!(text, "diracx_rss_age_seconds {age}");
    }
}
