//! Databases that DIRAC or DiracX made, with jobs in them, are adopted as they are and served.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use diracx_proto::jobs::v1::{
    GetJobDescriptionsRequest, GetJobParametersRequest, JobAttributes, JobMetadataPatch, JobParameter,
    PatchJobMetadataRequest, RemoveJobsRequest, job_description_outcome::Result as Described,
    job_parameter::Value as Parameter, job_parameters_outcome::Result as Parameters,
    jobs_service_client::JobsServiceClient,
};
use diracx_proto::rss::v1::{self as rss, resource_status_service_client::ResourceStatusServiceClient};
use diracx_tests::{
    http::{Answer, form, send},
    mesh::{Database, Form, Mesh, Store},
};
use serde_json::{Value, json};
use tonic::{Request, transport::Channel};

const DATABASES: [&str; 6] =
    ["JobDB", "JobLoggingDB", "TaskQueueDB", "SandboxMetadataDB", "ResourceStatusDB", "PilotAgentsDB"];

/// The database of logins, which DIRAC has not: its own of that name is another one.
const LOGINS: &str = "AuthDB";

/// The columns, keys, references and triggers, a line each, each with its table in front.
const DEFINITIONS: [&str; 5] = [
    "SELECT CONCAT_WS('|', TABLE_NAME, ENGINE, TABLE_COLLATION) AS text FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE()",
    "SELECT CONCAT_WS('|', TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, IFNULL(COLUMN_DEFAULT, 'no default'), IS_NULLABLE, \
     COLUMN_TYPE, IFNULL(COLLATION_NAME, ''), COLUMN_KEY, EXTRA) AS text FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE()",
    "SELECT CONCAT_WS('|', TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE) AS text \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()",
    "SELECT CONCAT_WS('|', TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE) AS text \
     FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()",
    "SELECT CONCAT_WS('|', EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_STATEMENT) AS text \
     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
];

/// For each table, the statement that gives its rows as text.
const ROWS: &str = "SELECT CONCAT('SELECT CONCAT_WS(''|'', ''', TABLE_NAME, ''', ', \
     GROUP_CONCAT(CONCAT('QUOTE(`', COLUMN_NAME, '`)') ORDER BY ORDINAL_POSITION), ') AS text FROM `', TABLE_NAME, '`') \
     AS text FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() GROUP BY TABLE_NAME";

/// What the tables of both files have in common.
const JOBS: [i64; 7] = [101, 102, 103, 104, 105, 106, 107];
/// A number that DIRAC's columns hold and DiracX's do not.
const BEYOND_SIGNED: i64 = 3_000_000_001;

