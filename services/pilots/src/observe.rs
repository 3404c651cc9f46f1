//! Whether the service can work: its database answers, and it has a configuration.

use std::time::Duration;

use diracx_db::Deadline;
use diracx_server::Readiness;

use crate::Deps;

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_secs(2);

/// Keeps `readiness` up to date for as long as the process runs.
pub fn observe(deps: &Deps, readiness: Readiness) {
    readiness.unmet("config", "not loaded yet");
    readiness.unmet("database", "not asked yet");
    let (config, store) = (deps.config.clone(), deps.store.clone());
    let config_readiness = readiness.clone();
    diracx_server::spawn(async move {
        config.ready().await;
        config_readiness.met("config");
    });
    diracx_server::spawn(async move {
        loop {
            match store.ping(Deadline::after(INTERVAL)).await {
                Ok(()) => readiness.met("database"),
                Err(error) => readiness.unmet("database", error.to_string()),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    });
}
