//! Logs of pilots: taken in by number, and read as far as they go.

use std::time::Duration;

use diracx_core::PilotStamp;
use diracx_server::Deadline;
use tokio::time::{Instant, sleep};

use crate::{
    Deps,
    error::Result,
    policy::{AppendLog, PilotScope, ReadLogs},
    store::log::{Addition, Log, LogLine, LogPart},
};

/// Lines of one message.
const PAGE: usize = 500;
/// How large the lines of one message are, in bytes, unless a single one is larger.
const LARGEST: usize = 1 << 20;
/// How often a log is looked at that somebody follows.
const LOOK: Duration = Duration::from_secs(1);
/// How often there is a sign of life at least; the contract promises 30 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// For how many looks a log is followed whose pilot has ended: its last lines may come behind its last status.
const LAST_LOOKS: usize = 2;
/// How long a stream lasts, if the token of the caller lasts as long: then somebody shows a token again.
pub const LONGEST: Duration = Duration::from_mins(30);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds lines to the log of the pilot; tells the number of the line to go on with.
pub async fn append(deps: &Deps, permit: &AppendLog, first: i64, lines: Vec<LogLine>) -> Result<i64> {
    let addition = Addition {
        stamp: permit.stamp().clone(),
        vo: permit.vo().to_owned(),
        issued: permit.issued(),
        first,
        lines,
        at: deps.clock.now(),
        most_bytes: deps.credentials.most_log_bytes,
    };
    deps.store.append_log(crate::deadline(), addition).await
}

/// What a reader wants.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The pilot.
    pub stamp: PilotStamp,
    /// The number of the first line; less than 0 counts from the end.
    pub first: i64,
    /// Lines at the most.
    pub limit: u64,
    /// Lines at least as serious as this.
    pub min_level: i32,
    /// Whether to wait for further lines.
    pub follow: bool,
}

/// Some lines with the number of the first, and the number to go on with. None: a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The lines with their numbers.
    pub lines: Vec<(i64, LogLine)>,
    /// The number to go on with.
    pub next: i64,
}

/// Reads a log from the beginning to the end, and waits there if that is wanted.
pub struct Reader {
    deps: Deps,
    ask: Ask,
    scope: PilotScope,
    log: Log,
    next: i64,
    /// Lines that may still be sent.
    left: u64,
    /// Looks that are left when the pilot has ended.
    looks: usize,
    until: Instant,
    deadline: Option<Deadline>,
}

impl Reader {
    /// Begins; tells whether there is such a pilot.
    pub async fn begin(deps: &Deps, permit: &ReadLogs, ask: Ask) -> Result<Self> {
        let scope = permit.scope().clone();
        let log = deps.store.log(crate::deadline(), ask.stamp.clone(), scope.clone()).await?;
        let next = if ask.first < 0 { log.next.saturating_add(ask.first).max(0) } else { ask.first };
        let left = if ask.limit == 0 { u64::MAX } else { ask.limit };
        let token = (permit.until() - deps.clock.now()).to_std().unwrap_or_default();
        let until = Instant::now() + LONGEST.min(token);
        let deadline = Deadline::current();
        Ok(Self { deps: deps.clone(), ask, scope, log, next, left, looks: LAST_LOOKS, until, deadline })
    }

    /// The next lines; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Part>> {
        let silent_until = Instant::now() + SIGN_OF_LIFE;
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            let lines = self.look().await?;
            if !lines.is_empty() {
                return Ok(Some(Part { lines, next: self.next }));
            }
            if !self.ask.follow || Instant::now() >= self.until {
                return Ok(None);
            }
            if self.log.ended {
                if self.looks == 0 {
                    return Ok(None);
                }
                self.looks -= 1;
            }
            if Instant::now() >= silent_until {
                return Ok(Some(Part { lines: Vec::new(), next: self.next }));
            }
            sleep(LOOK).await;
            // before the lines: what was written until the end is seen then
            self.log =
                self.deps.store.log(self.patience(), self.ask.stamp.clone(), self.scope.clone()).await?;
        }
    }

    async fn look(&mut self) -> Result<Vec<(i64, LogLine)>> {
        let limit = PAGE.min(usize::try_from(self.left).unwrap_or(PAGE));
        let part = LogPart { pilot: self.log.pilot, from: self.next, min_level: self.ask.min_level, limit };
        let mut lines = self.deps.store.log_lines(self.patience(), part).await?;
        let mut bytes = 0;
        let fitting = lines.iter().take_while(|(_, line)| {
            bytes += line.size();
            bytes <= LARGEST
        });
        let fitting = fitting.count().max(1);
        lines.truncate(fitting);
        match lines.last() {
            Some((last, _)) => self.next = last + 1,
            // what is less serious is passed over for good
            None => self.next = self.next.max(self.log.next),
        }
        self.left = self.left.saturating_sub(lines.len() as u64);
        Ok(lines)
    }

    /// The stream runs when the rpc has been answered, so nobody else watches its time.
    fn patience(&self) -> diracx_db::Deadline {
        let patience = Deadline::after(PATIENCE);
        let at = self.deadline.map_or(patience, |deadline| deadline.min(patience)).at();
        Some(at.into_std()).into()
    }
}