struct Installation {
    mesh: Mesh,
    jobs: Vec<i64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_diracx_is_adopted_and_served_on_mariadb() {
    adopt_and_serve("diracx", JOBS.to_vec()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_dirac_is_adopted_and_served_on_mariadb() {
    adopt_and_serve("dirac", [&JOBS[..], &[BEYOND_SIGNED]].concat()).await;
}

async fn adopt_and_serve(made_by: &str, jobs: Vec<i64>) {
    let database = Database::create(Store::MariaDb);
    let logins = (made_by == "diracx").then_some(LOGINS);
    for name in DATABASES.into_iter().chain(logins) {
        database.load(&format!("installations/{made_by}.sql"), name).await.expect("tables");
    }
    let before = everything(&database).await;
    // nothing is too old to be kept
    let retention = ("DIRACX_SERVICE_AUTH_REFRESH_TOKEN_RETENTION_MONTHS".to_owned(), "1200".to_owned());
    let mesh = Mesh::start_on(Form::Standalone, database, &[retention]).await.expect("a mesh");
    let after = everything(&mesh.database).await;
    for (table, lines) in &before {
        assert_eq!(after.get(table), Some(lines), "{table} is not what it was");
    }

    let installation = Installation { mesh, jobs };
    installation.every_job_is_found().await;
    installation.jobs_are_counted().await;
    installation.histories_are_complete().await;
    installation.descriptions_are_read().await;
    installation.statuses_move().await;
    installation.parameters_are_read_and_metadata_patched().await;
    installation.a_kill_joins_the_commands_of_others().await;
    installation.a_killed_job_leaves_its_task_queue().await;
    installation.jobs_say_that_they_are_alive().await;
    installation.a_job_begins_anew().await;
    installation.sandboxes_are_listed_and_assigned().await;
    installation.a_job_is_removed_with_all_that_belongs_to_it().await;
    installation.submissions_continue_the_numbers().await;
    installation.resource_statuses_are_told_and_set().await;
    installation.pilots_are_found_with_their_jobs_and_change(made_by).await;
    if logins.is_some() {
        installation.logins_and_sessions_go_on().await;
    }
    let complaints = installation.mesh.complaints();
    assert!(!complaints.contains(r#""level":"ERROR""#), "{complaints}");
}

/// Tables, by database and name, with all that is defined and stored there.
async fn everything(database: &Database) -> BTreeMap<String, BTreeSet<String>> {
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in DATABASES.into_iter().chain([LOGINS]) {
        let mut queries: Vec<String> = DEFINITIONS.map(str::to_owned).to_vec();
        queries.extend(database.texts(name, ROWS).await.expect("statements"));
        for query in queries {
            for line in database.texts(name, &query).await.expect("lines") {
                let table = line.split('|').next().unwrap_or_default().to_owned();
                tables.entry(format!("{name}.{table}")).or_default().insert(line);
            }
        }
    }
    tables
}

impl Installation {
    async fn pilots_are_found_with_their_jobs_and_change(&self, made_by: &str) {
        let stamps = async |who: &str, body: Value| -> Vec<String> {
            let found = self.ask(who, "POST", "/api/pilots/search", body).await.json().expect("rows");
            let rows = found.as_array().expect("rows");
            rows.iter().map(|row| row["PilotStamp"].as_str().expect("a stamp").to_owned()).collect()
        };
        assert_eq!(stamps("normal_user", json!({})).await, ["one", "twice", "twice"]);
        let all =
            stamps("service_admin", json!({"sort": [{"parameter": "PilotID", "direction": "asc"}]})).await;
        let old: &[&str] = if made_by == "dirac" { &["zero"] } else { &[] };
        assert_eq!(all, [&["one", "twice", "twice", "ONE"][..], old].concat());
        let of_job = json!({"search": [{"parameter": "JobID", "operator": "eq", "value": "101"}]});
        assert_eq!(stamps("normal_user", of_job).await, ["one"]);
        let of_pilot = json!({"search": [{"parameter": "PilotStamp", "operator": "eq", "value": "one"}]});
        let jobs = self.ask("admin", "POST", "/api/jobs/search", of_pilot).await.json().expect("rows");
        assert_eq!(jobs.as_array().map(Vec::len), Some(1), "{jobs}");
        self.ask("service_admin", "PATCH", "/api/pilots/metadata", json!({"ONE": {"Status": "Waiting"}}))
            .await;
        self.ask("service_admin", "POST", "/api/pilots/", json!({"pilot_stamp": "new", "vo": "alpha"})).await;
        let counted = json!({"grouping": ["VO", "Status"]});
        let counted =
            self.ask("service_admin", "POST", "/api/pilots/summary", counted).await.json().expect("rows");
        let waiting = json!({"VO": "beta", "Status": "Waiting", "count": 1});
        assert!(counted.as_array().is_some_and(|rows| rows.contains(&waiting)), "{counted}");
    }

    async fn ask(&self, who: &str, method: &str, path: &str, body: Value) -> Answer {
        let answer = self.mesh.request(who, method, path, Some(body.to_string())).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        answer
    }

    async fn jobs_service(&self) -> JobsServiceClient<Channel> {
        let channel = Channel::from_shared(self.mesh.base.clone()).expect("a URI");
        JobsServiceClient::new(channel.connect().await.expect("a server"))
    }

    fn as_administrator<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = format!("Bearer {}", self.mesh.tokens["admin"]);
        request.metadata_mut().insert("authorization", token.parse().expect("a token"));
        request
    }

    /// The row of a job.
    async fn job(&self, job: i64, parameters: Value) -> Value {
        let search = json!([{"parameter": "JobID", "operator": "eq", "value": job}]);
        let body = json!({"search": search, "parameters": parameters});
        let rows = self.ask("admin", "POST", "/api/jobs/search", body).await.json().expect("rows");
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{job}: {rows}");
        rows[0].clone()
    }

    async fn resource_statuses_are_told_and_set(&self) {
        let storage = self.ask("normal_user", "GET", "/api/rss/storage", Value::Null).await;
        assert_eq!(
            storage.json().expect("an object")["SE-ONE"]["write"],
            json!({"allowed": false, "reason": "full"})
        );
        assert_eq!(storage.header("etag").as_deref(), Some("2024-02-28T11:00:00+00:00-4-alpha"));
        let site = rss::StatusKey {
            element_type: rss::ElementType::Site.into(),
            name: "LCG.Two.fr".into(),
            ..Default::default()
        };
        let status = rss::ElementStatusValue::Active.into();
        let update = rss::ElementStatusUpdate { key: Some(site.clone()), status, ..Default::default() };
        let channel = Channel::from_shared(self.mesh.base.clone()).expect("a URI");
        let mut client = ResourceStatusServiceClient::new(channel.connect().await.expect("a server"));
        let mut request = Request::new(rss::SetElementStatusesRequest { updates: vec![update] });
        let token = format!("Bearer {}", self.mesh.tokens["service_admin"]);
        request.metadata_mut().insert("authorization", token.parse().expect("a token"));
        client.set_element_statuses(request).await.expect("set");
        let sites =
            self.ask("normal_user", "GET", "/api/rss/site", Value::Null).await.json().expect("an object");
        assert_eq!(sites["LCG.Two.fr"]["all"], json!({"allowed": true, "warnings": null}));
        let past = rss::GetElementHistoryRequest { key: Some(site), ..Default::default() };
        let past =
            client.get_element_history(self.as_administrator(past)).await.expect("a past").into_inner();
        let past: Vec<_> = past.statuses.into_iter().map(|status| status.status_name).collect();
        assert_eq!(past, ["Active", "Banned", "Active"]);
    }

    /// A device and a program that were about to fetch their tokens get them; a session goes on, a revoked token stays
    /// revoked, and whoever uses it closes all sessions of its user.
    async fn logins_and_sessions_go_on(&self) {
        const CLIENT: (&str, &str) = ("client_id", "myDIRACClientID");
        const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
        let ask = async |grant: &[(&str, &str)]| {
            let kind = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
            let body = form(grant.iter().copied().chain([CLIENT])).into_bytes();
            let url = format!("{}/api/auth/token", self.mesh.base);
            send("POST", &url, &kind, Some(body)).await.expect("an answer")
        };
        let refresh = async |jti: &str| {
            let exp = diracx_core::Clock::now(&diracx_core::SystemClock).timestamp() + 600;
            let claims = json!({"jti": jti, "exp": exp, "dirac_policies": {}, "legacy_exchange": false});
            let token = self.mesh.key.sign(&claims);
            ask(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).await.status
        };
        let device = ask(&[("grant_type", DEVICE_CODE), ("device_code", "a device code")]).await;
        assert_eq!(device.status, 200, "{device:?}");
        let program = ask(&[
            ("grant_type", "authorization_code"),
            ("code", "an authorization code"),
            // the example of RFC 7636
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            ("redirect_uri", "http://diracx.test.invalid:8000/api/docs/oauth2-redirect"),
        ])
        .await;
        assert_eq!(program.status, 200, "{program:?}");
        assert_eq!(refresh("019c167f-cc00-7000-8000-000000000001").await, 200, "of alice");
        assert_eq!(refresh("019b76da-8800-7000-8000-000000000001").await, 401, "of bob, revoked");
        assert_eq!(refresh("019ca6b1-dc00-7000-8000-000000000001").await, 401, "of bob, closed with it");
        let live = "SELECT CONCAT_WS('|', Sub, COUNT(*)) AS text FROM RefreshTokens WHERE Status = 'CREATED' GROUP BY Sub";
        let live = self.mesh.database.texts(LOGINS, live).await.expect("tokens");
        assert_eq!(live, ["alpha:11111111-aaaa-4aaa-8aaa-000000000001|3"], "alice's three sessions");
    }

    async fn every_job_is_found(&self) {
        let rows = self.ask("admin", "POST", "/api/jobs/search", json!({})).await.json().expect("rows");
        let found: Vec<i64> =
            rows.as_array().into_iter().flatten().filter_map(|row| row["JobID"].as_i64()).collect();
        assert_eq!(found, self.jobs);
        let first = &rows[0];
        assert_eq!(first["Status"], "Running", "{first}");
        assert_eq!(first["VerifiedFlag"], true, "{first}");
        assert_eq!(first["AccountedFlag"], "Failed", "{first}");
        // DIRAC's column may be empty, and DiracX shows it so.
        let expected = if self.jobs.contains(&BEYOND_SIGNED) { Value::Null } else { json!("Unknown") };
        assert_eq!(first["ApplicationStatus"], expected, "{first}");
        assert_eq!(first["SubmissionTime"], "2024-02-28T11:00:00Z", "{first}");
        assert_eq!(rows[1]["Status"], "Scouting", "{rows}");
        assert_eq!(rows[5]["Status"], "Limbo", "{rows}");
        let mine =
            self.ask("normal_user", "POST", "/api/jobs/search", json!({"parameters": ["JobID"]})).await;
        assert!(!mine.text.contains("107"), "a job of another VO is shown: {}", mine.text);
    }

    async fn jobs_are_counted(&self) {
        let body = json!({"grouping": ["Status", "ApplicationStatus", "VerifiedFlag"]});
        let groups = self.ask("admin", "POST", "/api/jobs/summary", body).await.json().expect("groups");
        let count: i64 =
            groups.as_array().into_iter().flatten().filter_map(|group| group["count"].as_i64()).sum();
        assert_eq!(count, i64::try_from(self.jobs.len()).expect("a number"), "{groups}");
    }

    async fn histories_are_complete(&self) {
        let history =
            async |job| self.job(job, json!(["LoggingInfo", "Status"])).await["LoggingInfo"].clone();
        let scouted = history(102).await;
        assert_eq!(scouted[1]["Status"], "Scouting", "{scouted}");
        assert_eq!(scouted[1]["MinorStatus"], "Job accepted", "{scouted}");
        let without_beginning = history(105).await;
        assert_eq!(without_beginning[0]["Status"], "Unknown", "{without_beginning}");
        assert_eq!(without_beginning[1]["StatusTime"], "2024-02-28T12:00:00Z", "{without_beginning}");
        assert_eq!(history(106).await, json!([]));
    }

    async fn descriptions_are_read(&self) {
        let request = self.as_administrator(GetJobDescriptionsRequest { job_ids: self.jobs.clone() });
        let answer = self.jobs_service().await.get_job_descriptions(request).await.expect("descriptions");
        let outcomes = answer.into_inner().outcomes;
        let ids: Vec<i64> = outcomes.iter().map(|outcome| outcome.job_id).collect();
        assert_eq!(ids, self.jobs);
        for outcome in outcomes {
            let Some(Described::Description(description)) = &outcome.result else { panic!("{outcome:?}") };
            assert!(description.original_jdl.contains("from before"), "{outcome:?}");
        }
    }

    async fn statuses_move(&self) {
        let last = self.jobs.last().expect("a job");
        for (job, asked, reached) in [
            (&101, "Done", "Done"),
            (&102, "Checking", "Checking"),
            (&103, "Matched", "Matched"),
            (&105, "Running", "Done"),
            (&106, "Failed", "Failed"),
            (last, "Deleted", "Deleted"),
        ] {
            let update = json!({"Status": asked, "ApplicationStatus": "after", "Source": "Test"});
            let body = json!({ job.to_string(): { now(): update } });
            let answer = self.ask("admin", "PATCH", "/api/jobs/status", body).await;
            assert_eq!(
                answer.json().expect("JSON")["success"][job.to_string()]["Status"],
                reached,
                "{}",
                answer.text
            );
            let row = self.job(*job, json!(["Status", "ApplicationStatus", "LoggingInfo"])).await;
            assert_eq!(
                (&row["Status"], &row["ApplicationStatus"]),
                (&json!(reached), &json!("after")),
                "{row}"
            );
            let newest = row["LoggingInfo"].as_array().and_then(|records| records.last()).expect("a record");
            assert_eq!(newest["Status"], reached, "{row}");
        }
        let numbers =
            "SELECT COUNT(*) - MAX(SeqNum) + MIN(SeqNum) - 1 AS number FROM LoggingInfo GROUP BY JobID";
        let gaps = self.mesh.database.numbers("JobLoggingDB", numbers).await.expect("numbers");
        assert!(gaps.iter().all(|gap| *gap == 0), "records are not numbered one by one: {gaps:?}");
    }

    async fn parameters_are_read_and_metadata_patched(&self) {
        let last = *self.jobs.last().expect("a job");
        let text = |text: &str| Some(Parameter::StringValue(text.to_owned()));
        let patch = |job_id| JobMetadataPatch {
            job_id,
            attributes: Some(JobAttributes {
                job_name: Some("after".to_owned()),
                ..JobAttributes::default()
            }),
            parameters: vec![JobParameter { name: "HostName".to_owned(), value: text("after.invalid") }],
        };
        let patches = vec![patch(103), patch(last)];
        let request = self.as_administrator(PatchJobMetadataRequest { patches });
        self.jobs_service().await.patch_job_metadata(request).await.expect("outcomes");
        assert_eq!(self.job(last, json!(["JobName"])).await["JobName"], "after");

        let request =
            self.as_administrator(GetJobParametersRequest { job_ids: vec![103, last], names: vec![] });
        let answer = self.jobs_service().await.get_job_parameters(request).await.expect("parameters");
        let outcomes = answer.into_inner().outcomes;
        let [Some(Parameters::Parameters(of_103)), Some(Parameters::Parameters(of_last))] =
            [&outcomes[0].result, &outcomes[1].result]
        else {
            panic!("{outcomes:?}")
        };
        let names =
            |of: &[JobParameter]| of.iter().map(|parameter| parameter.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&of_103.parameters), ["CPU(MHz)", "HostName"], "{of_103:?}");
        assert_eq!(names(&of_last.parameters), ["HostName"], "{of_last:?}");
        assert_eq!(of_103.parameters[1].value, text("after.invalid"));
    }

    async fn a_kill_joins_the_commands_of_others(&self) {
        let body = json!({ "104": { now(): {"Status": "Killed"} } });
        self.ask("normal_user", "PATCH", "/api/jobs/status", body).await;
        let query = "SELECT CONCAT_WS('|', Command, Arguments, Status) AS text FROM JobCommands WHERE JobID = 104 \
                     ORDER BY ReceptionTime";
        let commands = self.mesh.database.texts("JobDB", query).await.expect("commands");
        assert_eq!(commands, ["Kill||Sent", "Peek|std.out|Received", "Kill||Received"]);
    }

    /// The queue is empty then, and goes with all that belongs to it.
    async fn a_killed_job_leaves_its_task_queue(&self) {
        let body = json!({ "103": { now(): {"Status": "Killed"} } });
        self.ask("normal_user", "PATCH", "/api/jobs/status", body).await;
        for table in ["tq_Jobs", "tq_TQToSites", "tq_TQToJobTypes"] {
            let query = format!("SELECT COUNT(*) AS number FROM {table}");
            assert_eq!(
                self.mesh.database.numbers("TaskQueueDB", &query).await.expect("a count"),
                [0],
                "{table}"
            );
        }
        let queues = "SELECT CAST(TQId AS SIGNED) AS number FROM tq_TaskQueues";
        assert_eq!(self.mesh.database.numbers("TaskQueueDB", queues).await.expect("queues"), [12]);
    }

    async fn jobs_say_that_they_are_alive(&self) {
        let body = json!({ "104": {"LoadAverage": 2.5, "StandardOutput": "still there"} });
        let answer = self.ask("admin", "PATCH", "/api/jobs/heartbeat", body).await;
        assert!(answer.text.contains("Kill"), "{}", answer.text);
        let query = "SELECT COUNT(*) AS number FROM HeartBeatLoggingInfo WHERE JobID = 104 AND Name = 'LoadAverage' \
                     AND Value = '2.5'";
        assert_eq!(self.mesh.database.numbers("JobDB", query).await.expect("a count"), [1]);
    }

    async fn a_job_begins_anew(&self) {
        self.ask("admin", "POST", "/api/jobs/reschedule", json!({"job_ids": [101]})).await;
        let row = self.job(101, json!(["Status", "MinorStatus", "RescheduleCounter"])).await;
        let shown = (&row["Status"], &row["MinorStatus"], &row["RescheduleCounter"]);
        assert_eq!(shown, (&json!("Received"), &json!("Job Rescheduled"), &json!(1)), "{row}");
    }

    async fn sandboxes_are_listed_and_assigned(&self) {
        let list = async |path: &str| {
            let answer = self.mesh.request("normal_user", "GET", path, None).await.expect("an answer");
            answer.json().expect("JSON")
        };
        let inputs = list("/api/jobs/103/sandbox/input").await;
        let pfn = inputs[0].as_str().expect("a sandbox");
        assert!(pfn.contains("/S3/sandboxes/alpha/alpha_user/alice/"), "{inputs}");
        self.ask("normal_user", "PATCH", "/api/jobs/103/sandbox/output", json!(pfn)).await;
        assert_eq!(list("/api/jobs/103/sandbox/output").await, inputs);
    }

    async fn a_job_is_removed_with_all_that_belongs_to_it(&self) {
        let request = self.as_administrator(RemoveJobsRequest { job_ids: vec![104] });
        self.jobs_service().await.remove_jobs(request).await.expect("outcomes");
        let database = &self.mesh.database;
        let tables = [
            ("JobDB", "Jobs"),
            ("JobDB", "JobJDLs"),
            ("JobDB", "JobCommands"),
            ("JobDB", "HeartBeatLoggingInfo"),
            ("JobLoggingDB", "LoggingInfo"),
        ];
        for (name, table) in tables {
            let query = format!("SELECT COUNT(*) AS number FROM {table} WHERE JobID = 104");
            assert_eq!(database.numbers(name, &query).await.expect("a count"), [0], "{table}");
        }
        let mapped = "SELECT COUNT(*) AS number FROM sb_EntityMapping WHERE EntityId = 'Job:104'";
        assert_eq!(database.numbers("SandboxMetadataDB", mapped).await.expect("a count"), [0]);
    }

    async fn submissions_continue_the_numbers(&self) {
        let jdls = json!(vec!["Executable = \"/bin/true\"; InputData = {\"/alpha/a\", \"/alpha/b\"};"; 3]);
        let jobs = self.ask("normal_user", "POST", "/api/jobs/jdl", jdls).await.json().expect("jobs");
        let last = self.jobs.last().expect("a job");
        for (job, expected) in jobs.as_array().expect("jobs").iter().zip(last + 1..) {
            assert_eq!(job["JobID"], expected, "{jobs}");
            let row = self.job(expected, json!(["Owner", "RescheduleCounter", "LoggingInfo"])).await;
            assert_eq!(
                (&row["Owner"], &row["LoggingInfo"][0]["Status"]),
                (&json!("alice"), &json!("Received")),
                "{row}"
            );
        }
    }
}

fn now() -> String {
    diracx_core::Clock::now(&diracx_core::SystemClock).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
