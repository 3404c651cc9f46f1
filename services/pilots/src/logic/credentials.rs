//! What pilots may do. This version gives them nothing of their own, so there is nothing to take away yet.

use crate::{Deps, error::Result, store::KnownPilot};

/// Takes away what these pilots may do. Taking it away twice is harmless.
#[expect(clippy::unused_async, reason = "what pilots get will be kept in the database")]
pub async fn revoke(_deps: &Deps, _pilots: &[&KnownPilot]) -> Result<()> {
    Ok(())
}
