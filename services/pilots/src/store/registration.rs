//! What is kept of registrations.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{PilotStamp, PilotStatus};
use diracx_db::Deadline;

use crate::error::Result;

/// A pilot to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPilot {
    /// What it is called.
    pub stamp: PilotStamp,
    /// Its VO.
    pub vo: String,
    /// The type of its computing element.
    pub grid_type: String,
    /// Its grid site.
    pub grid_site: String,
    /// Its computing element.
    pub destination_site: String,
    /// What its computing element calls it.
    pub reference: String,
    /// Where it is.
    pub status: PilotStatus,
}

/// What a repetition of a call is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who calls, and what they call it; 64 characters.
    pub key: String,
    /// A hash of what the call brings: a repetition has to bring the same.
    pub digest: String,
}

/// Pilots to be known.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Which; each stamp once.
    pub pilots: Arc<[NewPilot]>,
    /// When they were named.
    pub at: DateTime<Utc>,
    /// Identifies the call for a repetition.
    pub call: Option<Call>,
}

/// What came of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Those that others had; all the others are known now.
    pub taken: BTreeSet<PilotStamp>,
    /// An earlier call had registered them.
    pub repeated: bool,
}

/// How pilots become known.
#[async_trait]
pub trait RegistrationStore: Send + Sync {
    /// Makes the pilots known whose stamps nobody has. However many do it at once, a stamp goes to one of them.
    async fn register(&self, deadline: Deadline, registration: Registration) -> Result<Made>;
}
