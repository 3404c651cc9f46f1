//! For every rpc that is served, a request that nothing is wrong with, so that only access decides.
//!
//! What a request names (a job, a login, a refresh token) is alice's, and made for this one call: a call
//! that succeeds may use it up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use diracx_proto::{
    auth::v1::{self as auth, auth_service_client::AuthServiceClient, get_token_request::Grant},
    config::v1 as config,
    jobs::v1::{
        self as jobs, jobs_service_client::JobsServiceClient,
        sandboxes_service_client::SandboxesServiceClient, upload_sandbox_request::Piece,
    },
    pilots::v1 as pilots,
    rss::v1 as rss,
    time::timestamp,
};
use diracx_tests::http::send;
use prost::Message;
use tonic::Code;

use crate::world::{REDIRECT, STAMP, World};

const CLIENT: &str = "myDIRACClientID";
const SCOPE: &str = "vo:alpha group:alpha_user";
const CALLBACK: &str = "http://127.0.0.1:8000/api/auth/device/complete";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-in-length";
const HELLO: &str = r#"Executable = "/bin/echo";"#;

/// A request, ready to be sent.
pub(crate) struct Prepared {
    pub(crate) message: Vec<u8>,
    /// The credential is part of the request, and this one is wrong: that the service says so shows that the
    /// call got as far as the service.
    pub(crate) wrong_credential_inside: bool,
    /// What the service answers to whom it lets in, if it cannot do what is asked in this place.
    pub(crate) impossible_here: Option<Code>,
}

fn good(message: impl Message) -> Prepared {
    Prepared { message: message.encode_to_vec(), wrong_credential_inside: false, impossible_here: None }
}

fn wrong(message: impl Message) -> Prepared {
    Prepared { message: message.encode_to_vec(), wrong_credential_inside: true, impossible_here: None }
}

/// The request for an rpc, `Service/Rpc`. None: nobody has written one yet.
pub(crate) async fn prepare(world: &World, rpc: &str) -> Option<Prepared> {
    let service = rpc.split('/').next()?;
    match service {
        "AuthService" => of_auth(world, rpc).await,
        "ConfigService" => of_config(rpc),
        "JobsService" => of_jobs(world, rpc).await,
        "SandboxesService" => of_sandboxes(world, rpc).await,
        "ResourceStatusService" => of_rss(rpc),
        "PilotsService" => of_pilots(world, rpc).await,
        _ => None,
    }
}

async fn of_auth(world: &World, rpc: &str) -> Option<Prepared> {
    let batch_size = 10;
    let prepared = match rpc {
        "AuthService/InitiateDeviceFlow" => {
            good(auth::InitiateDeviceFlowRequest { client_id: CLIENT.into(), scope: SCOPE.into() })
        }
        "AuthService/StartDeviceLogin" => {
            let user_code = begin(world).await.user_code;
            good(auth::StartDeviceLoginRequest { user_code, callback_url: CALLBACK.into() })
        }
        "AuthService/FinishDeviceLogin" => good(visit(world, begin(world).await.user_code).await),
        "AuthService/StartAuthorization" => good(start_authorization()),
        "AuthService/FinishAuthorization" => good(return_from_login(world).await),
        "AuthService/GetToken" => {
            let device_code = log_in(world).await;
            good(get_token(Grant::DeviceCode(auth::DeviceCodeGrant { device_code })))
        }
        "AuthService/ExchangeLegacyToken" => wrong(auth::ExchangeLegacyTokenRequest {
            authorization: "Bearer diracx:legacy:bm90IHRoZSBrZXk".into(),
            preferred_username: "alice".into(),
            scope: SCOPE.into(),
            refresh_token_lifetime: None,
        }),
        "AuthService/IssuePilotToken" => {
            good(auth::IssuePilotTokenRequest { vo: "alpha".to_owned(), pilot_stamp: STAMP.to_owned() })
        }
        "AuthService/IssueComponentToken" => wrong(auth::IssueComponentTokenRequest {
            component: "jobs".into(),
            assertion: "not an assertion".into(),
        }),
        "AuthService/GetUserInfo" => good(auth::GetUserInfoRequest {}),
        "AuthService/RevokeToken" => good(auth::RevokeTokenRequest {
            token: tokens(world).await.refresh_token,
            token_type_hint: "refresh_token".into(),
            client_id: Some(CLIENT.into()),
        }),
        "AuthService/ListRefreshTokens" => good(auth::ListRefreshTokensRequest::default()),
        "AuthService/RevokeRefreshToken" => {
            let jti = id_of(&tokens(world).await.refresh_token);
            good(auth::RevokeRefreshTokenRequest { jti })
        }
        "AuthService/GetJwks" => good(auth::GetJwksRequest {}),
        "AuthService/GetServerMetadata" => good(auth::GetServerMetadataRequest {}),
        "AuthService/GetInstallationMetadata" => good(auth::GetInstallationMetadataRequest {}),
        "AuthService/GetSecurityContact" => good(auth::GetSecurityContactRequest {}),
        "AuthService/CleanExpiredFlows" => good(auth::CleanExpiredFlowsRequest { batch_size }),
        "AuthService/CleanExpiredTokens" => good(auth::CleanExpiredTokensRequest { batch_size }),
        // The key store of this test is no file.
        "AuthService/CleanRetiredKeys" => Prepared {
            impossible_here: Some(Code::FailedPrecondition),
            ..good(auth::CleanRetiredKeysRequest {})
        },
        _ => return None,
    };
    Some(prepared)
}

