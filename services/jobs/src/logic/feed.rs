//! How far the feed of changes has been read, when its numbers may become visible out of order.
//!
//! On MySQL an event takes its number before its transaction commits. A number that is missing below one that was seen
//! may therefore still appear, or never, if its transaction was undone. [`Numbers`] follows which are missing;
//! [`Position`] is how far one stream got, and what its resume token says.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::RangeInclusive,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diracx_core::JobId;

/// How many numbers above a missing one are kept in mind; beyond, reading waits for the missing ones.
const MOST_ABOVE: usize = 200_000;

/// Steps in which the age of missing numbers is known.
const RESOLUTION: Duration = Duration::from_millis(100);

/// The numbers that a reader of the feed has seen. Times are spans since any fixed moment.
#[derive(Debug, Clone)]
pub struct Numbers {
    /// Everything up to here was seen or will never be.
    settled: i64,
    /// The highest that was seen.
    last: i64,
    /// What was seen, or given up, above `settled`.
    above: BTreeSet<i64>,
    /// Since when `last` was at least so high; oldest first.
    noticed: VecDeque<(Duration, i64)>,
}

impl Numbers {
    /// Begins behind `settled`.
    pub fn behind(settled: i64) -> Self {
        Self { settled, last: settled, above: BTreeSet::new(), noticed: VecDeque::new() }
    }

    /// Up to here nothing will appear any more.
    pub fn settled(&self) -> i64 {
        self.settled
    }

    /// The highest number that was seen.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.settled == self.last
    }

    /// What is missing between the lowest and the highest.
    pub fn missing(&self) -> Vec<RangeInclusive<i64>> {
        let mut from = self.settled + 1;
        let mut missing = Vec::new();
        for number in &self.above {
            if from < *number {
                missing.push(from..=number - 1);
            }
            from = number + 1;
        }
        missing
    }

    /// Whether so much is missing that nothing more should be read before it is found or given up.
    pub fn is_full(&self) -> bool {
        self.above.len() >= MOST_ABOVE
    }

    /// Whether this number was seen or given up.
    pub fn has_seen(&self, number: i64) -> bool {
        number <= self.settled || self.above.contains(&number)
    }

    /// Notes that this number was seen; whether that is news.
    pub fn see(&mut self, number: i64, now: Duration) -> bool {
        if self.has_seen(number) || !self.above.insert(number) {
            return false;
        }
        if number > self.last {
            self.last = number;
            match self.noticed.back_mut() {
                // Its age is taken for a step more at the most.
                Some((time, last)) if now.saturating_sub(*time) < RESOLUTION => *last = number,
                _ => self.noticed.push_back((now, number)),
            }
        }
        self.settle();
        true
    }

    /// Missing numbers up to here have been missing for `patience`; none if there are none.
    pub fn missing_for(&self, patience: Duration, now: Duration) -> Option<i64> {
        let old = self.noticed.iter().take_while(|(time, _)| now.saturating_sub(*time) >= patience).last();
        old.map(|(_, last)| *last).filter(|last| *last > self.settled)
    }

    /// Gives up the missing numbers up to `limit`, except the `living`, which may still appear, and what is behind
    /// the first of those.
    pub fn give_up(&mut self, limit: i64, living: &BTreeSet<i64>) {
        let mut alive = living.range(self.settled + 1..=limit.max(self.settled + 1));
        let first = alive.find(|number| !self.above.contains(number));
        self.settled = first.map_or(limit, |first| first - 1).max(self.settled);
        self.above = self.above.split_off(&(self.settled + 1));
        self.last = self.last.max(self.settled);
        self.settle();
    }

    fn settle(&mut self) {
        while self.above.remove(&(self.settled + 1)) {
            self.settled += 1;
        }
        while self.noticed.front().is_some_and(|(_, last)| *last <= self.settled) {
            self.noticed.pop_front();
        }
    }
}

/// How far a stream got, and what it told already of what lies beyond.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    settled: i64,
    told: BTreeSet<i64>,
}

impl Position {
    /// Everything up to `settled` was told.
    pub fn behind(settled: i64) -> Self {
        Self { settled, told: BTreeSet::new() }
    }

    /// Everything up to here was told, and this is where to take the stream up again.
    pub fn settled(&self) -> i64 {
        self.settled
    }

    /// Whether this event was told.
    pub fn has_told(&self, number: i64) -> bool {
        number <= self.settled || self.told.contains(&number)
    }

    /// Notes that this event is told now; whether it was not yet.
    pub fn tell(&mut self, number: i64) -> bool {
        number > self.settled && self.told.insert(number)
    }

    /// Notes that nothing up to `number` will appear any more, and that all there is of it was told or is not wanted.
    pub fn settle(&mut self, number: i64) {
        if number > self.settled {
            self.settled = number;
            self.told = self.told.split_off(&(number + 1));
        }
    }
}

/// Where to take up a broken stream; opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeToken {
    /// Behind which number of the feed.
    pub behind: i64,
    /// In the middle of telling the present state: behind which job.
    pub snapshot_behind: Option<JobId>,
}

impl ResumeToken {
    /// As text.
    pub fn write(self) -> String {
        let snapshot = self.snapshot_behind.map(|job| format!(":{job}")).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(format!("feed:{}{snapshot}", self.behind))
    }

    /// Reads what [`write`](Self::write) made.
    pub fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let rest = text.strip_prefix("feed:")?;
        let (behind, job) = rest.split_once(':').map_or((rest, None), |(behind, job)| (behind, Some(job)));
        let number = |text: &str| text.parse().ok().filter(|number: &i64| (0..i64::MAX).contains(number));
        let snapshot_behind = job.map(|job| number(job).map(JobId).ok_or(())).transpose().ok()?;
        Some(Self { behind: number(behind)?, snapshot_behind })
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
