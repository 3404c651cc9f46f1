//! A server that gives known answers, and a person at a terminal.
#![allow(dead_code, reason = "each test file uses its part")]

mod jobs;

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
    config::v1::{
        GetConfigRequest, GetConfigResponse, GetConfigStatusRequest, GetConfigStatusResponse,
        config_service_server::{ConfigService, ConfigServiceServer},
    },
    jobs::v1::jobs_service_server::JobsServiceServer,
    time,
};
use serde_json::{Value, json};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A server with two VOs, the user alice, and some jobs.
#[derive(Clone, Default)]
pub(crate) struct Server {
    polls: Arc<AtomicUsize>,
    pub(crate) submitted: Arc<Mutex<Vec<String>>>,
    /// The names of the submissions in streams.
    pub(crate) streams: Arc<Mutex<Vec<String>>>,
    /// The jobs of the last report of a status.
    pub(crate) reported: Arc<Mutex<Vec<i64>>>,
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

    async fn get_config_status(
        &self,
        request: Request<GetConfigStatusRequest>,
    ) -> Result<Response<GetConfigStatusResponse>, Status> {
        checked(request)?;
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        Ok(Response::new(GetConfigStatusResponse {
            revision: "abc".to_owned(),
            modified: at(1_577_836_800),
            loaded: at(1_577_836_801),
            checked: at(1_577_836_802),
            last_error: "default.yml of commit abd: line 3, column 1: Tasks: is not a known key here"
                .to_owned(),
            last_error_time: at(1_577_836_803),
            followed_revision: "master".to_owned(),
            stale: false,
            kept: false,
        }))
    }
}

/// A person at a terminal, logged in or not, and the server.
pub(crate) struct Person {
    pub(crate) server: Server,
    pub(crate) address: String,
    pub(crate) directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Person {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn logged_in() -> Self {
        let person = Self::new();
        let credentials =
            json!({"access_token": "access", "refresh_token": "refresh", "expires_on": 99_999_999_999_i64});
        std::fs::write(person.credentials(), credentials.to_string()).unwrap();
        person
    }

    pub(crate) fn credentials(&self) -> std::path::PathBuf {
        self.directory.path().join("credentials.json")
    }

    /// Runs a command; returns exit code, stdout and stderr.
    pub(crate) fn types(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
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

    pub(crate) fn gets_json(&self, arguments: &[&str]) -> Value {
        let (code, stdout, stderr) = self.types(arguments, "");
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}
