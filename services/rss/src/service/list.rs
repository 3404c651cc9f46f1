//! The statuses as they are kept.

use diracx_proto::{Invalid, rss::v1 as pb};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{decode, encode, token};
use crate::{
    Deps,
    logic::list::{self, Wanted},
    model::ElementType,
    policy,
};

/// How many elements one call may name.
const MOST_NAMES: usize = 1000;

pub(super) async fn list_element_statuses(
    deps: &Deps,
    request: Request<pb::ListElementStatusesRequest>,
) -> Result<Response<pb::ListElementStatusesResponse>, Status> {
    let identity = identity(&request)?;
    let request = request.into_inner();
    let vo = decode::vo(&request.vo).map_err(to_status)?;
    let scope = policy::list(&identity, &vo).map_err(to_status)?;
    let size = decode::page_size(request.page_size).map_err(to_status)?;
    let wanted = wanted(request).map_err(to_status)?;
    let snapshot = deps.keeper.current().await.map_err(to_status)?;
    let (entries, end) = list::page(&snapshot.kept, &scope, &wanted, size);
    let next_page_token = end.map(|(of, name, _, status_type, vo)| {
        token::write(&[of.map_or("", ElementType::as_str), &name, &status_type, &vo])
    });
    Ok(Response::new(pb::ListElementStatusesResponse {
        statuses: entries.iter().map(encode::entry).collect(),
        next_page_token: next_page_token.unwrap_or_default(),
    }))
}

fn wanted(request: pb::ListElementStatusesRequest) -> Result<Wanted, Invalid> {
    if request.names.len() > MOST_NAMES {
        let problem = format!("has {} names, {MOST_NAMES} is the limit", request.names.len());
        return Err(Invalid::field("names", problem));
    }
    let statuses = request.statuses.iter().enumerate();
    let statuses = statuses.map(|(i, number)| decode::value(&format!("statuses[{i}]"), *number));
    let after = match request.page_token.as_str() {
        "" => None,
        text => {
            let parts: Option<[String; 4]> = token::read(text);
            let [of, name, status_type, vo] =
                parts.ok_or_else(|| Invalid::field("page_token", "is not one that this rpc gave"))?;
            Some((of.parse().ok(), name, status_type.parse().ok(), status_type, vo))
        }
    };
    Ok(Wanted {
        element_type: decode::optional_type("element_type", request.element_type)?,
        names: request.names.into_iter().collect(),
        statuses: statuses.collect::<Result<_, _>>()?,
        after,
    })
}
