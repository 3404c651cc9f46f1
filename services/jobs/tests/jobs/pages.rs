//! Pages fit together, whatever is searched for and in whatever order.

use diracx_core::search::{Direction, Filter, ScalarOperator, SearchValue, Sort};
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use tonic::Code;

use crate::{
    harness::{Jobs, reason, rows},
    seed,
    sql::execute,
};

/// Columns with many equal values, with none at all in some rows, with labels, and with letters that a database may
/// think equal.
const COLUMNS: [&str; 10] = [
    "JobID",
    "Site",
    "JobName",
    "Status",
    "RescheduleTime",
    "EndExecTime",
    "LastUpdateTime",
    "UserPriority",
    "VerifiedFlag",
    "AccountedFlag",
];

fn some_jobs() -> impl Strategy<Value = Vec<String>> {
    let time = || {
        prop_oneof![
            Just("NULL".to_owned()),
            (0..4, 0..3).prop_map(|(day, s)| format!("'2026-11-0{} 10:00:0{s}.000000'", day + 1))
        ]
    };
    let job = (
        select(&["ANY", "LCG.One.ch", "LCG.Two.fr"][..]),
        select(&["a", "A", "ä", "b", "B", "it''s", "", "%_"][..]),
        select(&["Done", "Failed", "Waiting"][..]),
        (time(), time(), time()),
        -2..3,
        select(&["True", "False"][..]),
        select(&["True", "False", "Failed"][..]),
    );
    let row = |(site, name, status, (a, b, c), priority, verified, accounted)| {
        format!(
            "'{site}', '{name}', '{status}', {a}, {b}, {c}, {priority}, '{verified}', '{accounted}', 'alice', 'g', 'alpha'"
        )
    };
    prop::collection::vec(job.prop_map(row), 80..120)
}

fn some_search() -> impl Strategy<Value = pb::SearchJobsRequest> {
    let sort = subsequence(COLUMNS.to_vec(), 0..5).prop_shuffle().prop_flat_map(|columns| {
        let direction = select(&[Direction::Ascending, Direction::Descending][..]);
        columns
            .into_iter()
            .map(|column| {
                direction.clone().prop_map(move |direction| Sort { parameter: column.into(), direction })
            })
            .collect::<Vec<_>>()
    });
    let filter = |parameter: &str, operator, value: &str| Filter::Scalar {
        parameter: parameter.into(),
        operator,
        value: SearchValue::Text(value.into()),
    };
    let filters = prop_oneof![
        Just(vec![]),
        Just(vec![filter("Status", ScalarOperator::Neq, "Done")]),
        Just(vec![
            filter("LastUpdateTime", ScalarOperator::Gt, "2026-11-01"),
            filter("Site", ScalarOperator::Like, "LCG.%")
        ]),
    ];
    // Of letters that it thinks equal a database may return any, when they are to be returned once.
    let once = COLUMNS.into_iter().filter(|column| *column != "JobName").collect::<Vec<_>>();
    let columns = prop_oneof![
        (Just(false), subsequence(COLUMNS.to_vec(), 0..=COLUMNS.len())),
        (Just(true), subsequence(once, 1..4)),
    ];
    (sort, filters, columns, 1..40).prop_map(|(sort, filters, (distinct, columns), page_size)| {
        pb::SearchJobsRequest {
            sort: sort.into_iter().map(Into::into).collect(),
            search: Some(filters.into()),
            read_mask: columns.into_iter().map(Into::into).collect(),
            distinct,
            page_size,
            ..Default::default()
        }
    })
}

/// All rows, page by page, and how many pages there were.
async fn page_by_page(jobs: &Jobs, request: &pb::SearchJobsRequest) -> (Vec<Vec<String>>, usize) {
    let (mut all, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = jobs
            .search("alice", |asked| {
                *asked = pb::SearchJobsRequest { page_token: token.clone(), ..request.clone() }
            })
            .await
            .unwrap();
        token.clone_from(&page.next_page_token);
        all.extend(rows(page));
        pages += 1;
        if token.is_empty() {
            return (all, pages);
        }
    }
}

