//! What operators see: whether the service has what it needs.

use std::time::Duration;

use diracx_core::Explain;
use diracx_server::Readiness;

use crate::deps::Deps;

/// How often the database is asked for a sign of life.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long it may take to give one.
const PATIENCE: Duration = Duration::from_secs(3);

/// The conditions of readiness.
const CONFIG: &str = "config";
const DATABASE: &str = "database";

/// Keeps `readiness` up to date for as long as the process lives: a database, and any configuration.
///
/// Must be called within a runtime.
pub fn observe(deps: &Deps, readiness: Readiness) {
    readiness.unmet(CONFIG, "not loaded yet");
    readiness.unmet(DATABASE, "not asked yet");
    let config = deps.config.clone();
    let ready = readiness.clone();
    diracx_server::spawn(async move {
        config.ready().await;
        ready.met(CONFIG);
    });
    let db = deps.db.clone();
    diracx_server::spawn(async move {
        loop {
            match tokio::time::timeout(PATIENCE, db.ping()).await {
                Ok(Ok(())) => readiness.met(DATABASE),
                Ok(Err(error)) => readiness.unmet(DATABASE, problem(&error)),
                Err(_) => readiness.unmet(DATABASE, "does not answer"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    });
}

fn problem(error: &(impl Explain + std::fmt::Display)) -> String {
    format!("{error} ({})", error.explain().reason.as_str())
}
