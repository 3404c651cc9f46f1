//! Every command against a server that gives known answers, over a real connection.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use diracx_client::proto::{
    auth::v1::{
        self as auth,
        auth_service_server::{AuthService, AuthServiceServer},
    },
    common::v1::filter::Condition,
    config::v1::{
        GetConfigRequest, GetConfigResponse,
        config_service_server::{ConfigService, ConfigServiceServer},
    },
    jobs::v1::{
        JobStatus, SearchJobsRequest, SearchJobsResponse, SubmitJobsRequest, SubmitJobsResponse,
        SubmittedJob, SummariseJobsRequest, SummariseJobsResponse,
        jobs_service_server::{JobsService, JobsServiceServer},
    },
    time,
};
use diracx_core::search::{Cell, SearchValue, Table};
use serde_json::{Value, json};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

const NOW: i64 = 1_800_000_000;

/// A server with two VOs, the user alice, and the jobs 1 to 20.
#[derive(Clone, Default)]
struct Server {
    polls: Arc<AtomicUsize>,
    submitted: Arc<Mutex<Vec<String>>>,
}

fn checked<T>(request: Request<T>) -> Result<T, Status> {
    assert_eq!(request.metadata().get("diracx-client-version").unwrap(), env!("CARGO_PKG_VERSION"));
    match request.metadata().get("authorization") {
        Some(token) if token == "Bearer access" => Ok(request.into_inner()),
        _ => Err(Status::unauthenticated("Authorization header is missing")),
    }
}

#[tonic::async_trait]
impl AuthService for Server {
    async fn get_installation_metadata(
        &self,
        _: Request<auth::GetInstallationMetadataRequest>,
    ) -> Result<Response<auth::GetInstallationMetadataResponse>, Status> {
        let vo = |name: &str| auth::VirtualOrganization { name: name.to_owned(), ..Default::default() };
        let virtual_organizations = vec![vo("lhcb"), vo("belle")];
        Ok(Response::new(auth::GetInstallationMetadataResponse { virtual_organizations }))
    }

    async fn initiate_device_flow(
        &self,
        request: Request<auth::InitiateDeviceFlowRequest>,
    ) -> Result<Response<auth::InitiateDeviceFlowResponse>, Status> {
        assert_eq!(request.into_inner().scope, "vo:lhcb group:lhcb_user property:GenericPilot");
        Ok(Response::new(auth::InitiateDeviceFlowResponse {
            user_code: "BCDFGHJK".to_owned(),
            device_code: "device".to_owned(),
            expires_in: Some(time::seconds(600)),
            verification_path: "/api/auth/device".to_owned(),
        }))
    }

    async fn get_token(
        &self,
        _: Request<auth::GetTokenRequest>,
    ) -> Result<Response<auth::GetTokenResponse>, Status> {
        if self.polls.fetch_add(1, Ordering::SeqCst) == 0 {
            use tonic_types::{ErrorDetails, StatusExt as _};
            let details = ErrorDetails::with_error_info("AUTHORIZATION_PENDING", "diracx", []);
            return Err(Status::with_error_details(
                tonic::Code::FailedPrecondition,
                "authorization_pending",
                details,
            ));
        }
        Ok(Response::new(auth::GetTokenResponse {
            access_token: "access".to_owned(),
            expires_in: Some(time::seconds(1200)),
            token_type: "Bearer".to_owned(),
            refresh_token: "refresh".to_owned(),
        }))
    }

