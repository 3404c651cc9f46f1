//! How the databases do what people ask for, with 100,000 jobs stored: with the help of an index, not by looking at
//! every job.

use diesel::{
    connection::SimpleConnection as _,
    debug_query,
    prelude::*,
    sql_types::{Nullable, Text},
};
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection};
use diracx_core::search::{
    Direction, Filter, Page, ScalarOperator, Search, SearchValue, Sort, Summary, VectorOperator,
};
use diracx_db::{
    DbUrl, Deadline,
    search::{CountQuery, PageQuery, Plan, SummaryQuery},
};
use diracx_jobs::store::{self, schema::JOBS};
use diracx_testkit::on_both_backends;

use crate::{harness::Jobs, seed};

/// What a database says about a step of its plan.
#[derive(Debug, Clone, QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(Debug, Clone, QueryableByName)]
struct MysqlStep {
    #[diesel(sql_type = Nullable<Text>, column_name = "type")]
    kind: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    key: Option<String>,
    #[diesel(sql_type = Nullable<Text>, column_name = "Extra")]
    extra: Option<String>,
}

/// How a plan finds its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    /// `Jobs`, all of it, is looked at, in the order of the table or of an index.
    everything: bool,
    /// The index that is used; `PRIMARY` is the table itself.
    index: String,
    /// The index alone has the answer.
    covered: bool,
    /// The rows are found in their order.
    sorted: bool,
    shown: String,
}

fn of_sqlite(steps: &[SqliteStep]) -> Way {
    let shown = steps.iter().map(|step| step.detail.as_str()).collect::<Vec<_>>().join("; ");
    let index = shown
        .split_once("INDEX ")
        .filter(|_| !shown.contains("INTEGER PRIMARY KEY"))
        .map_or("PRIMARY", |(_, rest)| rest.split([' ', ';']).next().unwrap());
    Way {
        everything: shown.contains("SCAN Jobs"),
        index: index.to_owned(),
        covered: shown.contains("COVERING INDEX"),
        sorted: !shown.contains("TEMP B-TREE"),
        shown,
    }
}

fn of_mysql(steps: &[MysqlStep]) -> Way {
    let step = &steps[0];
    let (kind, extra) = (step.kind.clone().unwrap_or_default(), step.extra.clone().unwrap_or_default());
    Way {
        everything: kind == "ALL" || kind == "index",
        index: step.key.clone().unwrap_or_else(|| "PRIMARY".to_owned()),
        covered: extra.contains("Using index") && !extra.contains("Using index condition"),
        sorted: !extra.contains("filesort") && !extra.contains("temporary"),
        shown: format!("{steps:?}"),
    }
}

/// A statement with its values in it, as a person would type it: a plan depends on the values.
fn typed(statement: &str) -> String {
    let (sql, binds) = statement.split_once(" -- binds: ").unwrap();
    let values = binds.trim_start_matches('[').trim_end_matches(']');
    let mut values = values.split(", ").filter(|value| !value.is_empty()).map(|value| {
        let time = value.strip_prefix("UtcTime(").and_then(|value| value.strip_suffix(')'));
        time.map_or_else(|| value.replace('"', "'"), |time| format!("'{}'", time.replace('T', " ")))
    });
    let parts: Vec<&str> = sql.split('?').collect();
    let mut text = parts[0].to_owned();
    for part in &parts[1..] {
        text.push_str(&values.next().unwrap());
        text.push_str(part);
    }
    text
}

