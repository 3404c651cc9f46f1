//! The statuses that an element had.

use chrono::DateTime;
use diracx_proto::{Invalid, rss::v1 as pb, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{decode, encode, token};
use crate::{
    Deps,
    logic::history::{self, Past},
    policy,
};

pub(super) async fn get_element_history(
    deps: &Deps,
    request: Request<pb::GetElementHistoryRequest>,
) -> Result<Response<pb::GetElementHistoryResponse>, Status> {
    let identity = identity(&request)?;
    let past = past(&request.into_inner()).map_err(to_status)?;
    let permit = policy::history(&identity, &past.target.vo).map_err(to_status)?;
    let of = past.target.element_type;
    let (rows, end) = history::page(deps, permit, past).await.map_err(to_status)?;
    let next_page_token =
        end.map(|(time, number)| token::write(&[&time.timestamp_micros().to_string(), &number.to_string()]));
    Ok(Response::new(pb::GetElementHistoryResponse {
        statuses: rows.iter().map(|row| encode::record(of, row)).collect(),
        next_page_token: next_page_token.unwrap_or_default(),
    }))
}

fn past(request: &pb::GetElementHistoryRequest) -> Result<Past, Invalid> {
    let before = match request.page_token.as_str() {
        "" => None,
        text => {
            let parts: Option<[String; 2]> = token::read(text);
            let place = parts.and_then(|[time, number]| {
                Some((DateTime::from_timestamp_micros(time.parse().ok()?)?, number.parse().ok()?))
            });
            Some(place.ok_or_else(|| Invalid::field("page_token", "is not one that this rpc gave"))?)
        }
    };
    let instant = |field: &str, time: Option<&prost_types::Timestamp>| {
        time.map(|time| time::datetime(field, time)).transpose()
    };
    Ok(Past {
        target: decode::target(request.key.as_ref())?,
        from: instant("from_time", request.from_time.as_ref())?,
        to: instant("to_time", request.to_time.as_ref())?,
        before,
        limit: decode::page_size(request.page_size)?,
    })
}
