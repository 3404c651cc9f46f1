//! Searches, summaries, and the tables that answer them.

use diracx_core::search::{
    Direction, Filter, Page, ScalarOperator, Search, SearchValue, Sort, Summary, VectorOperator,
};

use super::{Invalid, each};
use crate::{common::v1 as pb, jobs::v1 as jobs, pilots::v1 as pilots};

/// Rows of a page if the request does not say how many.
pub const DEFAULT_PAGE_SIZE: u64 = 100;
/// Rows of a page at the most.
pub const MAX_PAGE_SIZE: u64 = 10_000;

/// The page that `page_size` and `skip` mean; a page token is the service's own business.
pub fn page(page_size: i32, skip: i64) -> Result<Page, Invalid> {
    let not_negative = |field| Invalid::field(field, "must not be negative");
    let limit = match u64::try_from(page_size).map_err(|_| not_negative("page_size"))? {
        0 => DEFAULT_PAGE_SIZE,
        size => size.min(MAX_PAGE_SIZE),
    };
    Ok(Page { skip: u64::try_from(skip).map_err(|_| not_negative("skip"))?, limit })
}

macro_rules! same_words {
    ($wire:ident = $domain:ident as $what:literal: $($name:ident),+) => {
        impl From<$domain> for pb::$wire {
            fn from(operator: $domain) -> Self {
                match operator { $($domain::$name => Self::$name),+ }
            }
        }

        impl TryFrom<pb::$wire> for $domain {
            type Error = Invalid;

            fn try_from(operator: pb::$wire) -> Result<Self, Invalid> {
                match operator {
                    $(pb::$wire::$name => Ok(Self::$name),)+
                    pb::$wire::Unspecified => Err(Invalid::search("operator", $what)),
                }
            }
        }
    };
}

same_words!(ScalarOperator = ScalarOperator as "is required": Eq, Neq, Gt, Lt, Like, NotLike, Regex);
same_words!(VectorOperator = VectorOperator as "is required": In, NotIn);

/// The operator that a field's number means.
fn operator<W: TryFrom<i32>, D: TryFrom<W, Error = Invalid>>(number: i32) -> Result<D, Invalid> {
    let known = W::try_from(number).map_err(|_| Invalid::search("operator", "is not an operator"))?;
    D::try_from(known)
}

impl TryFrom<pb::SearchValue> for SearchValue {
    type Error = Invalid;

    fn try_from(value: pb::SearchValue) -> Result<Self, Invalid> {
        match value.value {
            Some(pb::search_value::Value::IntValue(number)) => Ok(Self::Int(number)),
            Some(pb::search_value::Value::StringValue(text)) => Ok(Self::Text(text)),
            None => Err(Invalid::search("value", "is required")),
        }
    }
}

impl From<SearchValue> for pb::SearchValue {
    fn from(value: SearchValue) -> Self {
        let value = match value {
            SearchValue::Int(number) => pb::search_value::Value::IntValue(number),
            SearchValue::Text(text) => pb::search_value::Value::StringValue(text),
        };
        Self { value: Some(value) }
    }
}

impl TryFrom<pb::Filter> for Filter {
    type Error = Invalid;

    fn try_from(filter: pb::Filter) -> Result<Self, Invalid> {
        let pb::Filter { parameter, condition } = filter;
        if parameter.is_empty() {
            return Err(Invalid::search("parameter", "is required"));
        }
        match condition {
            Some(pb::filter::Condition::Scalar(pb::ScalarCondition { operator: number, value })) => {
                let operator = operator::<pb::ScalarOperator, _>(number).map_err(|e| e.within("scalar"))?;
                let value = value.ok_or_else(|| Invalid::search("scalar.value", "is required"))?;
                let value = SearchValue::try_from(value).map_err(|e| e.within("scalar.value"))?;
                Ok(Self::Scalar { parameter, operator, value })
            }
            Some(pb::filter::Condition::Vector(pb::VectorCondition { operator: number, values })) => {
                let operator = operator::<pb::VectorOperator, _>(number).map_err(|e| e.within("vector"))?;
                let values = each("values", values).map_err(|e| e.within("vector"))?;
                Ok(Self::Vector { parameter, operator, values })
            }
            None => Err(Invalid::search("condition", "is required")),
        }
    }
}

impl From<Filter> for pb::Filter {
    fn from(filter: Filter) -> Self {
        let (parameter, condition) = match filter {
            Filter::Scalar { parameter, operator, value } => {
                let operator = pb::ScalarOperator::from(operator).into();
                let condition = pb::ScalarCondition { operator, value: Some(value.into()) };
                (parameter, pb::filter::Condition::Scalar(condition))
            }
            Filter::Vector { parameter, operator, values } => {
                let operator = pb::VectorOperator::from(operator).into();
                let values = values.into_iter().map(Into::into).collect();
                (parameter, pb::filter::Condition::Vector(pb::VectorCondition { operator, values }))
            }
        };
        Self { parameter, condition: Some(condition) }
    }
}

