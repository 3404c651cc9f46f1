//! `/api/pilots/…`: registering, changing, searching, counting.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::Response,
    routing::{patch, post},
};
use bytes::Bytes;
use diracx_proto::{
    pilots::v1::{
        PatchPilotMetadataRequest, RegisterPilotsRequest, SearchPilotsRequest, SummarisePilotsRequest,
        register_pilot_outcome::Result as Outcome,
    },
    status::of_call,
};
use http::{HeaderMap, StatusCode};

use super::searches::{Extent, paged, search_request, summary_request};
use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{
        json_bytes,
        table::{write_rows, write_summary},
    },
    routing::Table,
    validation::{
        Problems, body,
        pilot::{metadata_body, registration},
    },
};

/// Who may do as DiracX lets everybody: take a pilot from any status to any other.
const SERVICE_ADMINISTRATOR: &str = "ServiceAdministrator";

pub(super) fn routes(table: Table) -> Table {
    table
        .at("/api/pilots/", "POST", post(register))
        .at("/api/pilots/metadata", "PATCH", patch(patch_metadata))
        .at("/api/pilots/search", "POST", post(search))
        .at("/api/pilots/summary", "POST", post(summary))
}

async fn register(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let pilot = body::required(&mut problems, value.as_ref(), registration);
    let pilot = problems.none_or(pilot)?;
    let request = RegisterPilotsRequest { pilots: vec![pilot], ..RegisterPilotsRequest::default() };
    let answer = context.pilots()?.register_pilots(caller.request(request)).await?.into_inner();
    match answer.outcomes.into_iter().next().and_then(|outcome| outcome.result) {
        Some(Outcome::Error(error)) => Err(of_call(&error).into()),
        _ => Ok(json_bytes(StatusCode::CREATED, Bytes::from_static(b"null"))),
    }
}

/// All of it or nothing. The order of statuses binds pilots; administrators overrule it, as everybody does in DiracX.
async fn patch_metadata(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let patches = body::required(&mut problems, value.as_ref(), metadata_body);
    let patches = problems.none_or(patches)?;
    let force = caller.has_property(SERVICE_ADMINISTRATOR);
    let request = PatchPilotMetadataRequest { patches, all_or_none: true, force };
    context.pilots()?.patch_pilot_metadata(caller.request(request)).await?;
    Ok(json_bytes(StatusCode::NO_CONTENT, Bytes::new()))
}

async fn search(
    State(context): State<Context>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (search, skip) = search_request(&context, query, &headers, body).await?;
    let request = SearchPilotsRequest { include_total: true, ..search.into() };
    let found = context.pilots()?.search_pilots(caller.request(request)).await?.into_inner();
    let table = found.table.unwrap_or_default();
    let extent = Extent::new("pilots", skip, table.rows.len(), found.total_size);
    Ok(paged(write_rows(&table, &[]), extent))
}

async fn summary(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked = summary_request(&context, &headers, body).await?;
    let request = SummarisePilotsRequest { grouping: asked.grouping, search: Some(asked.filters.into()) };
    let counted = context.pilots()?.summarise_pilots(caller.request(request)).await?.into_inner();
    Ok(json_bytes(StatusCode::OK, write_summary(&counted.table.unwrap_or_default()).into()))
}
