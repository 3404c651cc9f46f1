//! One of many clients, and what it was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::TimeDelta;
use diracx_core::{Clock as _, SystemClock};
use diracx_proto::jobs::v1::{RemoveJobsRequest, SubmitJobsRequest, jobs_service_client::JobsServiceClient};
use diracx_tests::http::{Answer, Connection};
use serde_json::{Map, Value, json};
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};

/// What clients may ask for, and how often.
const ASKED: [&str; 12] = [
    "Checking",
    "Waiting",
    "Waiting",
    "Matched",
    "Matched",
    "Running",
    "Running",
    "Stalled",
    "Completing",
    "Rescheduled",
    "Done",
    "Received",
];

/// What clients were told.
#[derive(Default)]
pub(crate) struct Told {
    /// The jobs that they made.
    pub(crate) jobs: BTreeSet<i64>,
    /// By job, the sources of the updates that were accepted, with the number of records of each.
    pub(crate) updates: BTreeMap<i64, BTreeMap<String, usize>>,
    /// By job, the parameters that were set, each once.
    pub(crate) parameters: BTreeMap<i64, BTreeSet<String>>,
    /// By job, the sites that it was given.
    pub(crate) sites: BTreeMap<i64, BTreeSet<String>>,
    /// By job, how often it was sent back to the beginning, and how often it was told that this was too often.
    pub(crate) reschedulings: BTreeMap<i64, [usize; 2]>,
    /// By identity of a call that several make, the jobs that it made.
    pub(crate) calls: BTreeMap<String, Vec<i64>>,
    /// Jobs that are known to be alive.
    pub(crate) alive: BTreeSet<i64>,
    /// What went wrong.
    pub(crate) refusals: Vec<String>,
}

impl Told {
    pub(crate) fn add(&mut self, other: Self) {
        let twice: Vec<_> = self.jobs.intersection(&other.jobs).collect();
        assert!(twice.is_empty(), "two clients were given the same jobs: {twice:?}");
        self.jobs.extend(other.jobs);
        self.refusals.extend(other.refusals);
        self.alive.extend(other.alive);
        for (call, jobs) in other.calls {
            let first = self.calls.entry(call.clone()).or_insert_with(|| jobs.clone());
            assert_eq!(*first, jobs, "the call {call} made its jobs twice");
        }
        for (job, updates) in other.updates {
            self.updates.entry(job).or_default().extend(updates);
        }
        for (job, names) in other.parameters {
            self.parameters.entry(job).or_default().extend(names);
        }
        for (job, sites) in other.sites {
            self.sites.entry(job).or_default().extend(sites);
        }
        for (job, counts) in other.reschedulings {
            let sums = self.reschedulings.entry(job).or_default();
            *sums = [sums[0] + counts[0], sums[1] + counts[1]];
        }
    }
}

/// The jobs that clients deal with.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    /// Those that everybody changes.
    pub(crate) shared: Arc<Vec<i64>>,
    /// Those that everybody sends back to the beginning.
    pub(crate) restless: Arc<Vec<i64>>,
    /// Those that everybody removes, or changes before they are gone.
    pub(crate) doomed: Arc<Vec<i64>>,
}

pub(crate) struct Client {
    number: usize,
    requests: usize,
    random: u64,
    headers: Vec<(String, String)>,
    connection: Connection,
    grpc: JobsServiceClient<Channel>,
    jobs: Jobs,
}

