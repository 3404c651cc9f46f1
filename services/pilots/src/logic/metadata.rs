//! What becomes known of pilots.

use std::collections::BTreeMap;

use diracx_core::{PilotStamp, PilotStatus};

use crate::{
    Deps,
    error::{Error, Result},
    policy::{Forbidden, ManagePilots, PilotScope},
    store::KnownPilot,
};

/// The columns to change; what is absent stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PilotChange {
    /// `Status`.
    pub status: Option<PilotStatus>,
    /// `StatusReason`.
    pub status_reason: Option<String>,
    /// `BenchMark`.
    pub benchmark: Option<f64>,
    /// `DestinationSite`.
    pub destination_site: Option<String>,
    /// `Queue`.
    pub queue: Option<String>,
    /// `GridSite`.
    pub grid_site: Option<String>,
    /// `GridType`.
    pub grid_type: Option<String>,
    /// `AccountingSent`.
    pub accounting_sent: Option<bool>,
    /// `CurrentJobID`.
    pub current_job_id: Option<i64>,
}

impl PilotChange {
    /// Whether it says where the pilot is: credentials are bound to that, and what it is counted as.
    pub fn moves(&self) -> bool {
        let Self { grid_site, destination_site, queue, grid_type, .. } = self;
        [grid_site, destination_site, queue, grid_type].into_iter().any(Option::is_some)
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to become known of which pilot, and how.
#[derive(Debug, Clone)]
pub struct Patches {
    /// Each pilot once.
    pub pilots: Vec<(PilotStamp, PilotChange)>,
    /// Whether one that fails keeps all of them from being done.
    pub all_or_none: bool,
    /// Whether to overrule the order of statuses.
    pub force: bool,
}

/// Changes pilots; one outcome for each, in their order.
pub async fn patch(deps: &Deps, permit: ManagePilots, patches: Patches) -> Result<Vec<Result<()>>> {
    if patches.force && !permit.may_force() {
        return Err(Forbidden::Force.into());
    }
    if !permit.may_move() && patches.pilots.iter().any(|(_, change)| change.moves()) {
        return Err(Forbidden::Place.into());
    }
    let scope = permit.scope().clone();
    deps.store.patch(crate::deadline(), patches, scope, permit.own(), deps.clock.now()).await
}

/// Which patches can be done, given what is stored; one outcome for each.
///
/// # Errors
/// If they are to be done together and one of them cannot. Pilots that do not exist come first, all of them.
pub fn plan(
    patches: &Patches,
    scope: &PilotScope,
    known: &BTreeMap<PilotStamp, KnownPilot>,
) -> Result<Vec<Result<()>>> {
    let judge = |(stamp, change): &(PilotStamp, PilotChange)| {
        let pilot = known.get(stamp).filter(|pilot| scope.has(&pilot.vo));
        let pilot = pilot.ok_or_else(|| Error::PilotNotFound(stamp.clone()))?;
        match change.status.filter(|_| !patches.force) {
            Some(to) => pilot.status.may_become(to).map_err(|from| Error::IllegalTransition {
                pilot: stamp.clone(),
                from,
                to,
            }),
            None => Ok(()),
        }
    };
    let outcomes: Vec<Result<()>> = patches.pilots.iter().map(judge).collect();
    if !patches.all_or_none {
        return Ok(outcomes);
    }
    let missing: Vec<PilotStamp> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Err(Error::PilotNotFound(stamp)) => Some(stamp.clone()),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        return Err(Error::PilotsNotFound(missing));
    }
    outcomes.into_iter().map(|outcome| outcome.map(Ok)).collect()
}