/// The plans of one question on one database.
macro_rules! way {
    ($jobs:expr, $query:expr) => {
        match &$jobs.databases.job_db {
            DbUrl::Sqlite(path) => {
                let sql = typed(&debug_query::<diesel::sqlite::Sqlite, _>($query).to_string());
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                let steps: Vec<SqliteStep> =
                    RunQueryDsl::load(diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")), &mut conn)
                        .unwrap();
                of_sqlite(&steps)
            }
            DbUrl::MySql(url) => {
                let sql = typed(&debug_query::<diesel::mysql::Mysql, _>($query).to_string());
                let mut conn = AsyncMysqlConnection::establish(url).await.unwrap();
                let steps: Vec<MysqlStep> =
                    diesel_async::RunQueryDsl::load(diesel::sql_query(format!("EXPLAIN {sql}")), &mut conn)
                        .await
                        .unwrap();
                of_mysql(&steps)
            }
        }
    };
}

fn equals(parameter: &str, value: &str) -> Filter {
    Filter::equals(parameter, value)
}

fn search(filters: &[Filter]) -> Search {
    Search { filters: filters.to_vec(), page: Some(Page { skip: 0, limit: 100 }), ..Search::default() }
}

on_both_backends! {
    async fn pages_and_counts_find_their_jobs_by_an_index(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 100_000).await;
        let vo = equals("VO", "vo1");
        let since = |time: &str| Filter::Scalar {
            parameter: "LastUpdateTime".into(),
            operator: ScalarOperator::Gt,
            value: SearchValue::Text(time.into()),
        };
        let numbers = Filter::Vector {
            parameter: "JobID".into(),
            operator: VectorOperator::In,
            values: [5, 700, 90_000].map(SearchValue::Int).to_vec(),
        };
        for filters in [
            vec![equals("Owner", "user7")],
            vec![equals("Status", "Matched")],
            vec![equals("Site", "LCG.Site7.org")],
            vec![equals("JobGroup", "000040")],
            vec![vo.clone()],
            vec![vo.clone(), equals("Owner", "user11")],
            vec![vo.clone(), equals("Owner", "user11"), equals("Status", "Done")],
            vec![vo.clone(), equals("Status", "Running")],
            vec![vo.clone(), equals("Status", "Done"), equals("Site", "LCG.Site7.org")],
            vec![vo.clone(), equals("JobGroup", "000040")],
            vec![since("2026-11-02 03:00")],
            vec![vo.clone(), since("2026-11-02 03:00")],
            vec![numbers.clone()],
            vec![vo.clone(), numbers],
        ] {
            let plan = Plan::search(&JOBS, &search(&filters)).unwrap();
            let page = way!(jobs, &PageQuery::new(&plan));
            // A page of the jobs of a large VO is found along the primary key within a few hundred rows. SQLite has no
            // idea how many jobs a range of times has, and looks along the key as well.
            let dense = filters == [vo.clone()];
            let unknown = filters.len() == 1
                && filters[0].parameter() == "LastUpdateTime"
                && matches!(jobs.databases.job_db, DbUrl::Sqlite(_));
            let along_key = (dense || unknown) && page.index == "PRIMARY" && page.sorted;
            assert!(!page.everything || along_key, "{filters:?}: {}", page.shown);
            let count = way!(jobs, &CountQuery(&plan));
            assert!(!count.everything || (count.covered && dense), "{filters:?}: {}", count.shown);
        }
    }

    async fn a_page_behind_a_row_is_entered_in_the_middle(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 100_000).await;
        let store = store::open(&jobs.databases).await.unwrap();
        let plan = |filters: &[Filter], sort: &[(&str, Direction)]| {
            let sort = sort.iter().map(|(name, direction)| Sort { parameter: (*name).into(), direction: *direction }).collect();
            Plan::search(&JOBS, &Search { sort, ..search(filters) }).unwrap()
        };
        use Direction::{Ascending, Descending};
        for (filters, sort, index) in [
            (vec![], vec![], "PRIMARY"),
            (vec![], vec![("JobID", Descending)], "PRIMARY"),
            (vec![], vec![("LastUpdateTime", Descending)], "LastUpdateTime"),
            (vec![], vec![("LastUpdateTime", Ascending)], "LastUpdateTime"),
            (vec![equals("Status", "Matched")], vec![], "Status"),
        ] {
            let first = plan(&filters, &sort);
            let one = first.clone().with_page(Some(Page { skip: 1_500, limit: 1 }));
            let found = store.search(Deadline::NONE, one, false).await.unwrap();
            let behind = first.after(found.rows.end.unwrap()).unwrap();
            let page = way!(jobs, &PageQuery::new(&behind));
            assert!(!page.everything, "{sort:?}: {}", page.shown);
            assert_eq!(page.index, index, "{sort:?}: {}", page.shown);
        }
    }

    async fn jobs_of_a_status_are_not_looked_for_among_all_others(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 100_000).await;
        // An eighth of all jobs: along the primary key a page seems near, but they may all be the newest.
        let plan = Plan::search(&JOBS, &search(&[equals("Status", "Running")])).unwrap();
        let page = way!(jobs, &PageQuery::new(&plan));
        assert_eq!((page.index.as_str(), page.sorted), ("Status", true), "{}", page.shown);
    }

    async fn counts_by_columns_read_an_index_alone(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        seed::jobs(&jobs, 100_000).await;
        let vo = vec![equals("VO", "vo1")];
        let own = vec![equals("Owner", "user11"), equals("VO", "vo1")];
        for (filters, grouping, part) in [
            (vec![], vec!["Status"], false),
            (vec![], vec!["Status", "Site"], false),
            (vo.clone(), vec!["Status"], true),
            (vo.clone(), vec!["Status", "Site"], true),
            (vo.clone(), vec!["Owner", "Status"], true),
            (own.clone(), vec!["Status"], true),
            (own, vec!["Status", "Site"], true),
        ] {
            let summary = Summary { grouping: grouping.iter().map(|name| (*name).to_owned()).collect(), filters };
            let plan = Plan::summary(&JOBS, &summary).unwrap();
            let way = way!(jobs, &SummaryQuery(&plan));
            assert!(way.covered, "{summary:?}: {}", way.shown);
            assert!(!(part && way.everything), "{summary:?}: {}", way.shown);
        }
    }
}