fn of_config(rpc: &str) -> Option<Prepared> {
    let prepared = match rpc {
        "ConfigService/GetConfig" => good(config::GetConfigRequest::default()),
        "ConfigService/WatchConfig" => good(config::WatchConfigRequest::default()),
        "ConfigService/GetConfigStatus" => good(config::GetConfigStatusRequest {}),
        _ => return None,
    };
    Some(prepared)
}

async fn of_pilots(world: &World, rpc: &str) -> Option<Prepared> {
    let batch_size = 10;
    let prepared = match rpc {
        "PilotsService/RegisterPilots" => {
            let pilot_stamp = uuid::Uuid::new_v4().simple().to_string();
            let pilot = pilots::PilotRegistration { pilot_stamp, vo: "alpha".into(), ..Default::default() };
            good(pilots::RegisterPilotsRequest { pilots: vec![pilot], ..Default::default() })
        }
        "PilotsService/PatchPilotMetadata" => {
            let (pilot_stamp, queue) = (STAMP.to_owned(), Some("long".into()));
            let patch = pilots::PilotMetadataPatch { pilot_stamp, queue, ..Default::default() };
            good(pilots::PatchPilotMetadataRequest { patches: vec![patch], ..Default::default() })
        }
        "PilotsService/SearchPilots" => good(pilots::SearchPilotsRequest::default()),
        "PilotsService/StreamSearchPilots" => good(pilots::StreamSearchPilotsRequest::default()),
        "PilotsService/SummarisePilots" => {
            good(pilots::SummarisePilotsRequest { grouping: vec!["Status".into()], search: None })
        }
        "PilotsService/AssignJobsToPilot" => good(pilots::AssignJobsToPilotRequest {
            pilot_stamp: world.pilot().await,
            job_ids: vec![1],
            start_time: None,
        }),
        "PilotsService/GetPilotJobs" => {
            good(pilots::GetPilotJobsRequest { pilot_stamps: vec![world.pilot().await] })
        }
        "PilotsService/GetJobPilots" => good(pilots::GetJobPilotsRequest { job_ids: vec![1] }),
        "PilotsService/KillPilots" => {
            let pilot_stamps = vec![world.pilot().await];
            good(pilots::KillPilotsRequest { pilot_stamps, reason: String::new() })
        }
        "PilotsService/DeletePilots" => {
            // gone already, which succeeds
            good(pilots::DeletePilotsRequest { pilot_stamps: vec!["gone".into()], force: false })
        }
        "PilotsService/DeclareStalledPilots" => good(pilots::DeclareStalledPilotsRequest { batch_size }),
        "PilotsService/CleanPilots" => good(pilots::CleanPilotsRequest { batch_size }),
        "PilotsService/CreatePilotSecrets" => {
            good(pilots::CreatePilotSecretsRequest { vo: "alpha".into(), ..Default::default() })
        }
        "PilotsService/ListPilotSecrets" => good(pilots::ListPilotSecretsRequest::default()),
        "PilotsService/RevokePilotCredentials" => {
            let pilot_stamps = vec!["gone".into()];
            good(pilots::RevokePilotCredentialsRequest { pilot_stamps, ..Default::default() })
        }
        "PilotsService/GetPilotToken" => {
            let grant = pilots::PilotSecretGrant { secret: "guessed".into(), registration: None };
            let grant = Some(pilots::get_pilot_token_request::Grant::Secret(grant));
            wrong(pilots::GetPilotTokenRequest { pilot_stamp: STAMP.into(), grant })
        }
        "PilotsService/GetPilotInfo" => Prepared {
            impossible_here: Some(Code::FailedPrecondition),
            ..good(pilots::GetPilotInfoRequest {})
        },
        "PilotsService/AppendPilotLog" => {
            good(pilots::AppendPilotLogRequest { pilot_stamp: STAMP.into(), first_line: 0, lines: vec![] })
        }
        // to another VO the pilot looks like one that does not exist
        "PilotsService/ReadPilotLog" => Prepared {
            impossible_here: Some(Code::NotFound),
            ..good(pilots::ReadPilotLogRequest { pilot_stamp: STAMP.into(), ..Default::default() })
        },
        _ => return None,
    };
    Some(prepared)
}