impl TryFrom<pb::SearchSpec> for Vec<Filter> {
    type Error = Invalid;

    fn try_from(search: pb::SearchSpec) -> Result<Self, Invalid> {
        each("filters", search.filters)
    }
}

impl From<Vec<Filter>> for pb::SearchSpec {
    fn from(filters: Vec<Filter>) -> Self {
        Self { filters: filters.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<pb::SortSpec> for Sort {
    type Error = Invalid;

    fn try_from(sort: pb::SortSpec) -> Result<Self, Invalid> {
        if sort.parameter.is_empty() {
            return Err(Invalid::search("parameter", "is required"));
        }
        let direction = match pb::SortDirection::try_from(sort.direction) {
            Ok(pb::SortDirection::Unspecified | pb::SortDirection::Ascending) => Direction::Ascending,
            Ok(pb::SortDirection::Descending) => Direction::Descending,
            Err(_) => return Err(Invalid::search("direction", "is not a direction")),
        };
        Ok(Self { parameter: sort.parameter, direction })
    }
}

impl From<Sort> for pb::SortSpec {
    fn from(sort: Sort) -> Self {
        let direction = match sort.direction {
            Direction::Ascending => pb::SortDirection::Ascending,
            Direction::Descending => pb::SortDirection::Descending,
        };
        Self { parameter: sort.parameter, direction: direction.into() }
    }
}

/// The filters of a request's `search` field, which may be absent.
fn filters(search: Option<pb::SearchSpec>) -> Result<Vec<Filter>, Invalid> {
    Vec::try_from(search.unwrap_or_default()).map_err(|invalid| invalid.within("search"))
}

/// Requests for a page of rows. `page_token` stays with the service that made it; a search without a page
/// asks for the first page of the default size.
macro_rules! paged_searches {
    ($($request:path),+ $(,)?) => {$(
        impl TryFrom<$request> for Search {
            type Error = Invalid;

            fn try_from(request: $request) -> Result<Self, Invalid> {
                Ok(Self {
                    page: Some(page(request.page_size, request.skip)?),
                    parameters: request.read_mask,
                    filters: filters(request.search)?,
                    sort: each("sort", request.sort)?,
                    distinct: request.distinct,
                })
            }
        }

        impl From<Search> for $request {
            fn from(search: Search) -> Self {
                let page = search.page.unwrap_or(Page { skip: 0, limit: 0 });
                Self {
                    search: Some(search.filters.into()),
                    sort: search.sort.into_iter().map(Into::into).collect(),
                    read_mask: search.parameters,
                    distinct: search.distinct,
                    page_size: i32::try_from(page.limit).unwrap_or(i32::MAX),
                    skip: i64::try_from(page.skip).unwrap_or(i64::MAX),
                    ..Self::default()
                }
            }
        }
    )+};
}

/// Requests for all rows at once, or the first `limit` of them; they pass over none.
macro_rules! streamed_searches {
    ($($request:path),+ $(,)?) => {$(
        impl TryFrom<$request> for Search {
            type Error = Invalid;

            fn try_from(request: $request) -> Result<Self, Invalid> {
                let limit = u64::try_from(request.limit)
                    .map_err(|_| Invalid::field("limit", "must not be negative"))?;
                Ok(Self {
                    page: (limit > 0).then_some(Page { skip: 0, limit }),
                    parameters: request.read_mask,
                    filters: filters(request.search)?,
                    sort: each("sort", request.sort)?,
                    distinct: request.distinct,
                })
            }
        }

        impl From<Search> for $request {
            fn from(search: Search) -> Self {
                let limit = search.page.map_or(0, |page| page.limit);
                Self {
                    search: Some(search.filters.into()),
                    sort: search.sort.into_iter().map(Into::into).collect(),
                    read_mask: search.parameters,
                    distinct: search.distinct,
                    limit: i64::try_from(limit).unwrap_or(i64::MAX),
                    ..Self::default()
                }
            }
        }
    )+};
}

/// Requests for counts.
macro_rules! summaries {
    ($($request:path),+ $(,)?) => {$(
        impl TryFrom<$request> for Summary {
            type Error = Invalid;

            fn try_from(request: $request) -> Result<Self, Invalid> {
                Ok(Self { grouping: request.grouping, filters: filters(request.search)? })
            }
        }

        impl From<Summary> for $request {
            fn from(summary: Summary) -> Self {
                Self { grouping: summary.grouping, search: Some(summary.filters.into()) }
            }
        }
    )+};
}

paged_searches!(jobs::SearchJobsRequest, pilots::SearchPilotsRequest);
streamed_searches!(jobs::StreamSearchJobsRequest, pilots::StreamSearchPilotsRequest);
summaries!(jobs::SummariseJobsRequest, pilots::SummarisePilotsRequest);

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
