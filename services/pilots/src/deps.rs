//! What the pilots service works with.

use std::sync::Arc;

use diracx_client::{AnyChannel, ConfigFollower};
use diracx_core::Clock;

use crate::{settings::Lives, store::PilotStore};

/// What the pilots service works with.
#[derive(Clone)]
pub struct Deps {
    /// What is kept.
    pub store: Arc<dyn PilotStore>,
    /// The configuration of the VOs.
    pub config: ConfigFollower,
    /// The jobs service, which is called as the component that this is: for the jobs of pilots.
    pub jobs: AnyChannel,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long pilots live and are remembered.
    pub lives: Lives,
}
