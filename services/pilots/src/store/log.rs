//! What is kept of the logs of pilots.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_db::Deadline;

use crate::{error::Result, policy::PilotScope};

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, by the clock of the worker node.
    pub time: Option<DateTime<Utc>>,
    /// How serious it is, as a number of the contract.
    pub level: i32,
    /// Which part of the pilot wrote it.
    pub component: String,
    /// The text.
    pub text: String,
}

impl LogLine {
    /// What it takes, in bytes: a line without text takes some, too.
    pub fn size(&self) -> usize {
        32 + self.component.len() + self.text.len()
    }
}

/// Lines to be added to the log of a pilot.
#[derive(Debug, Clone)]
pub struct Addition {
    /// The pilot.
    pub stamp: PilotStamp,
    /// Its VO.
    pub vo: String,
    /// When its token was issued; it must not be barred since.
    pub issued: DateTime<Utc>,
    /// The number of the first line.
    pub first: i64,
    /// The lines.
    pub lines: Vec<LogLine>,
    /// When they came.
    pub at: DateTime<Utc>,
    /// How large a log may be, in bytes.
    pub most_bytes: i64,
}

/// A log, as far as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The pilot's number.
    pub pilot: i64,
    /// The number of the line that comes next.
    pub next: i64,
    /// Whether the pilot has ended.
    pub ended: bool,
}

/// A part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPart {
    /// The pilot's number.
    pub pilot: i64,
    /// The number of the first line.
    pub from: i64,
    /// Lines at least as serious as this.
    pub min_level: i32,
    /// Lines at the most.
    pub limit: usize,
}

/// How logs are kept and read.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Adds lines, passing over those that are there; tells the number of the line to go on with.
    async fn append_log(&self, deadline: Deadline, addition: Addition) -> Result<i64>;

    /// How far the log of a pilot is.
    async fn log(&self, deadline: Deadline, stamp: PilotStamp, scope: PilotScope) -> Result<Log>;

    /// Some lines with their numbers.
    async fn log_lines(&self, deadline: Deadline, part: LogPart) -> Result<Vec<(i64, LogLine)>>;

    /// Forgets at the most `limit` lines that came before `before`; tells how many.
    async fn clean_logs(&self, deadline: Deadline, before: DateTime<Utc>, limit: usize) -> Result<usize>;
}