async fn of_jobs(world: &World, rpc: &str) -> Option<Prepared> {
    let jdls = || vec![HELLO.to_owned()];
    let (batch_size, page_size) = (10, 10);
    let prepared = match rpc {
        "JobsService/SubmitJobs" => good(jobs::SubmitJobsRequest { jdls: jdls(), request_id: String::new() }),
        "JobsService/StreamSubmitJobs" => {
            let request_id = uuid::Uuid::new_v4().to_string();
            good(jobs::StreamSubmitJobsRequest { jdls: jdls(), request_id })
        }
        "JobsService/SearchJobs" => good(jobs::SearchJobsRequest { page_size, ..Default::default() }),
        "JobsService/StreamSearchJobs" => good(jobs::StreamSearchJobsRequest::default()),
        "JobsService/SummariseJobs" => {
            good(jobs::SummariseJobsRequest { grouping: vec!["Status".into()], search: None })
        }
        "JobsService/WatchJobs" => {
            good(jobs::WatchJobsRequest { job_ids: job(world).await, ..Default::default() })
        }
        "JobsService/GetJobDescriptions" => {
            good(jobs::GetJobDescriptionsRequest { job_ids: job(world).await })
        }
        "JobsService/GetJobHistories" => good(jobs::GetJobHistoriesRequest { job_ids: job(world).await }),
        "JobsService/GetJobParameters" => {
            good(jobs::GetJobParametersRequest { job_ids: job(world).await, names: vec![] })
        }
        "JobsService/SetJobStatuses" => {
            let record = jobs::StatusRecord {
                time: Some(timestamp(world.clock.now())),
                minor_status: Some("told by somebody".into()),
                source: "Test".into(),
                ..Default::default()
            };
            let of_job = |job_id| jobs::JobStatusUpdates { job_id, records: vec![record.clone()] };
            let updates = job(world).await.into_iter().map(of_job).collect();
            good(jobs::SetJobStatusesRequest { updates, force: false })
        }
        "JobsService/RescheduleJobs" => {
            good(jobs::RescheduleJobsRequest { job_ids: job(world).await, reset_counters: false })
        }
        "JobsService/PatchJobMetadata" => {
            let attributes = jobs::JobAttributes { job_name: Some("renamed".into()), ..Default::default() };
            let of_job = |job_id| jobs::JobMetadataPatch {
                job_id,
                attributes: Some(attributes.clone()),
                parameters: vec![],
            };
            let patches = job(world).await.into_iter().map(of_job).collect();
            good(jobs::PatchJobMetadataRequest { patches })
        }
        "JobsService/RemoveJobs" => good(jobs::RemoveJobsRequest { job_ids: job(world).await }),
        "JobsService/SendHeartbeats" => {
            let of_job = |job_id| jobs::Heartbeat { job_id, ..Default::default() };
            let heartbeats = job(world).await.into_iter().map(of_job).collect();
            good(jobs::SendHeartbeatsRequest { heartbeats, auto_acknowledge: false })
        }
        "JobsService/AcknowledgeCommands" => {
            let of_job = |job_id| jobs::CommandAcknowledgement { job_id, command_id: "1.".to_owned() };
            let acknowledgements = job(world).await.into_iter().map(of_job).collect();
            good(jobs::AcknowledgeCommandsRequest { acknowledgements })
        }
        "JobsService/MatchJobs" => good(jobs::MatchJobsRequest {
            resource: Some(jobs::ResourceDescription {
                pilot_stamp: STAMP.into(),
                site: "DIRAC.Test.org".into(),
                number_of_processors: 1,
                vo: "alpha".into(),
                ..Default::default()
            }),
            max_jobs: 1,
            request_id: uuid::Uuid::new_v4().to_string(),
            wait: None,
        }),
        "JobsService/DeclareStalledJobs" => good(jobs::DeclareStalledJobsRequest { batch_size }),
        "JobsService/CleanJobs" => good(jobs::CleanJobsRequest { batch_size }),
        "JobsService/MaintainTaskQueues" => {
            good(jobs::MaintainTaskQueuesRequest { batch_size, page_token: String::new() })
        }
        _ => return None,
    };
    Some(prepared)
}

