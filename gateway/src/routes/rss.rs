//! `GET /api/rss/...`: what the caller's VO may use, with DiracX's rules for not sending it again.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use diracx_proto::rss::v1::{
    Availability, ElementType, GetResourceStatusesRequest, ResourceStatus, resource_status::Status,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH, LAST_MODIFIED, VARY},
};
use serde::Serialize;

use super::config::not_modified;
use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{json_response, time::http_date},
    routing::Table,
};

const VARY_AUTHORIZATION: HeaderValue = HeaderValue::from_static("Authorization");

pub(super) fn routes(table: Table) -> Table {
    table
        .at("/api/rss/storage", "GET", get(storage))
        .at("/api/rss/compute", "GET", get(compute))
        .at("/api/rss/site", "GET", get(site))
        .at("/api/rss/fts", "GET", get(fts))
}

async fn storage(state: State<Context>, caller: Caller, headers: HeaderMap) -> Result<Response, Refusal> {
    serve(&state, &caller, &headers, ElementType::StorageElement).await
}

async fn compute(state: State<Context>, caller: Caller, headers: HeaderMap) -> Result<Response, Refusal> {
    serve(&state, &caller, &headers, ElementType::ComputeElement).await
}

async fn site(state: State<Context>, caller: Caller, headers: HeaderMap) -> Result<Response, Refusal> {
    serve(&state, &caller, &headers, ElementType::Site).await
}

async fn fts(state: State<Context>, caller: Caller, headers: HeaderMap) -> Result<Response, Refusal> {
    serve(&state, &caller, &headers, ElementType::Fts).await
}

/// The service is asked each time: its answer depends on the caller's VO, and it has it in memory.
async fn serve(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    element_type: ElementType,
) -> Result<Response, Refusal> {
    let Some(mut rss) = context.rss() else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "Not Found"));
    };
    let known = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let request = GetResourceStatusesRequest {
        element_type: element_type.into(),
        known_revision: known.map(|known| known.trim_matches('"').to_owned()),
        vo: String::new(),
    };
    let answer = rss.get_resource_statuses(caller.request(request)).await?.into_inner();
    let modified = answer.modified.map_or(0, |time| time.seconds);
    let mut response = if not_modified(headers, &answer.revision, modified) || answer.not_modified {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json_response(StatusCode::OK, &body(&answer.resources))
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, header(&answer.revision)?);
    headers.insert(LAST_MODIFIED, header(&http_date(modified))?);
    headers.insert(VARY, VARY_AUTHORIZATION);
    Ok(response)
}

fn header(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::try_from(text)
        .map_err(|_| Refusal::Failed(tonic::Status::internal("a revision cannot be written into a header")))
}

/// What may be done with an element, as DiracX writes it.
#[derive(Serialize)]
#[serde(untagged)]
enum Element<'a> {
    One { all: Written<'a> },
    Storage { read: Written<'a>, write: Written<'a>, check: Written<'a>, remove: Written<'a> },
}

/// Yes or no, as DiracX writes it.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Allowed { allowed: bool, warnings: Option<&'a str> },
    Forbidden { allowed: bool, reason: &'a str },
}

fn body(resources: &[ResourceStatus]) -> BTreeMap<&str, Element<'_>> {
    resources.iter().map(|resource| (resource.name.as_str(), element(resource))).collect()
}

fn element(resource: &ResourceStatus) -> Element<'_> {
    match &resource.status {
        Some(Status::Storage(storage)) => Element::Storage {
            read: written(storage.read.as_ref()),
            write: written(storage.write.as_ref()),
            check: written(storage.check.as_ref()),
            remove: written(storage.remove.as_ref()),
        },
        Some(Status::All(all)) => Element::One { all: written(Some(all)) },
        None => Element::One { all: written(None) },
    }
}

/// What nobody has said is forbidden, in DiracX's word.
fn written(availability: Option<&Availability>) -> Written<'_> {
    match availability {
        Some(Availability { allowed: true, warnings, .. }) => {
            Written::Allowed { allowed: true, warnings: warnings.as_deref() }
        }
        Some(Availability { reason, .. }) => Written::Forbidden { allowed: false, reason },
        None => Written::Forbidden { allowed: false, reason: "Unknown" },
    }
}

#[cfg(test)]
mod tests {
    use diracx_proto::rss::v1::StorageAvailability;
    use serde_json::json;

    use super::*;

    #[test]
    fn statuses_are_written_as_diracx_does() {
        let allowed = |warnings: Option<&str>| Availability {
            allowed: true,
            warnings: warnings.map(Into::into),
            ..Default::default()
        };
        let forbidden = Availability { allowed: false, reason: "full".to_owned(), ..Default::default() };
        let resource = |name: &str, status| ResourceStatus {
            name: name.into(),
            status: Some(status),
            ..Default::default()
        };
        let storage = StorageAvailability {
            read: Some(allowed(None)),
            write: Some(forbidden),
            check: Some(allowed(Some("slow"))),
            remove: None,
        };
        let resources =
            [resource("SE", Status::Storage(storage)), resource("CE", Status::All(allowed(None)))];
        let expected = json!({
            "CE": {"all": {"allowed": true, "warnings": null}},
            "SE": {
                "read": {"allowed": true, "warnings": null},
                "write": {"allowed": false, "reason": "full"},
                "check": {"allowed": true, "warnings": "slow"},
                "remove": {"allowed": false, "reason": "Unknown"},
            },
        });
        assert_eq!(serde_json::to_value(body(&resources)).unwrap(), expected);
    }
}