on_both_backends! {
    async fn all_pages_together_are_the_search(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let mut runner = TestRunner::deterministic();
        for _ in 0..3 {
            execute(&jobs.databases.job_db, "DELETE FROM Jobs; DELETE FROM JobJDLs;").await;
            let rows_of_jobs = some_jobs().new_tree(&mut runner).unwrap().current();
            let numbered: Vec<String> = rows_of_jobs.iter().enumerate().map(|(i, row)| format!("({}, {row})", i + 1)).collect();
            let numbers: Vec<String> = (1..=rows_of_jobs.len()).map(|id| format!("({id}, '', '', '')")).collect();
            let insert = format!(
                "INSERT INTO JobJDLs (JobID, JDL, JobRequirements, OriginalJDL) VALUES {};
                INSERT INTO Jobs (JobID, Site, JobName, Status, RescheduleTime, EndExecTime, LastUpdateTime, UserPriority,
                    VerifiedFlag, AccountedFlag, Owner, OwnerGroup, VO) VALUES {};",
                numbers.join(", "),
                numbered.join(", ")
            );
            execute(&jobs.databases.job_db, &insert).await;
            for _ in 0..40 {
                let request = some_search().new_tree(&mut runner).unwrap().current();
                let whole = jobs
                    .search("alice", |asked| {
                        *asked = pb::SearchJobsRequest { page_size: 10_000, include_total: true, ..request.clone() };
                    })
                    .await
                    .unwrap();
                assert_eq!(whole.next_page_token, "");
                assert_eq!(whole.total_size, i64::try_from(whole.table.as_ref().unwrap().rows.len()).ok());
                let whole = rows(whole);
                let (all, pages) = page_by_page(&jobs, &request).await;
                assert_eq!(all, whole, "{request:?}");
                let size = usize::try_from(request.page_size).unwrap();
                assert_eq!(pages, whole.len().div_ceil(size).max(1), "{request:?}");
            }
        }
    }

    async fn a_token_goes_on_behind_a_row_even_if_rows_before_it_vanish(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 20).await;
        let ids = |found: pb::SearchJobsResponse| -> Vec<i64> { rows(found).iter().map(|row| row[0].parse().unwrap()).collect() };
        let page = |token: String, skip| {
            let jobs = &jobs;
            async move {
                jobs.search("carol", |asked| {
                    asked.page_size = 5;
                    asked.page_token = token;
                    asked.skip = skip;
                })
                .await
                .unwrap()
            }
        };
        let first = page(String::new(), 0).await;
        assert_eq!(first.total_size, Some(20));
        let token = first.next_page_token.clone();
        assert_eq!(ids(first), [1, 2, 3, 4, 5]);
        execute(&jobs.databases.job_db, "DELETE FROM Jobs WHERE JobID IN (2, 3, 7)").await;
        let second = page(token.clone(), 0).await;
        assert_eq!(second.total_size, Some(17), "the total is that of the whole search");
        assert_eq!(ids(second), [6, 8, 9, 10, 11]);
        // Rows are passed over from there.
        assert_eq!(ids(page(token.clone(), 3).await), [10, 11, 12, 13, 14]);
        let last = page(token, 12).await;
        assert_eq!((last.total_size, ids(last)), (Some(17), vec![19, 20]));
    }

    async fn a_token_belongs_to_its_search(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 20).await;
        let request = pb::SearchJobsRequest { page_size: 5, ..Default::default() };
        let token = jobs.search("carol", |asked| *asked = request.clone()).await.unwrap().next_page_token;
        let check = async |change: fn(&mut pb::SearchJobsRequest)| {
            let answer = jobs.search("carol", |asked| {
                *asked = pb::SearchJobsRequest { page_token: token.clone(), ..request.clone() };
                change(asked);
            });
            answer.await.map(|found| rows(found).len())
        };
        for change in [
            (|asked| asked.search = Some(vec![Filter::equals("Status", "Done")].into())) as fn(&mut pb::SearchJobsRequest),
            |asked| asked.sort = vec![Sort { parameter: "Site".into(), direction: Direction::Ascending }.into()],
            |asked| asked.read_mask = vec!["JobID".into()],
            |asked| asked.distinct = true,
        ] {
            let error = check(change).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert_eq!(error.message(), "page_token: belongs to another search: only its place may change");
            assert_eq!(reason(Err::<(), _>(error)), "INVALID_FIELD");
        }
        // The size of the page, and whether to count, may change.
        assert_eq!(check(|asked| { asked.page_size = 8; asked.include_total = true; }).await.unwrap(), 8);
        // The rows of somebody else are not found with it.
        let other = jobs.search("dave", |asked| *asked = pb::SearchJobsRequest { page_token: token.clone(), ..request.clone() });
        assert_eq!(rows(other.await.unwrap()), Vec::<Vec<String>>::new());
        for rubbish in ["rubbish", "c2tpcDo1", "AQ", &token[..token.len() - 4], &token.repeat(2), &"A".repeat(100_000)] {
            let refused = jobs.search("carol", |asked| *asked = pb::SearchJobsRequest { page_token: rubbish.into(), ..request.clone() });
            assert_eq!(reason(refused.await), "INVALID_FIELD", "{rubbish:.40}");
        }
    }
}
