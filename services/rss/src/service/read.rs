//! What the caller's VO may use, once and whenever it changes.

use std::{sync::Arc, time::Duration};

use diracx_proto::{rss::v1 as pb, time::timestamp};
use diracx_server::{identity, to_status};
use futures::{Stream, StreamExt, stream};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tonic::{Request, Response, Status, codegen::BoxStream};

use super::{decode, encode};
use crate::{
    Deps,
    logic::keeper::{Snapshot, State},
    model::ElementType,
    policy::{self, ReadView},
};

/// How long somebody watches, if the token lasts as long: then the caller shows one again.
const LONGEST: Duration = Duration::from_mins(30);

pub(super) async fn get_resource_statuses(
    deps: &Deps,
    request: Request<pb::GetResourceStatusesRequest>,
) -> Result<Response<pb::GetResourceStatusesResponse>, Status> {
    let identity = identity(&request)?;
    let request = request.into_inner();
    let element_type = decode::element_type("element_type", request.element_type).map_err(to_status)?;
    let permit = policy::read(&identity, &request.vo);
    let snapshot = deps.keeper.current().await.map_err(to_status)?;
    let view = snapshot.view(element_type);
    let revision = view.revision(permit.vo());
    let not_modified = request.known_revision.as_ref() == Some(&revision);
    let elements = view.elements(permit.vo());
    Ok(Response::new(pb::GetResourceStatusesResponse {
        revision,
        modified: Some(timestamp(view.modified.unwrap_or_default())),
        not_modified,
        resources: if not_modified { Vec::new() } else { encode::resources(element_type, elements) },
    }))
}

pub(super) async fn watch_resource_statuses(
    deps: &Deps,
    request: Request<pb::WatchResourceStatusesRequest>,
) -> Result<Response<BoxStream<pb::WatchResourceStatusesResponse>>, Status> {
    let identity = identity(&request)?;
    let request = request.into_inner();
    let element_type = decode::element_type("element_type", request.element_type).map_err(to_status)?;
    let permit = policy::read(&identity, &request.vo);
    // whoever watches must not wait for a first look that fails
    deps.keeper.current().await.map_err(to_status)?;
    let known = Known { revision: request.known_revision, sent: None };
    let token = (identity.expires() - deps.clock.now()).to_std().unwrap_or_default();
    let until = Instant::now() + LONGEST.min(token);
    Ok(Response::new(watch_from(deps.keeper.subscribe(), element_type, permit, known, until).boxed()))
}

/// What the caller has.
struct Known {
    revision: Option<String>,
    sent: Option<Vec<pb::ResourceStatus>>,
}

/// Every state after the known one. Ends when the process does, and when the caller has to show a token again.
fn watch_from(
    mut states: watch::Receiver<State>,
    element_type: ElementType,
    permit: ReadView,
    known: Known,
    until: Instant,
) -> impl Stream<Item = Result<pb::WatchResourceStatusesResponse, Status>> {
    states.mark_changed();
    stream::unfold((states, permit, known), move |(mut states, permit, mut known)| async move {
        // also when something changes all the time
        while Instant::now() < until {
            timeout_at(until, states.changed()).await.ok()?.ok()?;
            let State { snapshot, ended, .. } = states.borrow_and_update().clone();
            if ended {
                return None;
            }
            if let Some(message) =
                snapshot.and_then(|snapshot| news(&snapshot, element_type, &permit, &mut known))
            {
                return Some((Ok(message), (states, permit, known)));
            }
        }
        None
    })
}

/// What the caller has not yet. Other software may change a status and not its time: then the revision stays, and what
/// it says does not.
fn news(
    snapshot: &Arc<Snapshot>,
    element_type: ElementType,
    permit: &ReadView,
    known: &mut Known,
) -> Option<pb::WatchResourceStatusesResponse> {
    let view = snapshot.view(element_type);
    let revision = view.revision(permit.vo());
    let resources = encode::resources(element_type, view.elements(permit.vo()));
    let same = known.revision.as_ref() == Some(&revision)
        && known.sent.as_ref().is_none_or(|sent| *sent == resources);
    *known = Known { revision: Some(revision.clone()), sent: Some(resources.clone()) };
    let modified = Some(timestamp(view.modified.unwrap_or_default()));
    (!same).then_some(pb::WatchResourceStatusesResponse { revision, modified, resources })
}
