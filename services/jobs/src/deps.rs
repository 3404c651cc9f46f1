//! What the jobs service works with.

use std::sync::Arc;

use diracx_client::{AnyChannel, ConfigFollower};
use diracx_core::Clock;

use crate::{bytes::ByteStore, logic::watch::Feed, settings::SandboxSettings, store::JobStore};

/// What the jobs service works with.
#[derive(Clone)]
pub struct Deps {
    /// What is kept.
    pub store: Arc<dyn JobStore>,
    /// The configuration of the VOs.
    pub config: ConfigFollower,
    /// The bytes of sandboxes.
    pub bytes: Arc<dyn ByteStore>,
    /// How sandboxes are kept.
    pub sandboxes: Arc<SandboxSettings>,
    /// The pilots service, which is called as the component that this is; none if the installation has no pilots.
    pub pilots: Option<AnyChannel>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many jobs one call may make.
    pub most_jobs_at_once: usize,
    /// The changes of jobs, for those who watch.
    pub feed: Feed,
}
