//! Settings of DiracX that do nothing here: whoever brings them along is told, instead of wondering.
//!
//! docs/compatibility.md has the same list, for people.

use super::{Environment, boolean};

/// A variable, or the beginning of several if it ends with `_`; and what there is instead.
const WITHOUT_EFFECT: [(&str, &str); 5] = [
    ("DIRACX_OS_DB_JOBPARAMETERSDB", "job parameters are kept in JobDB"),
    ("DIRACX_TASKS_REDIS_URL", "there are no tasks yet"),
    ("DIRACX_DB_URL_TASKDB", "there are no tasks yet"),
    ("DIRACX_TASKS_DUMMY_JOB_EXECUTOR_", "`diracx-standalone --local-executor` runs jobs"),
    (
        "DIRACX_DEV_CRASH_ON_MISSED_ACCESS_POLICY",
        "a server with an rpc without declared access does not start",
    ),
];

/// The parts of DiracX that cannot be switched off.
const ALWAYS_ON: [&str; 4] = ["AUTH", "CONFIG", "HEALTH", "JOBS"];

/// What is set in this environment and does nothing: a sentence for each.
pub fn settings_without_effect(environment: &Environment) -> Vec<String> {
    let listed = WITHOUT_EFFECT.iter().flat_map(|(name, instead)| {
        set(environment, name).map(move |name| format!("{name} is set and has no effect: {instead}"))
    });
    let switched_off = ALWAYS_ON.iter().filter_map(|service| {
        let name = format!("DIRACX_SERVICE_{service}_ENABLED");
        let off = environment.get(&name).is_some_and(|value| boolean(value) == Ok(false));
        off.then(|| format!("{name} is false and has no effect: this part cannot be switched off"))
    });
    listed.chain(switched_off).collect()
}

/// Logs them, once telemetry runs.
pub fn warn_of_settings_without_effect(environment: &Environment) {
    for sentence in settings_without_effect(environment) {
        tracing::warn!("{sentence}");
    }
}

fn set<'a>(environment: &'a Environment, name: &'a str) -> impl Iterator<Item = String> {
    environment
        .with_prefix(name)
        .filter(move |(rest, _)| rest.is_empty() || name.ends_with('_'))
        .map(move |(rest, _)| format!("{name}{rest}"))
}