    async fn get_user_info(
        &self,
        request: Request<auth::GetUserInfoRequest>,
    ) -> Result<Response<auth::GetUserInfoResponse>, Status> {
        checked(request)?;
        Ok(Response::new(auth::GetUserInfoResponse {
            sub: "lhcb:1".to_owned(),
            vo: "lhcb".to_owned(),
            dirac_group: "lhcb_user".to_owned(),
            properties: vec!["NormalUser".to_owned()],
            preferred_username: "alice".to_owned(),
            policies: [("wms".to_owned(), r#"{"a":1}"#.to_owned())].into(),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<auth::RevokeTokenRequest>,
    ) -> Result<Response<auth::RevokeTokenResponse>, Status> {
        assert_eq!(request.into_inner().token, "refresh");
        Ok(Response::new(auth::RevokeTokenResponse {}))
    }
}

#[tonic::async_trait]
impl ConfigService for Server {
    async fn get_config(
        &self,
        request: Request<GetConfigRequest>,
    ) -> Result<Response<GetConfigResponse>, Status> {
        checked(request)?;
        let document = r#"{"Registry":{"lhcb":{}},"DIRAC":{"NoSetup":false}}"#.to_owned();
        Ok(Response::new(GetConfigResponse { document, ..Default::default() }))
    }
}

#[tonic::async_trait]
impl JobsService for Server {
    async fn submit_jobs(
        &self,
        request: Request<SubmitJobsRequest>,
    ) -> Result<Response<SubmitJobsResponse>, Status> {
        let request = checked(request)?;
        assert!(!request.request_id.is_empty());
        let jobs = (1..).zip(&request.jdls).map(|(job_id, _)| SubmittedJob {
            job_id,
            status: JobStatus::Received.into(),
            minor_status: "Job accepted".to_owned(),
            submission_time: Some(prost_types_timestamp()),
        });
        let jobs = jobs.collect();
        *self.submitted.lock().unwrap() = request.jdls;
        Ok(Response::new(SubmitJobsResponse { jobs }))
    }

    /// Knows the jobs 1 to 20 and the conditions `JobID in`.
    async fn search_jobs(
        &self,
        request: Request<SearchJobsRequest>,
    ) -> Result<Response<SearchJobsResponse>, Status> {
        let request = checked(request)?;
        let mut ids: Vec<i64> = (1..=20).collect();
        for filter in request.search.unwrap_or_default().filters {
            if let Some(Condition::Vector(vector)) = filter.condition {
                let wanted: Vec<SearchValue> =
                    vector.values.into_iter().map(|value| value.try_into().unwrap()).collect();
                ids.retain(|id| wanted.contains(&SearchValue::Int(*id)));
            }
        }
        let total_size = i64::try_from(ids.len()).ok();
        let skip = usize::try_from(request.skip).unwrap();
        let page = ids.into_iter().skip(skip).take(usize::try_from(request.page_size).unwrap());
        let rows = page.map(|id| vec![Cell::Int(id), Cell::Text("Done".to_owned())]).collect();
        let table = Table { columns: vec!["JobID".to_owned(), "Status".to_owned()], rows, total: 0 };
        Ok(Response::new(SearchJobsResponse { table: Some(table.into()), total_size, ..Default::default() }))
    }

    async fn summarise_jobs(
        &self,
        request: Request<SummariseJobsRequest>,
    ) -> Result<Response<SummariseJobsResponse>, Status> {
        assert_eq!(checked(request)?.grouping, ["Status"]);
        let rows = vec![vec![Cell::Text("Done".to_owned()), Cell::Int(20)]];
        let table = Table { columns: vec!["Status".to_owned(), "count".to_owned()], rows, total: 0 };
        Ok(Response::new(SummariseJobsResponse { table: Some(table.into()) }))
    }
}

fn prost_types_timestamp() -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: NOW, nanos: 0 }
}

/// A person at a terminal, logged in or not, and the server.
struct Person {
    server: Server,
    address: String,
    directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Person {
    fn new() -> Self {
        let server = Server::default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let incoming = {
            let _entered = runtime.enter();
            TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap()
        };
        let address = format!("http://{}", incoming.local_addr().unwrap());
        let router = tonic::transport::Server::builder()
            .add_service(AuthServiceServer::new(server.clone()))
            .add_service(ConfigServiceServer::new(server.clone()))
            .add_service(JobsServiceServer::new(server.clone()));
        runtime.spawn(router.serve_with_incoming(incoming));
        Self { server, address, directory: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    fn logged_in() -> Self {
        let person = Self::new();
        let credentials =
            json!({"access_token": "access", "refresh_token": "refresh", "expires_on": 99_999_999_999_i64});
        std::fs::write(person.credentials(), credentials.to_string()).unwrap();
        person
    }

    fn credentials(&self) -> std::path::PathBuf {
        self.directory.path().join("credentials.json")
    }

    /// Runs a command; returns exit code, stdout and stderr.
    fn types(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dirac"))
            .args(arguments)
            .env("DIRACX_URL", &self.address)
            .env("DIRACX_CREDENTIALS_PATH", self.credentials())
            .env_remove("DIRACX_OUTPUT_FORMAT")
            .env_remove("DIRACX_CA_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn gets_json(&self, arguments: &[&str]) -> Value {
        let (code, stdout, stderr) = self.types(arguments, "");
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

#[test]
fn a_login_shows_where_to_go_waits_and_keeps_the_tokens() {
    let person = Person::new();
    let login = ["login", "lhcb", "--group", "lhcb_user", "--property", "GenericPilot", "--output", "table"];
    let (code, stdout, stderr) = person.types(&login, "");
    assert_eq!(code, 0, "{stderr}");
    let go_to = format!("Now go to: {}/api/auth/device?user_code=BCDFGHJK", person.address);
    assert!(stdout.lines().any(|line| line == go_to), "{stdout}");
    assert!(stdout.ends_with("Login successful!\n"), "{stdout}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(person.credentials()).unwrap()).unwrap();
    assert_eq!((&kept["access_token"], &kept["refresh_token"]), (&json!("access"), &json!("refresh")));
    assert_eq!(person.gets_json(&["whoami"])["preferred_username"], "alice");
}

#[test]
fn a_login_whose_tokens_could_not_be_kept_does_not_begin() {
    let person = Person::new();
    // A directory stands where the file should be.
    std::fs::create_dir_all(person.credentials()).unwrap();
    let (code, stdout, stderr) = person.types(&["login", "lhcb"], "");
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    assert!(stderr.contains("cannot use the credentials file") && stderr.contains("directory"), "{stderr}");
    assert!(stderr.contains("DIRACX_CREDENTIALS_PATH"), "{stderr}");
}

#[test]
fn a_vo_that_is_not_there_is_a_wrong_command_that_names_the_others() {
    let person = Person::new();
    for (arguments, words) in [
        (&["login", "atlas"][..], "Unknown VO atlas, available options are: lhcb belle"),
        (&["login"], "VO must be specified, available options are: lhcb belle"),
    ] {
        let (code, stdout, stderr) = person.types(arguments, "");
        assert_eq!((code, &*stdout), (2, ""));
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[test]
fn whoever_is_not_logged_in_is_told_how_to() {
    let (code, stdout, stderr) = Person::new().types(&["jobs", "search"], "");
    assert_eq!((code, &*stdout), (3, ""));
    assert!(stderr.contains("dirac login"), "{stderr}");
}

#[test]
fn whoami_tells_what_the_server_reads_from_the_token() {
    let expected = json!({
        "sub": "lhcb:1", "vo": "lhcb", "dirac_group": "lhcb_user", "policies": {"wms": {"a": 1}},
        "properties": ["NormalUser"], "preferred_username": "alice",
    });
    assert_eq!(Person::logged_in().gets_json(&["whoami"]), expected);
}

#[test]
fn the_configuration_comes_in_its_own_order() {
    let (code, stdout, _) = Person::logged_in().types(&["config", "dump"], "");
    assert_eq!(code, 0);
    assert!(stdout.find("Registry").unwrap() < stdout.find("NoSetup").unwrap(), "{stdout}");
}

#[test]
fn what_submit_prints_status_reads() {
    let person = Person::logged_in();
    let file = person.directory.path().join("a.jdl");
    std::fs::write(&file, "Executable = \"a\";").unwrap();
    let submit = ["jobs", "submit", file.to_str().unwrap(), "-"];
    let (code, jobs, stderr) = person.types(&submit, "Executable = \"b\";");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(*person.server.submitted.lock().unwrap(), ["Executable = \"a\";", "Executable = \"b\";"]);
    let first = json!({"JobID": 1, "Status": "Received", "MinorStatus": "Job accepted", "TimeStamp": "2027-01-15T08:00:00Z"});
    assert_eq!(serde_json::from_str::<Value>(&jobs).unwrap()[0], first);

    let (code, status, stderr) = person.types(&["jobs", "status", "-"], &jobs);
    assert_eq!(code, 0, "{stderr}");
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status, json!([{"JobID": 1, "Status": "Done"}, {"JobID": 2, "Status": "Done"}]));

    let (_, text, _) = person.types(&["-o", "table", "jobs", "submit", "-"], "");
    assert_eq!(text, "Inserted 1 jobs with ids: 1\n");
}

#[test]
fn a_job_that_is_not_there_makes_status_fail_after_it_showed_the_others() {
    let (code, stdout, stderr) = Person::logged_in().types(&["jobs", "status", "3", "77"], "");
    assert_eq!(code, 1);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), json!([{"JobID": 3, "Status": "Done"}]));
    assert!(stderr.contains("job 77"), "{stderr}");
}

#[test]
fn a_search_shows_a_page_and_says_which() {
    let person = Person::logged_in();
    let rows = person.gets_json(&["jobs", "search", "--page", "2", "--per-page", "3"]);
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(rows[0]["JobID"], 4);
    let (_, stdout, stderr) = person.types(&["jobs", "search", "--output", "table"], "");
    assert!(stdout.contains("JobID") && stdout.contains("Done"), "{stdout}");
    assert_eq!(stderr, "Showing 1-10 of 20 jobs\n");
    let far = person.types(&["jobs", "search", "--page", "9"], "");
    assert_eq!((far.0, &*far.1), (0, "[]\n"));
}

#[test]
fn a_summary_counts_by_status() {
    let counts = Person::logged_in().gets_json(&["jobs", "summary"]);
    assert_eq!(counts, json!([{"Status": "Done", "count": 20}]));
}

#[test]
fn a_logout_gives_the_login_back() {
    let person = Person::logged_in();
    let answer = person.gets_json(&["logout"]);
    assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(true)));
    assert!(!person.credentials().exists());
}