async fn of_sandboxes(world: &World, rpc: &str) -> Option<Prepared> {
    let prepared = match rpc {
        "SandboxesService/InitiateSandboxUpload" => {
            good(jobs::InitiateSandboxUploadRequest { job_id: job(world).await.pop(), ..announcement() })
        }
        "SandboxesService/GetSandbox" => {
            let (job, pfn) = (job(world).await[0], sandbox(world).await);
            assign(world, job, &pfn).await;
            good(jobs::GetSandboxRequest { pfn, job_id: Some(job) })
        }
        "SandboxesService/ListJobSandboxes" => {
            good(jobs::ListJobSandboxesRequest { job_ids: job(world).await, r#type: 0 })
        }
        "SandboxesService/AssignSandboxes" => {
            let assignment = jobs::SandboxAssignment {
                job_id: job(world).await[0],
                pfn: sandbox(world).await,
                r#type: jobs::SandboxType::Output.into(),
            };
            good(jobs::AssignSandboxesRequest { assignments: vec![assignment] })
        }
        "SandboxesService/UnassignSandboxes" => {
            good(jobs::UnassignSandboxesRequest { job_ids: job(world).await })
        }
        "SandboxesService/CleanSandboxes" => {
            good(jobs::CleanSandboxesRequest { batch_size: 10, page_token: String::new() })
        }
        "SandboxesService/UploadSandbox" => {
            let form = jobs::UploadForm { bucket: "sandboxes".into(), fields: vec![] };
            wrong(jobs::UploadSandboxRequest { piece: Some(Piece::Form(form)) })
        }
        "SandboxesService/DownloadSandbox" => {
            wrong(jobs::DownloadSandboxRequest { bucket: "sandboxes".into(), ..Default::default() })
        }
        _ => return None,
    };
    Some(prepared)
}

/// The statuses are those for the VO of most people here; for all VOs only service administrators set any.
fn of_rss(rpc: &str) -> Option<Prepared> {
    let element_type = rss::ElementType::Site.into();
    let key = rss::StatusKey {
        element_type,
        name: "DIRAC.Test.org".into(),
        vo: "alpha".into(),
        ..Default::default()
    };
    let prepared = match rpc {
        "ResourceStatusService/GetResourceStatuses" => {
            good(rss::GetResourceStatusesRequest { element_type, ..Default::default() })
        }
        "ResourceStatusService/WatchResourceStatuses" => {
            good(rss::WatchResourceStatusesRequest { element_type, ..Default::default() })
        }
        "ResourceStatusService/ListElementStatuses" => good(rss::ListElementStatusesRequest::default()),
        "ResourceStatusService/SetElementStatuses" => {
            let status = rss::ElementStatusValue::Active.into();
            let update = rss::ElementStatusUpdate { key: Some(key), status, ..Default::default() };
            good(rss::SetElementStatusesRequest { updates: vec![update] })
        }
        "ResourceStatusService/RemoveElementStatuses" => {
            good(rss::RemoveElementStatusesRequest { keys: vec![key] })
        }
        "ResourceStatusService/CancelPlannedStatuses" => {
            good(rss::CancelPlannedStatusesRequest { keys: vec![key] })
        }
        "ResourceStatusService/GetElementHistory" => {
            good(rss::GetElementHistoryRequest { key: Some(key), ..Default::default() })
        }
        "ResourceStatusService/ApplyDueStatuses" => good(rss::ApplyDueStatusesRequest { batch_size: 10 }),
        _ => return None,
    };
    Some(prepared)
}

fn announcement() -> jobs::InitiateSandboxUploadRequest {
    jobs::InitiateSandboxUploadRequest {
        checksum_algorithm: jobs::ChecksumAlgorithm::Sha256.into(),
        checksum: "0123456789abcdef".repeat(4),
        size_bytes: 10,
        format: jobs::SandboxFormat::TarZst.into(),
        job_id: None,
    }
}

/// A sandbox that alice has announced.
async fn sandbox(world: &World) -> String {
    let request = world.as_alice(announcement());
    let mut sandboxes = SandboxesServiceClient::new(world.jobs.clone());
    sandboxes.initiate_sandbox_upload(request).await.unwrap().into_inner().pfn
}

/// Alice gives a sandbox to her job.
async fn assign(world: &World, job_id: i64, pfn: &str) {
    let r#type = jobs::SandboxType::Input.into();
    let assignments = vec![jobs::SandboxAssignment { job_id, pfn: pfn.to_owned(), r#type }];
    let request = world.as_alice(jobs::AssignSandboxesRequest { assignments });
    SandboxesServiceClient::new(world.jobs.clone()).assign_sandboxes(request).await.unwrap();
}

/// A new job of alice.
async fn job(world: &World) -> Vec<i64> {
    let request = jobs::SubmitJobsRequest { jdls: vec![HELLO.to_owned()], request_id: String::new() };
    let answer = JobsServiceClient::new(world.jobs.clone()).submit_jobs(world.as_alice(request)).await;
    answer.unwrap().into_inner().jobs.iter().map(|job| job.job_id).collect()
}

/// A device login that has begun.
async fn begin(world: &World) -> auth::InitiateDeviceFlowResponse {
    let request = auth::InitiateDeviceFlowRequest { client_id: CLIENT.into(), scope: SCOPE.into() };
    let begun = AuthServiceClient::new(world.auth.clone()).initiate_device_flow(request).await;
    begun.unwrap().into_inner()
}

/// What alice's browser brings back from the identity provider.
async fn visit(world: &World, user_code: String) -> auth::FinishDeviceLoginRequest {
    let request = auth::StartDeviceLoginRequest { user_code, callback_url: CALLBACK.into() };
    let start = AuthServiceClient::new(world.auth.clone()).start_device_login(request).await;
    let (code, state) = approve(&start.unwrap().into_inner().authorization_url).await;
    auth::FinishDeviceLoginRequest { code, state, callback_url: CALLBACK.into(), ..Default::default() }
}

/// The code of a device whose login alice has finished.
async fn log_in(world: &World) -> String {
    let begun = begin(world).await;
    let request = visit(world, begun.user_code).await;
    AuthServiceClient::new(world.auth.clone()).finish_device_login(request).await.unwrap();
    begun.device_code
}

/// Fresh tokens of alice.
async fn tokens(world: &World) -> auth::GetTokenResponse {
    let grant = Grant::DeviceCode(auth::DeviceCodeGrant { device_code: log_in(world).await });
    AuthServiceClient::new(world.auth.clone()).get_token(get_token(grant)).await.unwrap().into_inner()
}

fn get_token(grant: Grant) -> auth::GetTokenRequest {
    auth::GetTokenRequest { client_id: CLIENT.into(), grant: Some(grant) }
}

fn start_authorization() -> auth::StartAuthorizationRequest {
    let challenge = ring::digest::digest(&ring::digest::SHA256, VERIFIER.as_bytes());
    auth::StartAuthorizationRequest {
        client_id: CLIENT.into(),
        redirect_uri: REDIRECT.into(),
        scope: SCOPE.into(),
        state: "the page's own".into(),
        code_challenge: URL_SAFE_NO_PAD.encode(challenge),
        code_challenge_method: "S256".into(),
        callback_url: CALLBACK.into(),
    }
}

/// What alice's browser brings back when a web page sent it.
async fn return_from_login(world: &World) -> auth::FinishAuthorizationRequest {
    let start = AuthServiceClient::new(world.auth.clone()).start_authorization(start_authorization()).await;
    let (code, state) = approve(&start.unwrap().into_inner().authorization_url).await;
    auth::FinishAuthorizationRequest { code, state, callback_url: CALLBACK.into(), ..Default::default() }
}

/// Logs in at the identity provider, which sends the browser back with a code and our state.
async fn approve(url: &str) -> (String, String) {
    let back = send("GET", url, &[], None).await.unwrap().header("location").unwrap();
    let field = |name: &str| {
        let query = back.split_once('?').unwrap().1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.unwrap().replace("%3D", "=")
    };
    (field("code"), field("state"))
}

/// The `jti` of a token.
fn id_of(token: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    claims["jti"].as_str().unwrap().to_owned()
}
