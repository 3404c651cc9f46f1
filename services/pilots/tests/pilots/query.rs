//! Pilots are found and counted.

use diracx_core::{
    PilotStatus,
    search::{Filter, ScalarOperator, SearchValue, VectorOperator},
};
use diracx_proto::{common::v1::SortSpec, pilots::v1 as pb};
use diracx_testkit::{TestDatabase, on_both_backends};
use tonic::Code;

use crate::{
    harness::{Pilots, reason, rows, table_rows},
    sql::execute,
};

fn job_is(job: i64) -> Filter {
    Filter::Scalar { parameter: "JobID".into(), operator: ScalarOperator::Eq, value: SearchValue::Int(job) }
}

fn jobs_are(jobs: &[&str]) -> Filter {
    let values = jobs.iter().map(|job| SearchValue::Text((*job).to_owned())).collect();
    Filter::Vector { parameter: "JobID".into(), operator: VectorOperator::In, values }
}

async fn some(db: TestDatabase) -> Pilots {
    let pilots = Pilots::start(db).await;
    pilots.register("service_admin", "alpha", &["a1", "a2", "a3"]).await.unwrap();
    pilots.register("service_admin", "beta", &["b1"]).await.unwrap();
    pilots.becomes("a2", PilotStatus::Running).await;
    pilots
}

