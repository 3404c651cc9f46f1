//! What the jobs service works with.

use std::{sync::Arc, time::Duration};

use diracx_core::{Clock, Explain, Explanation, Reason, config::Config};

use crate::store::JobStore;

/// Where the configuration comes from.
pub trait ConfigSource: Send + Sync + 'static {
    /// The newest one; none until the first is loaded.
    fn current(&self) -> Option<Arc<Config>>;
}

impl ConfigSource for Arc<Config> {
    fn current(&self) -> Option<Arc<Config>> {
        Some(self.clone())
    }
}

/// What the jobs service works with.
#[derive(Clone)]
pub struct Deps {
    /// What is kept.
    pub store: Arc<dyn JobStore>,
    /// The configuration of the VOs.
    pub config: Arc<dyn ConfigSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many jobs one call may make.
    pub most_jobs_at_once: usize,
}

/// The configuration is not there yet.
#[derive(Debug, thiserror::Error)]
#[error("The configuration is not ready yet")]
pub struct NotReady;

impl Explain for NotReady {
    fn explain(&self) -> Explanation {
        Explanation::unavailable(Reason::ConfigurationUnavailable).retry_after(Duration::from_secs(10))
    }
}

impl Deps {
    /// The newest configuration.
    pub(crate) fn config(&self) -> Result<Arc<Config>, NotReady> {
        self.config.current().ok_or(NotReady)
    }
}
