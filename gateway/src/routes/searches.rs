//! What the searches of jobs and of pilots have in common: their bodies, their pages, and which part an answer is.

use axum::{body::Body, response::Response};
use diracx_core::search::{Page, Search};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_RANGE};

use crate::{
    context::Context,
    error::Refusal,
    render::json_bytes,
    validation::{
        Loc, Problems, body,
        query::Pairs,
        scalar,
        search::{SearchBody, SummaryBody, search_body, summary_body},
    },
};

/// Rows on a page at the most.
const MAX_PER_PAGE: i64 = 10_000;
/// Rows on a page unless the caller says.
const PER_PAGE: i64 = 100;

/// Reads a search, and how many rows it passes over.
pub(super) async fn search_request(
    context: &Context,
    query: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Search, i64), Refusal> {
    let body = context.read(body).await?;
    let value = body::value(headers, &body)?;
    let query = Pairs::parse(query.as_deref().unwrap_or_default());
    let mut problems = Problems::default();
    let page = query.or(&mut problems, "page", 1, |problems, loc, value| {
        scalar::int_between(problems, loc, value, 1, i64::MAX)
    });
    let per_page = query.or(&mut problems, "per_page", PER_PAGE, |problems, loc, value| {
        scalar::int_between(problems, loc, value, 1, MAX_PER_PAGE)
    });
    let asked = match &value {
        None => Some(SearchBody::default()),
        Some(value) => search_body(&mut problems, &Loc::BODY, value),
    };
    let (asked, (page, per_page)) = problems.none_or(asked.zip(page.zip(per_page)))?;
    let skip = (page - 1).saturating_mul(per_page);
    let search = Search {
        parameters: asked.parameters,
        filters: asked.filters,
        sort: asked.sort,
        distinct: asked.distinct,
        page: Some(Page { skip: skip.unsigned_abs(), limit: per_page.unsigned_abs() }),
    };
    Ok((search, skip))
}

/// Reads a summary.
pub(super) async fn summary_request(
    context: &Context,
    headers: &HeaderMap,
    body: Body,
) -> Result<SummaryBody, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(headers, &body)?;
    let mut problems = Problems::default();
    let asked = body::required(&mut problems, value.as_ref(), summary_body);
    Ok(problems.none_or(asked)?)
}

/// Which part of all rows an answer holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    unit: &'static str,
    skip: i64,
    rows: i64,
    total: i64,
}

impl Extent {
    /// So many rows behind those that were passed over, of `total`, or else the last ones.
    pub(super) fn new(unit: &'static str, skip: i64, rows: usize, total: Option<i64>) -> Self {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        Self { unit, skip, rows, total: total.unwrap_or_else(|| skip.saturating_add(rows)) }
    }

    /// Status and `Content-Range`: all rows, some of them, or a page behind the last one.
    fn judge(self) -> (StatusCode, Option<String>) {
        let Self { unit, skip, rows, total } = self;
        if rows == 0 && total > 0 {
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("{unit} */{total}")))
        } else if rows < total {
            let last = skip.saturating_add(rows - 1);
            (StatusCode::PARTIAL_CONTENT, Some(format!("{unit} {skip}-{last}/{total}")))
        } else {
            (StatusCode::OK, None)
        }
    }
}

/// Rows, with what is to be said of their part.
pub(super) fn paged(rows: Vec<u8>, extent: Extent) -> Response {
    let (status, range) = extent.judge();
    let mut response = json_bytes(status, rows.into());
    if let Some(range) = range.and_then(|range| HeaderValue::try_from(range).ok()) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(skip: i64, rows: usize, total: i64, status: u16, range: Option<&str>) {
        let (found, header) = Extent::new("jobs", skip, rows, Some(total)).judge();
        assert_eq!((found.as_u16(), header.as_deref()), (status, range));
    }

    #[test]
    fn pages_say_which_part_they_are() {
        check(0, 2, 5, 206, Some("jobs 0-1/5"));
        check(2, 2, 24, 206, Some("jobs 2-3/24"));
        check(4, 1, 5, 206, Some("jobs 4-4/5"));
        check(6, 0, 5, 416, Some("jobs */5"));
        check(0, 5, 5, 200, None);
        check(0, 0, 0, 200, None);
        check(i64::MAX, 0, 5, 416, Some("jobs */5"));
    }
}
