//! What pilots may do is taken away when they end by somebody's wish.

use super::secrets;
use crate::{Deps, error::Result, store::KnownPilot};

/// Takes away what these pilots may do: secrets bound to them, and refresh tokens. Taking it away twice is harmless.
pub async fn revoke(deps: &Deps, pilots: &[&KnownPilot], by: &str) -> Result<()> {
    if pilots.is_empty() {
        return Ok(());
    }
    let stamps = pilots.iter().map(|pilot| pilot.stamp.clone()).collect();
    secrets::revoke_pilots(deps, stamps, by).await.map(drop)
}