on_both_backends! {
    async fn everybody_sees_the_pilots_of_the_vo_and_administrators_all(db: TestDatabase) {
        let pilots = some(db).await;
        assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["a1", "a2", "a3"]);
        assert_eq!(pilots.finds("no_properties", vec![]).await.unwrap(), ["a1", "a2", "a3"]);
        assert_eq!(pilots.finds("other_vo_user", vec![]).await.unwrap(), ["b1"]);
        assert_eq!(pilots.finds("alice", vec![Filter::equals("VO", "beta")]).await.unwrap(), [""; 0]);
        assert_eq!(pilots.finds("service_admin", vec![]).await.unwrap(), ["a1", "a2", "a3", "b1"]);
        assert_eq!(pilots.finds("component tasks", vec![]).await.unwrap(), ["a1", "a2", "a3", "b1"]);
        let refused = pilots.finds("pilot", vec![]).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::PermissionDenied, "Pilots cannot read other pilots' metadata."),
        );
    }

    async fn a_vo_that_differs_in_case_is_another_one(db: TestDatabase) {
        let pilots = some(db).await;
        execute(&pilots.database, "UPDATE PilotAgents SET VO = 'ALPHA' WHERE PilotStamp = 'b1'").await;
        assert_eq!(pilots.finds("alice", vec![]).await.unwrap(), ["a1", "a2", "a3"]);
        let request = pb::SummarisePilotsRequest { grouping: vec!["VO".into()], ..Default::default() };
        let request = pilots.request("alice", request);
        let counted = pilots.client.clone().summarise_pilots(request).await.unwrap().into_inner().table.unwrap();
        assert_eq!(table_rows(counted), [["alpha", "3"]]);
        assert_eq!(pilots.finds("service_admin", vec![Filter::equals("PilotStamp", "b1")]).await.unwrap(), ["b1"]);
    }

    async fn pages_follow_each_other_and_their_token_is_for_one_search(db: TestDatabase) {
        let pilots = some(db).await;
        let page = |token: String, change: fn(&mut pb::SearchPilotsRequest)| {
            pilots.search("service_admin", move |request| {
                request.page_size = 3;
                request.read_mask = vec!["PilotStamp".into()];
                request.sort = vec![SortSpec { parameter: "PilotStamp".into(), direction: 2 }];
                request.page_token = token;
                change(request);
            })
        };
        let first = page(String::new(), |_| ()).await.unwrap();
        assert_eq!(first.total_size, Some(4));
        let token = first.next_page_token.clone();
        assert_eq!(rows(first), [["b1"], ["a3"], ["a2"]]);
        let second = page(token.clone(), |_| ()).await.unwrap();
        assert_eq!(second.next_page_token, "");
        assert_eq!(rows(second), [["a1"]]);
        let other = page(token, |request| request.distinct = true).await.unwrap_err();
        assert_eq!(other.message(), "page_token: belongs to another search: only its place may change");
        let rubbish = page("rubbish".into(), |_| ()).await.unwrap_err();
        assert_eq!(rubbish.message(), "page_token: is not one that this rpc gave");
    }

    async fn a_stream_finds_all_and_is_taken_up_again(db: TestDatabase) {
        let pilots = some(db).await;
        let ask = async |limit: i64, resume_token: String| {
            let request = pb::StreamSearchPilotsRequest { limit, resume_token, ..Default::default() };
            let request = pilots.request("alice", request);
            let mut stream = pilots.client.clone().stream_search_pilots(request).await.unwrap().into_inner();
            let (mut count, mut token) = (0, String::new());
            while let Some(message) = stream.message().await.unwrap() {
                count += message.table.unwrap().rows.len();
                token = message.resume_token;
            }
            (count, token)
        };
        assert_eq!(ask(0, String::new()).await.0, 3);
        let (count, token) = ask(2, String::new()).await;
        assert_eq!(count, 2);
        assert_eq!(ask(2, token).await.0, 0, "the limit counts what came before");
    }

    async fn the_pilots_of_jobs_are_found_by_their_jobs(db: TestDatabase) {
        let pilots = some(db).await;
        pilots.assign("a1", &[100, 101]).await.unwrap();
        pilots.assign("a3", &[101, 102]).await.unwrap();
        pilots.assign("b1", &[102]).await.unwrap();
        assert_eq!(pilots.finds("alice", vec![job_is(100)]).await.unwrap(), ["a1"]);
        assert_eq!(pilots.finds("alice", vec![job_is(102)]).await.unwrap(), ["a3"], "b1 is of another VO");
        assert_eq!(pilots.finds("service_admin", vec![jobs_are(&["100", "102"])]).await.unwrap(), ["a1", "a3", "b1"]);
        assert_eq!(pilots.finds("alice", vec![job_is(100), job_is(101)]).await.unwrap(), ["a1", "a3"], "a union");
        let narrowed = vec![job_is(101), Filter::equals("PilotStamp", "a3")];
        assert_eq!(pilots.finds("alice", narrowed).await.unwrap(), ["a3"]);
        assert_eq!(pilots.finds("alice", vec![job_is(999)]).await.unwrap(), [""; 0]);
    }

    async fn what_cannot_be_searched_for_is_said(db: TestDatabase) {
        let pilots = some(db).await;
        let not = Filter::Scalar {
            parameter: "JobID".into(),
            operator: ScalarOperator::Neq,
            value: SearchValue::Int(1),
        };
        for (filters, sentence) in [
            (vec![not], "Operator <ScalarSearchOperator.NOT_EQUAL: 'neq'> is not supported on the 'JobID' pseudo-parameter; use 'eq' or 'in'."),
            (vec![jobs_are(&["abc"])], "'JobID' pseudo-parameter values must be integers."),
            (vec![job_is(1), Filter::equals("PilotID", "1")], "Cannot combine 'JobID' pseudo-parameter with a real 'PilotID' filter in the same request."),
            (vec![Filter::equals("Nonsense", "1")], "Unknown column Nonsense"),
        ] {
            let error = pilots.finds("alice", filters).await.unwrap_err();
            assert_eq!(error.message(), sentence);
            assert_eq!((error.code(), reason(&error).as_str()), (Code::InvalidArgument, "INVALID_SEARCH"));
        }
        let sorted = pilots.search("alice", |request| {
            request.sort = vec![SortSpec { parameter: "JobID".into(), direction: 1 }];
        });
        assert_eq!(sorted.await.unwrap_err().message(), "Cannot sort by JobID: unknown column");
    }

    async fn pilots_are_counted_within_what_one_sees(db: TestDatabase) {
        let pilots = some(db).await;
        let count = async |who: &str, filters: Vec<Filter>| {
            let request = pb::SummarisePilotsRequest {
                grouping: vec!["Status".into()],
                search: Some(filters.into()),
            };
            let answer = pilots.client.clone().summarise_pilots(pilots.request(who, request)).await?;
            let mut rows = table_rows(answer.into_inner().table.unwrap());
            rows.sort();
            Ok::<_, tonic::Status>(rows)
        };
        assert_eq!(count("alice", vec![]).await.unwrap(), [["Running", "1"], ["Submitted", "2"]]);
        assert_eq!(count("service_admin", vec![]).await.unwrap(), [["Running", "1"], ["Submitted", "3"]]);
        let unknown = count("alice", vec![job_is(1)]).await.unwrap_err();
        assert_eq!(unknown.message(), "Unknown column JobID");
        assert_eq!(count("pilot", vec![]).await.unwrap_err().code(), Code::PermissionDenied);
    }
}
