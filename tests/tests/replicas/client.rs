//! One of many clients, and what it was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use chrono::TimeDelta;
use diracx_core::{Clock as _, SystemClock};
use diracx_tests::http::{Answer, Connection};
use serde_json::{Map, Value, json};

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
    /// What went wrong.
    pub(crate) refusals: Vec<String>,
}

impl Told {
    pub(crate) fn add(&mut self, other: Self) {
        let twice: Vec<_> = self.jobs.intersection(&other.jobs).collect();
        assert!(twice.is_empty(), "two clients were given the same jobs: {twice:?}");
        self.jobs.extend(other.jobs);
        self.refusals.extend(other.refusals);
        for (job, updates) in other.updates {
            self.updates.entry(job).or_default().extend(updates);
        }
    }
}

pub(crate) struct Client {
    number: usize,
    requests: usize,
    random: u64,
    headers: Vec<(String, String)>,
    connection: Connection,
    shared: Arc<Vec<i64>>,
}

impl Client {
    pub(crate) fn new(number: usize, base: &str, token: &str, shared: &Arc<Vec<i64>>) -> Self {
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
            shared: Arc::clone(shared),
        }
    }

    /// Makes so many requests.
    pub(crate) async fn work(mut self, requests: usize) -> Told {
        let mut told = Told::default();
        for _ in 0..requests {
            match self.below(100) {
                0..2 => self.submit(20, &mut told).await,
                2..10 => self.submit(1, &mut told).await,
                10..80 => self.update(&mut told).await,
                80..93 => self.search(&mut told).await,
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
        let sent =
            self.connection.send(method, path, &self.headers, Some(body.to_string().into_bytes())).await;
        let mut problem = format!("{method} {path}: ");
        match sent {
            Ok(Answer { status, text, .. }) if status != expected => drop(write!(problem, "{status} {text}")),
            Ok(answer) => return answer.json(),
            Err(error) => drop(write!(problem, "{error:#}")),
        }
        told.refusals.push(problem);
        None
    }

    fn some_job(&mut self) -> i64 {
        let position = self.below(self.shared.len());
        self.shared[position]
    }

    fn below(&mut self, limit: usize) -> usize {
        // A linear congruence: good enough to shuffle requests, and the same in each run.
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.random >> 33) % limit as u64).expect("small")
    }
}
