//! Searching and counting pilots.

use diracx_core::search::{Search, Summary};
use diracx_db::search::{Place, Token};
use diracx_proto::{common::v1 as common, pilots::v1 as pb, search::page};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::token::{self, no_such_place};
use crate::{Deps, logic::query, policy};

pub(super) async fn search_pilots(
    deps: &Deps,
    request: Request<pb::SearchPilotsRequest>,
) -> Result<Response<pb::SearchPilotsResponse>, Status> {
    let scope = policy::query(&*identity(&request)?).map_err(to_status)?;
    let mut request = request.into_inner();
    let include_total = std::mem::take(&mut request.include_total);
    let page_token = std::mem::take(&mut request.page_token);
    let paging = (std::mem::take(&mut request.page_size), std::mem::take(&mut request.skip));
    let binding = token::binding("SearchPilots", &request);
    let token = token::read("page_token", &page_token, binding).map_err(to_status)?;
    let page = page(paging.0, paging.1).map_err(to_status)?;

    let search = Search { page: Some(page), ..Search::try_from(request).map_err(to_status)? };
    let search = query::resolve(deps, search).await.map_err(to_status)?;
    let plan = query::plan(&scope, search, token.map(|token| token.place))
        .map_err(to_status)?
        .ok_or_else(|| to_status(no_such_place("page_token")))?
        .counted(include_total);
    let rows = deps.store.search(crate::deadline(), plan.clone()).await.map_err(to_status)?;

    let next_page_token = if rows.more {
        Token { place: Place::behind(&plan, &rows), sent: 0 }.write(binding)
    } else {
        String::new()
    };
    Ok(Response::new(pb::SearchPilotsResponse {
        total_size: include_total.then(|| i64::try_from(rows.table.total).unwrap_or(i64::MAX)),
        table: Some(common::Table::from(rows.table)),
        next_page_token,
    }))
}

pub(super) async fn summarise_pilots(
    deps: &Deps,
    request: Request<pb::SummarisePilotsRequest>,
) -> Result<Response<pb::SummarisePilotsResponse>, Status> {
    let scope = policy::query(&*identity(&request)?).map_err(to_status)?;
    let summary = Summary::try_from(request.into_inner()).map_err(to_status)?;
    let table = query::summarise(deps, &scope, summary).await.map_err(to_status)?;
    Ok(Response::new(pb::SummarisePilotsResponse { table: Some(table.into()) }))
}
