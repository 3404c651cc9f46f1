//! What DiracX serves, to compare with, and how much better ours is to be.

use crate::statistics::Figures;

/// DiracX's figures for a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Diracx {
    /// As its server served it in this run.
    Measured(Figures),
    /// As it was measured once, on another machine.
    Constant(Figures),
    /// Its server answered that it cannot.
    Failed,
    /// Nobody knows.
    Unknown,
}

impl Diracx {
    /// The figures, if there are any.
    pub(crate) const fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Measured(figures) | Self::Constant(figures) => Some(figures),
            Self::Failed | Self::Unknown => None,
        }
    }
}

/// Where the constants are from.
const CONSTANTS: &str = "measured once, in November 2026, on another machine with two cores (DiracX 0.4.0, uvicorn with uvloop, \
                         two workers, MariaDB, 100,000 jobs stored, 8 connections), so the ratio says little about this one";

/// What to know before the table is read.
pub(crate) fn legend(beside: bool) -> String {
    if !beside {
        return format!(
            "DiracX's figures are constants (°), {CONSTANTS}; --beside-diracx measures them here"
        );
    }
    "DiracX's figures are measured in this run: its own server on MariaDB, on the same databases as ours, each request \
     with the same load right before ours\n\
     ¹ DiracX writes to OpenSearch as well; a stand-in that agrees at once takes its place, in DiracX's favour"
        .to_owned()
}

/// Whether DiracX would write to OpenSearch for the request of this name.
pub(crate) fn wants_opensearch(name: &str) -> bool {
    name.starts_with("status") || name.starts_with("heartbeat")
}

/// How many times better ours is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Targets {
    /// So many times as many requests.
    pub(crate) times: f64,
    /// At the most its processor time divided by this.
    pub(crate) cpu_times: Option<f64>,
    /// A lower p99.
    pub(crate) lower_p99: bool,
    /// At the most so many times slower than the bare SQL.
    pub(crate) of_sql: Option<f64>,
}

const LIGHT: Targets = Targets { times: 30.0, cpu_times: Some(40.0), lower_p99: false, of_sql: None };
const CHANGE: Targets = Targets { times: 15.0, cpu_times: None, lower_p99: false, of_sql: Some(2.0) };
const SEARCH: Targets = Targets { times: 10.0, cpu_times: None, lower_p99: true, of_sql: None };

/// The targets for the request of this name, if it has any.
pub(crate) fn targets(name: &str) -> Option<Targets> {
    Some(match name {
        "userinfo" | "config" | "config-304" => LIGHT,
        "search" | "summary" => SEARCH,
        "refresh" | "submit-1" | "submit-20" | "status-1" | "heartbeat-1" => CHANGE,
        "status-100" => Targets { times: 100.0, ..CHANGE },
        _ => return None,
    })
}

/// The constants for the request of this name, if it was measured once.
pub(crate) fn constant(name: &str) -> Diracx {
    let (per_second, p50, p99, cpu) = match name {
        "userinfo" => (1716.0, 4.7, 10.0, 1.1),
        "config" => (514.0, 13.0, 34.0, 2.9),
        "config-304" => (1139.0, 5.0, 67.0, 1.7),
        "refresh" => (394.0, 9.6, 18.0, 4.3),
        "submit-1" => (131.0, 60.0, 95.0, 7.7),
        "submit-20" => (73.0, 141.0, 351.0, 20.8),
        "search" => (43.0, 120.0, 517.0, 14.0),
        "summary" => (22.0, 376.0, 724.0, 11.0),
        "status-1" => (110.0, 72.0, 192.0, 15.0),
        "status-100" => (4.0, 990.0, 2680.0, 298.0),
        "heartbeat-1" => (183.0, 54.0, 120.0, 9.4),
        _ => return Diracx::Unknown,
    };
    Diracx::Constant(Figures { per_second, p50, p99, server_cpu: Some(cpu), database_cpu: None })
}
