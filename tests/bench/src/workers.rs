//! Those who ask over REST and over gRPC.

use anyhow::{Context as _, Result, ensure};
use diracx_client::{AnyChannel, ServerAddress};
use diracx_core::search::{Direction, Filter, Page, Search, SearchValue, Sort, VectorOperator};
use diracx_proto::jobs::v1::{self as pb, jobs_service_client::JobsServiceClient};
use diracx_tests::http::form;
use tonic::{Request, metadata::AsciiMetadataValue};

use crate::{
    http::{Connection, request},
    load::Worker,
    requests::{Ask, Jobs, fresh_time, heartbeat_body, search_body, status_body, submission},
    seed,
    server::{CLIENT, FORM, Tokens},
};

/// What a worker has to know.
#[derive(Clone)]
pub(crate) struct Scene {
    /// Where the server is.
    pub(crate) address: String,
    /// Who asks.
    pub(crate) tokens: Tokens,
    /// Which jobs it moves on.
    pub(crate) jobs: Jobs,
    /// How many jobs there were at the beginning.
    pub(crate) filled: i64,
}

/// Asks over REST.
pub(crate) struct Rest {
    connection: Connection,
    ask: Ask,
    scene: Scene,
    /// The request, if it is always the same.
    fixed: Option<Vec<u8>>,
    expected: u16,
    /// The jobs that the last request named.
    pub(crate) named: Vec<i64>,
}

impl Rest {
    /// Connects, and asks what has to be known first.
    pub(crate) async fn new(scene: Scene, ask: Ask) -> Result<Self> {
        let mut connection = Connection::open(&scene.address).await?;
        connection.until_ready().await?;
        let authorization = format!("Bearer {}", scene.tokens.access);
        let auth = ("Authorization", authorization.as_str());
        let json = ("Content-Type", "application/json");
        let search = |page: i64, body: &str| {
            let path = format!("/api/jobs/search?page={page}&per_page=100");
            request("POST", &path, &[auth, json], body)
        };
        let config = |more: &[(&str, &str)]| request("GET", "/api/config/", &[&[auth], more].concat(), "");
        let (fixed, expected) = match ask {
            Ask::Userinfo => (Some(request("GET", "/api/auth/userinfo", &[auth], "")), 200),
            Ask::Config => (Some(config(&[])), 200),
            Ask::UnchangedConfig => {
                connection.ask(&config(&[])).await?;
                let etag = connection.header("etag").context("a configuration without ETag")?;
                (Some(config(&[("If-None-Match", etag)])), 304)
            }
            Ask::Search => (Some(search(1, &search_body())), 206),
            Ask::LastPage => (Some(search((scene.filled / 100).max(1), "{}")), 206),
            Ask::Summary => {
                let body = r#"{"grouping": ["Status", "Site"]}"#;
                (Some(request("POST", "/api/jobs/summary", &[auth, json], body)), 200)
            }
            Ask::Submit(count) => {
                (Some(request("POST", "/api/jobs/jdl", &[auth, json], &submission(count))), 201)
            }
            Ask::Refresh | Ask::Status(_) | Ask::Heartbeat(_) => (None, 200),
        };
        if let (Ask::Search, Some(fixed)) = (ask, &fixed) {
            // In a small installation all that is found fits on the page.
            let (status, _) = connection.ask(fixed).await?;
            let expected = if status == 200 { 200 } else { expected };
            return Ok(Self {
                connection,
                ask,
                scene,
                fixed: Some(fixed.clone()),
                expected,
                named: Vec::new(),
            });
        }
        let expected = if ask == Ask::LastPage && scene.filled <= 100 { 200 } else { expected };
        Ok(Self { connection, ask, scene, fixed, expected, named: Vec::new() })
    }

    fn next(&mut self) -> Vec<u8> {
        if let Ask::Status(count) | Ask::Heartbeat(count) = self.ask {
            let authorization = format!("Bearer {}", self.scene.tokens.access);
            let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
            self.named = self.scene.jobs.take(count);
            // Some of the jobs are done; for the databases it is the same work.
            let (path, body) = match self.ask {
                Ask::Heartbeat(_) => ("/api/jobs/heartbeat", heartbeat_body(&self.named)),
                _ => ("/api/jobs/status?force=true", status_body(&self.named)),
            };
            return request("PATCH", path, &headers, &body);
        }
        let form = form([
            ("grant_type", "refresh_token"),
            ("refresh_token", &self.scene.tokens.refresh),
            ("client_id", CLIENT),
        ]);
        request("POST", "/api/auth/token", &[("Content-Type", FORM)], &form)
    }
}

