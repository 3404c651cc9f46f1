//! What a search says comes back from the wire; what it may not say is refused by its place.

use diracx_core::{Code, Explain, Reason};

use super::*;

fn search() -> Search {
    let scalar =
        |parameter: &str, operator, value| Filter::Scalar { parameter: parameter.into(), operator, value };
    let vector = |operator, values| Filter::Vector { parameter: "JobID".into(), operator, values };
    Search {
        parameters: vec!["JobID".into(), "Status".into()],
        filters: vec![
            Filter::equals("Status", "Received"),
            scalar("JobID", ScalarOperator::Gt, SearchValue::Int(i64::MAX)),
            scalar("Owner", ScalarOperator::NotLike, SearchValue::Text("a%".into())),
            vector(VectorOperator::In, vec![SearchValue::Int(1), SearchValue::Text("2".into())]),
            vector(VectorOperator::NotIn, vec![]),
        ],
        sort: vec![
            Sort { parameter: "JobID".into(), direction: Direction::Descending },
            Sort { parameter: "Site".into(), direction: Direction::Ascending },
        ],
        distinct: true,
        page: Some(Page { skip: 20, limit: 10 }),
    }
}

fn filter(parameter: &str, condition: Option<pb::filter::Condition>) -> pb::Filter {
    pb::Filter { parameter: parameter.into(), condition }
}

#[track_caller]
fn refused(request: jobs::SearchJobsRequest, sentence: &str) {
    let invalid = Search::try_from(request).unwrap_err();
    assert_eq!(invalid.to_string(), sentence);
    assert_eq!(invalid.explain().code, Code::InvalidArgument);
}

#[track_caller]
fn filter_refused(filter: pb::Filter, sentence: &str) {
    let search =
        Some(pb::SearchSpec { filters: vec![pb::Filter::from(Filter::equals("VO", "lhcb")), filter] });
    refused(jobs::SearchJobsRequest { search, ..Default::default() }, sentence);
}

#[test]
fn a_search_comes_back_as_it_was() {
    assert_eq!(Search::try_from(jobs::SearchJobsRequest::from(search())), Ok(search()));
    assert_eq!(Search::try_from(pilots::SearchPilotsRequest::from(search())), Ok(search()));
    let summary = Summary { grouping: vec!["Status".into()], filters: search().filters };
    assert_eq!(Summary::try_from(jobs::SummariseJobsRequest::from(summary.clone())), Ok(summary));
}

#[test]
fn a_page_has_a_default_a_limit_and_no_negative_side() {
    assert_eq!(page(0, 0), Ok(Page { skip: 0, limit: 100 }));
    assert_eq!(page(i32::MAX, 5), Ok(Page { skip: 5, limit: 10_000 }));
    refused(
        jobs::SearchJobsRequest { page_size: -1, ..Default::default() },
        "page_size: must not be negative",
    );
    refused(jobs::SearchJobsRequest { skip: -1, ..Default::default() }, "skip: must not be negative");
}

#[test]
fn a_stream_without_a_limit_asks_for_all_rows() {
    assert_eq!(Search::try_from(jobs::StreamSearchJobsRequest::default()).unwrap().page, None);
    let all = Search { page: None, ..search() };
    assert_eq!(Search::try_from(jobs::StreamSearchJobsRequest::from(all.clone())), Ok(all));
    let limited = jobs::StreamSearchJobsRequest { limit: 20_000, ..Default::default() };
    assert_eq!(Search::try_from(limited).unwrap().page, Some(Page { skip: 0, limit: 20_000 }));
}

#[test]
fn what_a_filter_lacks_is_named() {
    use pb::filter::Condition::{Scalar, Vector};
    let value = || Some(pb::SearchValue::from(SearchValue::Int(1)));
    let at = "search.filters[1]";

    filter_refused(filter("", None), &format!("{at}.parameter: is required"));
    filter_refused(filter("JobID", None), &format!("{at}.condition: is required"));
    let scalar = |operator, value| filter("JobID", Some(Scalar(pb::ScalarCondition { operator, value })));
    filter_refused(scalar(0, value()), &format!("{at}.scalar.operator: is required"));
    filter_refused(scalar(99, value()), &format!("{at}.scalar.operator: is not an operator"));
    filter_refused(scalar(1, None), &format!("{at}.scalar.value: is required"));
    filter_refused(
        scalar(1, Some(pb::SearchValue::default())),
        &format!("{at}.scalar.value.value: is required"),
    );
    let vector = |operator, values| filter("JobID", Some(Vector(pb::VectorCondition { operator, values })));
    filter_refused(vector(0, vec![]), &format!("{at}.vector.operator: is required"));
    let missing = vec![pb::SearchValue::default()];
    filter_refused(vector(1, missing), &format!("{at}.vector.values[0].value: is required"));
}

#[test]
fn what_a_sort_key_lacks_is_named() {
    let sort = |parameter: &str, direction| jobs::SearchJobsRequest {
        sort: vec![pb::SortSpec { parameter: parameter.into(), direction }],
        ..Default::default()
    };
    refused(sort("", 1), "sort[0].parameter: is required");
    refused(sort("JobID", 3), "sort[0].direction: is not a direction");
    let unsaid = Search::try_from(sort("JobID", 0)).unwrap();
    assert_eq!(unsaid.sort[0].direction, Direction::Ascending);
}

#[test]
fn a_bad_search_has_the_reason_that_programs_look_for() {
    let invalid = Filter::try_from(pb::Filter::default()).unwrap_err();
    assert_eq!(invalid.explain().reason, Reason::InvalidSearch);
    assert_eq!(invalid.explain().violations, [("parameter".to_owned(), "is required".to_owned())]);
}
