//! Jobs are found and counted.

use diracx_core::search::{Direction, Filter, ScalarOperator, SearchValue, Sort, VectorOperator};
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;

use crate::{
    harness::{HELLO, Jobs, reason, rows},
    sql::execute,
};

fn jdl(name: &str, site: &str, priority: i64) -> String {
    format!(
        "Executable = \"x\"; JobName = \"{name}\"; Site = \"{site}\"; Priority = {priority}; JobType = \"User\";"
    )
}

async fn five(jobs: &Jobs) -> Vec<i64> {
    let jdls = [
        jdl("alpha", "LCG.One.ch", 1),
        jdl("beta", "LCG.Two.fr", 2),
        jdl("gamma", "LCG.One.ch", 3),
        jdl("delta", "ANY", 4),
        jdl("epsilon", "LCG.Two.fr", 5),
    ];
    jobs.submit("alice", &jdls.each_ref().map(String::as_str)).await.unwrap()
}

fn scalar(parameter: &str, operator: ScalarOperator, value: SearchValue) -> Filter {
    Filter::Scalar { parameter: parameter.into(), operator, value }
}

fn text(value: &str) -> SearchValue {
    SearchValue::Text(value.into())
}

on_both_backends! {
    async fn every_operator_finds_what_it_should(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = five(&jobs).await;
        let check = async |filter: Filter, expected: &[usize]| {
            let expected: Vec<i64> = expected.iter().map(|i| ids[*i]).collect();
            assert_eq!(jobs.finds("alice", vec![filter.clone()]).await.unwrap(), expected, "{filter:?}");
        };
        use ScalarOperator::{Eq, Gt, Like, Lt, Neq, NotLike, Regex};
        check(scalar("JobName", Eq, text("beta")), &[1]).await;
        check(scalar("JobName", Neq, text("beta")), &[0, 2, 3, 4]).await;
        check(scalar("UserPriority", Gt, SearchValue::Int(3)), &[3, 4]).await;
        check(scalar("UserPriority", Lt, text("3")), &[0, 1]).await;
        check(scalar("JobName", Like, text("%lt%")), &[3]).await;
        check(scalar("JobName", NotLike, text("%a")), &[4]).await;
        check(scalar("Site", Regex, text(r"^LCG\.(One|Three)\.")), &[0, 2]).await;
        check(scalar("JobID", Eq, text(&ids[2].to_string())), &[2]).await;
        check(scalar("JobID", Eq, text("1 OR 1=1")), &[]).await;
        check(scalar("JobID", Neq, text("many")), &[0, 1, 2, 3, 4]).await;
        check(scalar("VerifiedFlag", Eq, text("True")), &[0, 1, 2, 3, 4]).await;
        check(scalar("VerifiedFlag", Eq, SearchValue::Int(1)), &[0, 1, 2, 3, 4]).await;
        check(scalar("AccountedFlag", Neq, SearchValue::Int(0)), &[]).await;
        check(scalar("SubmissionTime", Eq, text("2026-11-23")), &[0, 1, 2, 3, 4]).await;
        check(scalar("SubmissionTime", Eq, text("2026-11-23 10:00:00")), &[0, 1, 2, 3, 4]).await;
        check(scalar("SubmissionTime", Gt, text("2026-11-22")), &[0, 1, 2, 3, 4]).await;
        check(scalar("SubmissionTime", Gt, text("2026-11-23")), &[]).await;
        check(scalar("SubmissionTime", Lt, text("2026")), &[]).await;
        check(scalar("SubmissionTime", Neq, text("2026-11")), &[]).await;
        check(scalar("StartExecTime", Neq, text("2026-11")), &[]).await;
        let vector = |operator, values: &[&str]| Filter::Vector {
            parameter: "JobName".into(),
            operator,
            values: values.iter().map(|value| text(value)).collect(),
        };
        check(vector(VectorOperator::In, &["alpha", "delta"]), &[0, 3]).await;
        check(vector(VectorOperator::NotIn, &["alpha", "delta"]), &[1, 2, 4]).await;
        let times = |operator, day: &str| Filter::Vector {
            parameter: "SubmissionTime".into(),
            operator,
            values: vec![text(day), text("2026-11-21")],
        };
        check(times(VectorOperator::In, "2026-11-23"), &[0, 1, 2, 3, 4]).await;
        check(times(VectorOperator::In, "2026-11-22"), &[]).await;
        check(times(VectorOperator::NotIn, "2026-11-23"), &[]).await;
        check(times(VectorOperator::NotIn, "2026-11-22"), &[0, 1, 2, 3, 4]).await;
        check(vector(VectorOperator::In, &[]), &[]).await;
        check(vector(VectorOperator::NotIn, &[]), &[0, 1, 2, 3, 4]).await;
    }

    async fn what_makes_no_sense_is_refused_with_its_name(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let check = async |filter: Filter, expected: &str| {
            let error = jobs.finds("alice", vec![filter]).await.unwrap_err();
            assert_eq!(error.message(), expected);
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
        };
        use ScalarOperator::{Eq, Gt, Like, Regex};
        check(scalar("Colour", Eq, text("blue")), "Unknown column Colour").await;
        check(scalar("JobName", Regex, text("(")), "Invalid regex (").await;
        check(scalar("JobID", Gt, text("1 OR 1=1")), "Cannot order JobID by '1 OR 1=1': it holds numbers").await;
        check(scalar("SubmissionTime", Like, text("2024")), "Operator 'like' is not supported for partial datetime values").await;
        check(scalar("SubmissionTime", Eq, text("2024-02-30")), "Cannot parse value='2024-02-30'").await;
        check(scalar("SubmissionTime", Eq, SearchValue::Int(2024)), "Cannot parse value=2024").await;
        check(scalar("VerifiedFlag", Gt, text("True")), "Operator 'gt' is not supported on VerifiedFlag").await;
        check(scalar("VerifiedFlag", Eq, text("maybe")), "Cannot compare VerifiedFlag with 'maybe': use True or False").await;

        let unknown = jobs.search("alice", |request| request.read_mask = vec!["Colour".into()]).await;
        assert_eq!(unknown.unwrap_err().message(), "Unrecognised parameters requested {'Colour'}");
        let unsorted = jobs
            .search("alice", |request| request.sort = vec![Sort { parameter: "Foo".into(), direction: Direction::Ascending }.into()])
            .await;
        assert_eq!(unsorted.unwrap_err().message(), "Cannot sort by Foo: unknown column");
        let token = jobs.search("alice", |request| request.page_token = "rubbish".into()).await;
        assert_eq!(reason(token), "INVALID_FIELD");
        let negative = jobs.search("alice", |request| request.page_size = -1).await;
        assert_eq!(reason(negative), "INVALID_FIELD");
    }

    async fn a_pattern_finds_the_same_everywhere_or_is_refused(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = five(&jobs).await;
        for (pattern, expected) in [
            ("^(alpha|beta)$", Some(&[0, 1][..])),
            ("(?i)ALPHA", Some(&[0])),
            ("(?P<first>a)l", Some(&[0])),
            ("(?:ph|ps)", Some(&[0, 4])),
            ("[[:alpha:]]{6}", Some(&[4])),
            ("[]a]l", Some(&[0])),
            ("\\bgam", Some(&[2])),
            ("\\Adelta\\z", Some(&[3])),
            ("\\x67\\x{61}m", Some(&[2])),
            ("[^a-z]", Some(&[])),
            ("l+?t", Some(&[3])),
            ("(?s-i:d.l)", Some(&[3])),
            // Of the backends, only SQLite's engine, which is Rust's, knows these.
            ("(?u)a", None),
            ("(?R)a", None),
            ("(?-u)a", None),
            ("(?x) a", None),
            ("\\u0061", None),
            ("\\U00000061", None),
            ("\\u{61}", None),
            ("\\p{Greek}", None),
            ("\\pL", None),
            ("[a--b]", None),
            ("[a&&b]", None),
            ("[a~~b]", None),
            ("[a[bc]]", None),
            ("a**", None),
            ("a*+", None),
            ("^*", None),
            ("\\<a", None),
            ("\\b{start}a", None),
            ("a{,3}", None),
            ("a{70000}", None),
            // Only the others know these.
            ("a(?=l)", None),
            ("(?<!a)l", None),
            ("(a).*\\1", None),
            ("a++", None),
            ("(?>a)", None),
            ("\\Qa\\E", None),
            ("\\K", None),
            ("(?#comment)a", None),
            ("(*UTF8)a", None),
            ("\\h", None),
            ("[[:<:]]a", None),
            ("(?(1)a|b)", None),
            ("\\N{U+61}", None),
            // Nobody does.
            ("(", None),
            ("[b-a]", None),
            ("a{2,1}", None),
            ("\\", None),
        ] {
            let found = jobs.finds("alice", vec![scalar("JobName", ScalarOperator::Regex, text(pattern))]).await;
            match (found, expected) {
                (Ok(found), Some(expected)) => {
                    assert_eq!(found, expected.iter().map(|i| ids[*i]).collect::<Vec<_>>(), "{pattern}");
                }
                (Err(status), None) => {
                    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{pattern}: {status}");
                    assert!(status.message().starts_with(&format!("Invalid regex {pattern}")), "{status}");
                }
                (found, _) => panic!("{pattern}: {found:?}"),
            }
        }
    }

    async fn a_pattern_that_takes_for_ever_is_given_up(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let name = format!("{}!", "a".repeat(120));
        let id = jobs.submit("alice", &[&jdl(&name, "ANY", 1)]).await.unwrap();
        for pattern in ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*)*b"] {
            let begun = std::time::Instant::now();
            match jobs.finds("alice", vec![scalar("JobName", ScalarOperator::Regex, text(pattern))]).await {
                // PCRE gives up after some steps.
                Err(status) => assert_eq!(status.code(), tonic::Code::InvalidArgument, "{pattern}: {status}"),
                Ok(found) => assert!(found.is_empty() || found == id, "{pattern}: {found:?}"),
            }
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{pattern}");
        }
    }

    async fn pilots_that_ran_too_many_jobs_are_told_so(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 3]).await.unwrap();
        jobs.fleet.gives(ids[1], "alpha", "stamp1");
        let of_pilot = || vec![Filter::equals("PilotStamp", "stamp1")];
        assert_eq!(jobs.finds("alice", of_pilot()).await.unwrap(), [ids[1]]);
        for job in 1..=30_001 {
            jobs.fleet.gives(job, "alpha", "stamp1");
        }
        let error = jobs.finds("alice", of_pilot()).await.unwrap_err();
        let sentence = "These pilots ran 30001 jobs, and a search goes through 30000 at the most: name fewer pilots";
        assert_eq!((error.code(), error.message()), (tonic::Code::InvalidArgument, sentence));
        assert_eq!(reason(Err::<(), _>(error)), "INVALID_SEARCH");
    }

    async fn pages_fit_together(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = five(&jobs).await;
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page = jobs
                .search("alice", |request| {
                    request.page_size = 2;
                    request.page_token.clone_from(&token);
                    request.include_total = seen.is_empty();
                })
                .await
                .unwrap();
            assert_eq!(page.total_size, seen.is_empty().then_some(5));
            token.clone_from(&page.next_page_token);
            seen.extend(rows(page).into_iter().map(|row| row[0].parse::<i64>().unwrap()));
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, ids);
        let beyond = jobs.search("alice", |request| request.skip = 5).await.unwrap();
        assert_eq!((beyond.total_size, rows(beyond).len()), (Some(5), 0));
    }

    async fn rows_come_in_the_order_asked_for_and_once_if_asked(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        five(&jobs).await;
        let sorted = jobs
            .search("alice", |request| {
                request.read_mask = vec!["JobName".into(), "Site".into()];
                request.sort = [("Site", Direction::Ascending), ("UserPriority", Direction::Descending)]
                    .map(|(parameter, direction)| Sort { parameter: parameter.into(), direction }.into())
                    .to_vec();
            })
            .await
            .unwrap();
        let names: Vec<_> = rows(sorted).into_iter().map(|row| row[1].clone()).collect();
        assert_eq!(names, ["delta", "gamma", "alpha", "epsilon", "beta"]);
        let distinct = jobs
            .search("alice", |request| {
                request.read_mask = vec!["Site".into()];
                request.distinct = true;
                request.sort = vec![Sort { parameter: "Site".into(), direction: Direction::Ascending }.into()];
            })
            .await
            .unwrap();
        assert_eq!(distinct.total_size, Some(3));
        // Of the rows that are returned as one, the first in the order counts.
        for (direction, expected) in [
            (Direction::Ascending, ["LCG.One.ch", "LCG.Two.fr", "ANY"]),
            (Direction::Descending, ["LCG.Two.fr", "ANY", "LCG.One.ch"]),
        ] {
            let found = jobs
                .search("alice", |request| {
                    request.read_mask = vec!["Site".into()];
                    request.distinct = true;
                    request.sort = vec![Sort { parameter: "UserPriority".into(), direction }.into()];
                })
                .await
                .unwrap();
            assert_eq!(rows(found).concat(), expected, "{direction:?}");
        }
        assert_eq!(rows(distinct), [["ANY"], ["LCG.One.ch"], ["LCG.Two.fr"]]);
    }

    async fn groups_are_counted(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        five(&jobs).await;
        let mut sites = jobs.summarise("alice", &["Site"]).await.unwrap();
        sites.sort();
        assert_eq!(sites, [["ANY", "1"], ["LCG.One.ch", "2"], ["LCG.Two.fr", "2"]]);
        assert_eq!(jobs.summarise("alice", &[]).await.unwrap().len(), 5);
        assert_eq!(
            jobs.summarise("alice", &["Colour"]).await.unwrap_err().message(),
            "Unrecognised parameters requested {'Colour'}"
        );
    }

    async fn people_see_what_their_vo_shows(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let alice = jobs.submit("alice", &[HELLO]).await.unwrap();
        let dave = jobs.submit("dave", &[HELLO]).await.unwrap();
        // bob is of the same VO, which shows its jobs; dave's VO shows everybody their own.
        assert_eq!(jobs.finds("alice", vec![]).await.unwrap(), alice);
        assert_eq!(jobs.finds("bob", vec![]).await.unwrap(), alice);
        assert_eq!(jobs.finds("dave", vec![]).await.unwrap(), dave);
        assert_eq!(jobs.finds("carol", vec![]).await.unwrap(), [alice.clone(), dave.clone()].concat());
        assert_eq!(jobs.summarise("bob", &["VO"]).await.unwrap(), [["alpha", "1"]]);
        assert_eq!(reason(jobs.finds("petra", vec![]).await), "FORBIDDEN");
        assert_eq!(reason(jobs.summarise("petra", &["VO"]).await), "FORBIDDEN");
        // Somebody of the same name in another VO is somebody else.
        execute(&jobs.databases.job_db, "UPDATE Jobs SET Owner = 'dave' WHERE VO = 'alpha'").await;
        assert_eq!(jobs.finds("dave", vec![]).await.unwrap(), dave);
        execute(&jobs.databases.job_db, "UPDATE Jobs SET Owner = 'alice' WHERE VO = 'alpha'").await;
        // Reading is for owners.
        assert_eq!(reason(jobs.descriptions("bob", &alice).await), "FORBIDDEN");
        assert_eq!(reason(jobs.histories("dave", &alice).await), "FORBIDDEN");
        assert!(jobs.descriptions("carol", &alice).await.is_ok());
    }

    async fn components_do_what_their_rpcs_declare(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO]).await.unwrap();
        let search = jobs.component_request("local-executor", pb::SearchJobsRequest::default());
        assert_eq!(rows(jobs.client.clone().search_jobs(search).await.unwrap().into_inner()).len(), ids.len());
        let search = jobs.component_request("auth", pb::SearchJobsRequest::default());
        assert_eq!(reason(jobs.client.clone().search_jobs(search).await), "FORBIDDEN");
        let submit = pb::SubmitJobsRequest { jdls: vec![HELLO.into()], request_id: String::new() };
        let submit = jobs.component_request("local-executor", submit);
        assert_eq!(reason(jobs.client.clone().submit_jobs(submit).await), "FORBIDDEN");
    }

    async fn what_this_version_does_not_serve_says_so(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let request = jobs.component_request("tasks", pb::DeclareStalledJobsRequest::default());
        let error = jobs.client.clone().declare_stalled_jobs(request).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unimplemented);
    }
}