impl Worker for Rest {
    async fn once(&mut self) -> Result<()> {
        let next = if self.fixed.is_some() { None } else { Some(self.next()) };
        let request = next.as_ref().or(self.fixed.as_ref()).context("nothing to ask")?;
        let (status, body) = self.connection.ask(request).await?;
        ensure!(
            status == self.expected,
            "{:?} was answered {status}: {}",
            self.ask,
            String::from_utf8_lossy(&body[..body.len().min(300)])
        );
        if self.ask == Ask::Refresh {
            let tokens: serde_json::Value = serde_json::from_slice(body)?;
            let next = tokens["refresh_token"].as_str().context("no token")?;
            next.clone_into(&mut self.scene.tokens.refresh);
        }
        Ok(())
    }
}

/// Asks over native gRPC, on a connection of its own.
pub(crate) struct Grpc {
    client: JobsServiceClient<AnyChannel>,
    authorization: AsciiMetadataValue,
    ask: Ask,
    scene: Scene,
}

impl Grpc {
    /// A worker; it connects with its first request.
    pub(crate) fn new(scene: Scene, ask: Ask) -> Result<Self> {
        let address: ServerAddress = format!("http://{}", scene.address).parse()?;
        let client = diracx_client::jobs(address.connect(None)?);
        let authorization = format!("Bearer {}", scene.tokens.access).parse()?;
        Ok(Self { client, authorization, ask, scene })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

impl Worker for Grpc {
    async fn once(&mut self) -> Result<()> {
        match self.ask {
            Ask::Submit(count) => {
                let jdls = vec![seed::JDL.to_owned(); count];
                let request = self.request(pb::SubmitJobsRequest { jdls, request_id: String::new() });
                let jobs = self.client.submit_jobs(request).await?.into_inner().jobs;
                ensure!(jobs.len() == count, "{} jobs instead of {count}", jobs.len());
            }
            Ask::Search => {
                let search = pb::SearchJobsRequest { include_total: true, ..search().into() };
                let request = self.request(search);
                let found = self.client.search_jobs(request).await?.into_inner();
                ensure!(found.table.is_some_and(|table| !table.rows.is_empty()), "nothing was found");
            }
            Ask::Summary => {
                let grouping = vec!["Status".to_owned(), "Site".to_owned()];
                let request = self.request(pb::SummariseJobsRequest { grouping, search: None });
                let counted = self.client.summarise_jobs(request).await?.into_inner();
                ensure!(counted.table.is_some_and(|table| !table.rows.is_empty()), "nothing was counted");
            }
            Ask::Status(count) => {
                let updates = self.scene.jobs.take(count).into_iter().map(update).collect();
                let request = self.request(pb::SetJobStatusesRequest { updates, force: true });
                let outcomes = self.client.set_job_statuses(request).await?.into_inner().outcomes;
                let good = |outcome: &pb::JobStatusOutcome| {
                    matches!(outcome.result, Some(pb::job_status_outcome::Result::Change(_)))
                };
                ensure!(outcomes.iter().all(good), "a job was not changed");
            }
            Ask::Userinfo
            | Ask::Config
            | Ask::UnchangedConfig
            | Ask::Refresh
            | Ask::LastPage
            | Ask::Heartbeat(_) => {
                anyhow::bail!("{:?} is not asked over gRPC", self.ask)
            }
        }
        Ok(())
    }
}

fn search() -> Search {
    let sites = (0..3).map(|number| SearchValue::Text(seed::site(number))).collect();
    Search {
        filters: vec![
            Filter::equals("Status", "Running"),
            Filter::Vector { parameter: "Site".to_owned(), operator: VectorOperator::In, values: sites },
        ],
        sort: vec![Sort { parameter: "JobID".to_owned(), direction: Direction::Descending }],
        page: Some(Page { skip: 0, limit: 100 }),
        ..Search::default()
    }
}

fn update(job_id: i64) -> pb::JobStatusUpdates {
    let record = pb::StatusRecord {
        time: Some(diracx_proto::time::timestamp(fresh_time())),
        status: Some(pb::JobStatus::Running.into()),
        minor_status: Some("Application".to_owned()),
        application_status: Some("Event 1000 of 5000".to_owned()),
        source: "JobWrapper".to_owned(),
    };
    pb::JobStatusUpdates { job_id, records: vec![record] }
}
