//! What is asked: one entry for each row of the table.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::{Clock as _, SystemClock};
use serde_json::json;

use crate::seed;

/// Something that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Who am I.
    Userinfo,
    /// The configuration.
    Config,
    /// The configuration, which the caller has already.
    UnchangedConfig,
    /// New tokens, each for the last ones.
    Refresh,
    /// So many jobs in one call.
    Submit(usize),
    /// A page of the running jobs of three sites.
    Search,
    /// The last page of all jobs.
    LastPage,
    /// The jobs, counted by status and site.
    Summary,
    /// So many jobs moved on in one call.
    Status(usize),
    /// So many jobs that are alive, in one call.
    Heartbeat(usize),
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// REST over HTTP/1.1.
    Rest,
    /// Native gRPC.
    Grpc,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// What it is called, also on the command line.
    pub(crate) name: &'static str,
    /// What is asked.
    pub(crate) ask: Ask,
    /// How.
    pub(crate) face: Face,
}

const fn rest(name: &'static str, ask: Ask) -> Measure {
    Measure { name, ask, face: Face::Rest }
}

const fn grpc(name: &'static str, ask: Ask) -> Measure {
    Measure { name, ask, face: Face::Grpc }
}

/// All rows, in their order: first those that change nothing, while the tables are as they were filled.
pub(crate) const MEASURES: &[Measure] = &[
    rest("userinfo", Ask::Userinfo),
    rest("config", Ask::Config),
    rest("config-304", Ask::UnchangedConfig),
    rest("search", Ask::Search),
    grpc("search-grpc", Ask::Search),
    rest("search-last-page", Ask::LastPage),
    rest("summary", Ask::Summary),
    grpc("summary-grpc", Ask::Summary),
    rest("refresh", Ask::Refresh),
    rest("status-1", Ask::Status(1)),
    rest("status-100", Ask::Status(100)),
    rest("heartbeat-1", Ask::Heartbeat(1)),
    rest("heartbeat-100", Ask::Heartbeat(100)),
    grpc("status-1-grpc", Ask::Status(1)),
    grpc("status-100-grpc", Ask::Status(100)),
    rest("submit-1", Ask::Submit(1)),
    rest("submit-20", Ask::Submit(20)),
    grpc("submit-1-grpc", Ask::Submit(1)),
    grpc("submit-20-grpc", Ask::Submit(20)),
    grpc("submit-100-grpc", Ask::Submit(100)),
];

impl Ask {
    /// Whether databases have a part in the answer.
    pub(crate) const fn uses_databases(self) -> bool {
        !matches!(self, Self::Userinfo | Self::Config | Self::UnchangedConfig)
    }

    /// Whether it changes them.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Refresh | Self::Submit(_) | Self::Status(_) | Self::Heartbeat(_))
    }

    /// Whether an administrator asks, who sees all jobs; else their owner.
    pub(crate) const fn as_administrator(self) -> bool {
        matches!(self, Self::Search | Self::LastPage | Self::Summary)
    }
}

/// The jobs that are moved on, one after the other, over and over.
#[derive(Clone)]
pub(crate) struct Jobs {
    ids: Arc<[i64]>,
    next: Arc<AtomicUsize>,
}

impl Jobs {
    /// These.
    pub(crate) fn new(ids: Vec<i64>) -> Self {
        Self { ids: ids.into(), next: Arc::default() }
    }

    /// The next so many, each of them once.
    pub(crate) fn take(&self, count: usize) -> Vec<i64> {
        let count = count.min(self.ids.len());
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(|place| self.ids[place % self.ids.len()]).collect()
    }
}

/// An instant that was not used before: two updates of one job at one instant are one.
pub(crate) fn fresh_time() -> DateTime<Utc> {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let step = LAST.fetch_add(1, Ordering::Relaxed) % 1000;
    SystemClock.now() + TimeDelta::microseconds(i64::try_from(step).unwrap_or_default())
}

/// The condition of [`Ask::Search`], in REST's words.
pub(crate) fn search_body() -> String {
    let sites: Vec<String> = (0..3).map(seed::site).collect();
    json!({
        "search": [
            {"parameter": "Status", "operator": "eq", "value": "Running"},
            {"parameter": "Site", "operator": "in", "values": sites},
        ],
        "sort": [{"parameter": "JobID", "direction": "desc"}],
    })
    .to_string()
}

/// The body of [`Ask::Status`].
pub(crate) fn status_body(jobs: &[i64]) -> String {
    let time = fresh_time().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let updates = jobs.iter().map(|job| {
        let update = json!({
            "Status": "Running",
            "MinorStatus": "Application",
            "ApplicationStatus": "Event 1000 of 5000",
            "Source": "JobWrapper",
        });
        (job.to_string(), json!({ &time: update }))
    });
    serde_json::Value::Object(updates.collect()).to_string()
}

/// The body of [`Ask::Heartbeat`].
pub(crate) fn heartbeat_body(jobs: &[i64]) -> String {
    let figures = json!({
        "LoadAverage": 1.5,
        "MemoryUsed": 1_024_000.0,
        "Vsize": 2_048_000.0,
        "AvailableDiskSpace": 20_000.0,
        "CPUConsumed": 3_600.0,
        "WallClockTime": 4_000.0,
    });
    let heartbeats = jobs.iter().map(|job| (job.to_string(), figures.clone()));
    serde_json::Value::Object(heartbeats.collect()).to_string()
}

/// The body of [`Ask::Submit`].
pub(crate) fn submission(count: usize) -> String {
    json!(vec![seed::JDL; count]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = MEASURES.iter().map(|measure| measure.name).collect();
        assert_eq!(names.len(), MEASURES.len());
    }

    #[test]
    fn jobs_go_round_and_no_call_names_one_twice() {
        let jobs = Jobs::new(vec![1, 5, 9]);
        assert_eq!(jobs.take(2), [1, 5]);
        assert_eq!(jobs.take(2), [9, 1]);
        assert_eq!(jobs.take(100), [5, 9, 1]);
    }
}
