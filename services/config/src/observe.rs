//! What operators see: whether there is a configuration, how old it is, whether it can be refreshed.

use std::{fmt::Write, sync::Arc};

use diracx_core::Clock;
use diracx_server::{Readiness, readiness::ReadinessState, telemetry::Metrics};
use tokio::sync::watch;

use crate::keeper::{ConfigKeeper, Snapshot};

/// The condition of readiness.
const CONDITION: &str = "config";

/// Keeps `readiness` and `metrics` up to date. The service is ready as soon as it has any configuration:
/// one that cannot be refreshed is still served, and the numbers tell.
pub fn observe(keeper: &ConfigKeeper, readiness: Readiness, metrics: &Metrics, clock: Arc<dyn Clock>) {
    let mut changes = keeper.subscribe();
    report(&changes.borrow_and_update(), &readiness);
    metrics.collect({
        let states = changes.clone();
        move |text| numbers(&states.borrow(), clock.as_ref(), text)
    });
    keeper.end_streams_at(drain(readiness.subscribe()));
    diracx_server::spawn(async move {
        // Ends with the keeper.
        while changes.changed().await.is_ok() {
            report(&changes.borrow_and_update(), &readiness);
        }
    });
}

/// A stream lasts for ever unless somebody ends it, and a process that drains waits for its streams.
async fn drain(mut readiness: watch::Receiver<ReadinessState>) {
    if readiness.wait_for(ReadinessState::is_draining).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn report(state: &Snapshot, readiness: &Readiness) {
    match (&state.loaded, &state.failure) {
        (Some(_), _) => readiness.met(CONDITION),
        (None, Some(failure)) => readiness.unmet(CONDITION, &failure.message),
        (None, None) => readiness.unmet(CONDITION, "not loaded yet"),
    }
}

fn numbers(state: &Snapshot, clock: &dyn Clock, text: &mut String) {
    let failing = i32::from(state.failure.is_some());
    let age = state.checked.map(|checked| (clock.now() - checked).num_seconds());
    // writing to a String cannot fail
    let _ =
        writeln!(text, "# HELP diracx_config_refresh_failing Whether the last look at the source failed.");
    let _ = writeln!(text, "# TYPE diracx_config_refresh_failing gauge");
    let _ = writeln!(text, "diracx_config_refresh_failing {failing}");
    let stale = i32::from(state.stale);
    let _ = writeln!(
        text,
        "# HELP diracx_config_stale Whether the configuration has gone unconfirmed for too long. It is served."
    );
    let _ = writeln!(text, "# TYPE diracx_config_stale gauge");
    let _ = writeln!(text, "diracx_config_stale {stale}");
    if let Some(age) = age {
        let _ = writeln!(text, "# HELP diracx_config_age_seconds Time since the source confirmed it.");
        let _ = writeln!(text, "# TYPE diracx_config_age_seconds gauge");
        let _ = writeln!(text, "diracx_config_age_seconds {age}");
    }
}