impl Client {
    pub(crate) fn new(number: usize, base: &str, token: &str, jobs: &Jobs) -> Self {
        let headers = vec![
            ("Authorization".to_owned(), format!("Bearer {token}")),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        let random = 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self {
            number,
            requests: 0,
            random,
            headers,
            connection: Connection::to(base),
            grpc: JobsServiceClient::new(
                Endpoint::from_shared(base.to_owned()).expect("a URI").connect_lazy(),
            ),
            jobs: jobs.clone(),
        }
    }

    /// Makes so many requests.
    pub(crate) async fn work(mut self, requests: usize) -> Told {
        let mut told = Told::default();
        for _ in 0..requests {
            match self.below(100) {
                0..2 => self.submit(20, &mut told).await,
                2..10 => self.submit(1, &mut told).await,
                10..50 => self.update(&mut told).await,
                50..54 => self.submit_again(&mut told).await,
                54..58 => self.assign(&mut told).await,
                58..60 => self.doom(&mut told).await,
                60..70 => self.patch(&mut told).await,
                70..77 => self.be_alive(&mut told).await,
                77..82 => self.reschedule(&mut told).await,
                82..93 => self.search(&mut told).await,
                _ => self.count(&mut told).await,
            }
        }
        told
    }

    pub(crate) async fn submit(&mut self, count: usize, told: &mut Told) {
        let jdls = vec!["Executable = \"/bin/true\";"; count];
        if let Some(answer) = self.ask("POST", "/api/jobs/jdl", &json!(jdls), 201, told).await {
            let jobs: Vec<i64> =
                answer.as_array().into_iter().flatten().filter_map(|job| job["JobID"].as_i64()).collect();
            assert_eq!(jobs.len(), count, "{answer}");
            for job in jobs {
                assert!(told.jobs.insert(job), "job {job} was made twice");
            }
        }
    }

    /// What others submit as well, under the same identity.
    async fn submit_again(&mut self, told: &mut Told) {
        let request_id = format!("call {}", self.below(8));
        let jdls = vec!["Executable = \"/bin/true\";".to_owned(); 3];
        let request = self.request(SubmitJobsRequest { jdls, request_id: request_id.clone() });
        match self.grpc.submit_jobs(request).await {
            Ok(answer) => {
                let jobs = answer.into_inner().jobs.iter().map(|job| job.job_id).collect();
                told.add(Told { calls: [(request_id, jobs)].into(), ..Told::default() });
            }
            Err(status) => told.refusals.push(format!("{request_id}: {status}")),
        }
    }

    /// Gives one of a few sandboxes to a job, or takes all from it; the job may be gone.
    async fn assign(&mut self, told: &mut Told) {
        let checksum = format!("{:064}", self.below(4));
        let body =
            json!({"checksum_algorithm": "sha256", "checksum": checksum, "size": 5, "format": "tar.zst"});
        let Some(answer) = self.ask("POST", "/api/jobs/sandbox", &body, 200, told).await else { return };
        let (job, ways): (i64, &[u16]) = match self.below(2) {
            0 => (self.some_job(), &[200, 400, 409]),
            _ => (self.some_doomed_job(), &[200, 400, 403, 409]),
        };
        if self.below(3) == 0 {
            self.ask_any("DELETE", &format!("/api/jobs/{job}/sandbox"), &Value::Null, ways, told).await;
        } else {
            let path = format!("/api/jobs/{job}/sandbox/output");
            self.ask_any("PATCH", &path, &answer["pfn"], ways, told).await;
        }
    }

    /// Changes a job that others remove, or removes it.
    async fn doom(&mut self, told: &mut Told) {
        let job = self.some_doomed_job();
        if self.below(3) == 0 {
            let request = self.request(RemoveJobsRequest { job_ids: vec![job] });
            match self.grpc.remove_jobs(request).await {
                Ok(_) => {}
                // One that does not exist looks like somebody else's.
                Err(status) if status.code() == Code::PermissionDenied => {}
                Err(status) => told.refusals.push(format!("removal of {job}: {status}")),
            }
            return;
        }
        let time = SystemClock.now().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let body = json!({job.to_string(): {time: {"Status": "Killed", "MinorStatus": "doomed"}}});
        self.ask_any("PATCH", "/api/jobs/status", &body, &[200, 403, 404], told).await;
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.headers[0].1.parse().expect("a token");
        request.metadata_mut().insert("authorization", token);
        request
    }

    /// Some updates of some jobs, a few of them late, in any order.
    async fn update(&mut self, told: &mut Told) {
        self.requests += 1;
        let prefix = ["Job", "x", "x"][self.below(3)];
        let source = format!("{prefix}c{}r{}", self.number, self.requests);
        let mut body = Map::new();
        for _ in 0..=self.below(4) {
            let job = self.some_job();
            let mut records = Map::new();
            for _ in 0..=self.below(3) {
                let late = if self.below(5) == 0 { self.below(3_000_000) } else { self.below(2_000) };
                let time = SystemClock.now() - TimeDelta::microseconds(i64::try_from(late).expect("small"));
                let mut record = json!({"Source": source});
                if self.below(5) > 0 {
                    record["Status"] = json!(ASKED[self.below(ASKED.len())]);
                }
                // The end comes for some jobs, and late in the run.
                if self.requests > 8 && self.below(60) == 0 {
                    record["Status"] = json!(["Killed", "Failed", "Deleted"][self.below(3)]);
                }
                if self.below(2) == 0 {
                    record["MinorStatus"] = json!(format!("m{}", self.below(1000)));
                }
                if self.below(2) == 0 {
                    record["ApplicationStatus"] = json!(format!("a{}", self.below(1000)));
                }
                records.insert(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), record);
            }
            body.insert(job.to_string(), Value::Object(records));
        }
        let counts: Vec<(i64, usize)> = body
            .iter()
            .map(|(job, records)| (job.parse().expect("a number"), records.as_object().map_or(0, Map::len)))
            .collect();
        let Some(answer) = self.ask("PATCH", "/api/jobs/status", &Value::Object(body), 200, told).await
        else {
            return;
        };
        for (job, records) in counts {
            assert!(answer["success"][job.to_string()].is_object(), "job {job} is not in {answer}");
            told.updates.entry(job).or_default().insert(source.clone(), records);
        }
    }

    /// Parameters that nobody else sets, and a site that others set, too.
    async fn patch(&mut self, told: &mut Told) {
        self.requests += 1;
        let name = format!("c{}r{}", self.number, self.requests);
        let mut body = Map::new();
        for _ in 0..=self.below(4) {
            body.insert(self.some_job().to_string(), json!({"Site": name, &name: name}));
        }
        let jobs: Vec<i64> = body.keys().map(|job| job.parse().expect("a number")).collect();
        let body = Value::Object(body);
        if self.ask("PATCH", "/api/jobs/metadata", &body, 204, told).await.is_some() {
            for job in jobs {
                told.parameters.entry(job).or_default().insert(name.clone());
                told.sites.entry(job).or_default().insert(name.clone());
            }
        }
    }

    async fn be_alive(&mut self, told: &mut Told) {
        let jobs = [self.some_restless_job(), self.some_restless_job()];
        let figures = json!({"LoadAverage": self.below(100), "WallClockTime": self.below(100_000)});
        let body: Map<String, Value> = jobs.iter().map(|job| (job.to_string(), figures.clone())).collect();
        if self.ask("PATCH", "/api/jobs/heartbeat", &Value::Object(body), 200, told).await.is_some() {
            told.alive.extend(jobs);
        }
    }

    async fn reschedule(&mut self, told: &mut Told) {
        let jobs = BTreeSet::from([self.some_restless_job(), self.some_restless_job()]);
        let body = json!({"job_ids": jobs}).to_string().into_bytes();
        let sent = self.connection.send("POST", "/api/jobs/reschedule", &self.headers, Some(body)).await;
        let answer = match &sent {
            Ok(answer) if answer.status == 200 => answer.json(),
            // None of them may begin anew any more.
            Ok(answer) if answer.status == 400 => answer.json().map(|answer| answer["detail"].clone()),
            _ => None,
        };
        let Some(answer) = answer else { return told.refusals.push(format!("reschedule: {sent:?}")) };
        for job in jobs {
            let key = job.to_string();
            let counts = told.reschedulings.entry(job).or_default();
            match (answer["success"][&key].is_object(), answer["failed"][&key].is_object()) {
                (true, false) => counts[0] += 1,
                (false, true) => counts[1] += 1,
                _ => told.refusals.push(format!("reschedule of {job}: {answer}")),
            }
        }
    }

    async fn search(&mut self, told: &mut Told) {
        let job = self.some_job();
        let filter = json!({"parameter": "JobID", "operator": "eq", "value": job});
        let body = json!({"search": [filter], "parameters": ["Status", "LoggingInfo"]});
        if let Some(rows) = self.ask("POST", "/api/jobs/search", &body, 200, told).await {
            assert_eq!(rows[0]["JobID"], job, "{rows}");
        }
    }

    async fn count(&mut self, told: &mut Told) {
        let body = json!({"grouping": ["Status", "MinorStatus"]});
        self.ask("POST", "/api/jobs/summary", &body, 200, told).await;
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        expected: u16,
        told: &mut Told,
    ) -> Option<Value> {
        self.ask_any(method, path, body, &[expected], told).await
    }

    async fn ask_any(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        expected: &[u16],
        told: &mut Told,
    ) -> Option<Value> {
        let sent =
            self.connection.send(method, path, &self.headers, Some(body.to_string().into_bytes())).await;
        let problem = match sent {
            Ok(Answer { status, text, .. }) if !expected.contains(&status) => {
                format!("{status} {text}")
            }
            Ok(answer) if answer.text.is_empty() => return Some(Value::Null),
            Ok(answer) => return answer.json(),
            Err(error) => format!("{error:#}"),
        };
        told.refusals.push(format!("{method} {path}: {problem}"));
        None
    }

    fn some_job(&mut self) -> i64 {
        let position = self.below(self.jobs.shared.len());
        self.jobs.shared[position]
    }

    fn some_restless_job(&mut self) -> i64 {
        let position = self.below(self.jobs.restless.len());
        self.jobs.restless[position]
    }

    fn some_doomed_job(&mut self) -> i64 {
        let position = self.below(self.jobs.doomed.len());
        self.jobs.doomed[position]
    }

    fn below(&mut self, limit: usize) -> usize {
        // A linear congruence: good enough to shuffle requests, and the same in each run.
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.random >> 33) % limit as u64).expect("small")
    }
}
