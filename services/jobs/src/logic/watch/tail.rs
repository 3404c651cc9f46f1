//! The reader of the feed: finds events once for all streams of the process, while there are any.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant as Moment},
};

use chrono::TimeDelta;
use diracx_core::{
    Clock,
    search::{Filter, Page, ScalarOperator, Search, SearchValue, VectorOperator},
};
use diracx_db::{Deadline, search::Plan};
use tokio::{sync::watch, time::Instant};

use super::{Batch, Known, Shared};
use crate::{
    error::Result,
    logic::feed::Numbers,
    store::{JobEvent, JobStore, schema::JOB_EVENTS},
};

/// How long the reader goes on when nobody watches any more.
const LINGER: Duration = Duration::from_secs(10);
/// After events it looks again so soon for those of other processes, and then less and less often.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(1);
/// How long it lets commits of this process gather.
const GATHER: Duration = Duration::from_millis(5);
/// The same while very many numbers are open, since each look goes over all of them.
const GATHER_MANY: Duration = Duration::from_millis(200);
const MANY: i64 = 5_000;
/// How many events one look takes.
const PAGE: u64 = 500;
/// How many numbers before the end of the feed are looked at in the beginning: what is missing there may still appear.
const LOOK_BACK: i64 = 20_000;
/// How far apart the clocks of those who write events may be.
const SKEW: Duration = Duration::from_mins(1);
/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(15);
/// When to ask again after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// How long a number must be missing before it is given up, if no transaction holds it: an `INSERT` that has its
/// numbers and not yet its rows takes much less.
const STATEMENT: Duration = Duration::from_secs(10);
/// The same on a cluster, where transactions of other servers cannot be seen: the longest that a unit of work may take.
const UNIT: Duration = Duration::from_secs(190);

/// How long events are kept.
const KEPT: TimeDelta = TimeDelta::days(1);
/// How often old events are looked for.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// How many of them go at once.
const FORGET_AT_ONCE: u64 = 1_000;

/// Reads while somebody watches, for ever.
pub(super) async fn follow(shared: Arc<Shared>, store: Arc<dyn JobStore>, clock: Arc<dyn Clock>) {
    let mut complaints = Complaints::default();
    loop {
        shared.wanted.notified().await;
        // asked for by a stream that found a reader meanwhile, or that has gone
        if shared.known.receiver_count() == 0 {
            continue;
        }
        let commits = store.commits();
        match Tail::begin(&*store, &*clock).await {
            Ok(tail) => {
                complaints.over();
                tail.read(&shared, commits, &mut complaints).await;
            }
            Err(error) => {
                complaints.about(&error);
                tokio::time::sleep(RETRY).await;
                shared.wanted.notify_one();
            }
        }
    }
}

/// Says once what keeps the feed from being read.
#[derive(Default)]
struct Complaints(String);

impl Complaints {
    fn about(&mut self, error: &crate::Error) {
        let text = error.to_string();
        if self.0 != text {
            tracing::warn!(error = text, "the changes of jobs cannot be read");
            self.0 = text;
        }
    }

    fn over(&mut self) {
        self.0.clear();
    }
}

struct Tail<'a> {
    store: &'a dyn JobStore,
    numbers: Numbers,
    patience: Duration,
    started: Moment,
}

/// The clock of [`Numbers`] begins so long before the reader, to tell ages from before.
const BEFORE: Duration = Duration::from_hours(24);

impl<'a> Tail<'a> {
    /// Looks at the end of the feed.
    async fn begin(store: &'a dyn JobStore, clock: &dyn Clock) -> Result<Self> {
        let ends = store.feed_ends(Deadline::after(QUESTION)).await?;
        let from = ends.first.map_or(ends.last, |first| (first - 1).max(ends.last - LOOK_BACK));
        let mut tail = Self {
            store,
            numbers: Numbers::behind(from),
            patience: if ends.step > 1 { UNIT } else { STATEMENT },
            started: Moment::now(),
        };
        let wall = clock.now();
        let mut noticed = Duration::ZERO;
        for (number, time) in tail.between(from, ends.last, false).await? {
            let age = (wall - time).to_std().unwrap_or_default().saturating_sub(SKEW).min(BEFORE);
            noticed = noticed.max(BEFORE.saturating_sub(age));
            tail.numbers.see(number, noticed);
        }
        tail.give_up().await?;
        Ok(tail)
    }

    fn now(&self) -> Duration {
        BEFORE + self.started.elapsed()
    }

    fn known(&self) -> Known {
        Known {
            settled: self.numbers.settled(),
            last: self.numbers.last(),
            missing: self.numbers.missing().into(),
        }
    }

    /// Reads until nobody watches.
    async fn read(mut self, shared: &Shared, mut commits: watch::Receiver<u64>, complaints: &mut Complaints) {
        shared.known.send_replace(Some(self.known()));
        let mut pause = SOONEST;
        let mut watched = Instant::now();
        loop {
            commits.borrow_and_update();
            match self.look().await {
                Ok((events, more)) => {
                    complaints.over();
                    pause = if events.is_empty() { (pause * 2).min(LATEST) } else { SOONEST };
                    self.publish(shared, events);
                    if more {
                        continue;
                    }
                }
                Err(error) => {
                    complaints.about(&error);
                    tokio::time::sleep(RETRY).await;
                }
            }
            if shared.batches.receiver_count() > 0 {
                watched = Instant::now();
            } else if watched.elapsed() > LINGER && leave(shared) {
                return;
            }
            let gather =
                if self.numbers.last() - self.numbers.settled() > MANY { GATHER_MANY } else { GATHER };
            tokio::time::sleep(gather).await;
            // an error means that the store is gone, and with it everybody who could watch
            if matches!(tokio::time::timeout(pause, commits.changed()).await, Ok(Err(_))) {
                return;
            }
        }
    }

    fn publish(&self, shared: &Shared, events: Vec<JobEvent>) {
        let known = self.known();
        let settled = known.settled;
        shared.known.send_if_modified(|now| {
            let before = now.as_ref().map(|known| known.settled);
            *now = Some(known);
            if !events.is_empty() || before != Some(settled) {
                // nobody receives it if nobody watches
                let _ = shared.batches.send(Arc::new(Batch { events, settled }));
            }
            false
        });
    }

    /// The events that are visible now and were not before, by number; and whether there may be more.
    ///
    /// What was missing is asked for after what is new: an event that comes before a new one of its job is then found
    /// at the latest with it.
    async fn look(&mut self) -> Result<(Vec<JobEvent>, bool)> {
        let mut events = Vec::new();
        if !self.numbers.is_full() {
            events = self.events(vec![above(self.numbers.last())], PAGE).await?;
        }
        let more = events.len() as u64 == PAGE;
        let last = events.last().map_or(self.numbers.last(), |event| event.number);
        let new: BTreeSet<i64> = events.iter().map(|event| event.number).collect();
        if last - self.numbers.settled() > i64::try_from(new.len()).unwrap_or(i64::MAX) {
            let appeared: Vec<i64> = self
                .between(self.numbers.settled(), last, false)
                .await?
                .into_iter()
                .map(|(number, _)| number)
                .filter(|number| !new.contains(number) && !self.numbers.has_seen(*number))
                .collect();
            for numbers in appeared.chunks(1_000) {
                events.extend(self.events(vec![among(numbers)], 1_000).await?);
            }
            events.sort_by_key(|event| event.number);
        }
        let now = self.now();
        for event in &events {
            self.numbers.see(event.number, now);
        }
        self.give_up().await?;
        Ok((events, more))
    }

    /// Gives up what has been missing for long, unless a transaction holds it.
    async fn give_up(&mut self) -> Result<()> {
        if let Some(limit) = self.numbers.missing_for(self.patience, self.now()) {
            let living = self.between(self.numbers.settled(), limit, true).await?;
            self.numbers.give_up(limit, &living.into_iter().map(|(number, _)| number).collect());
        }
        Ok(())
    }

    async fn events(&self, filters: Vec<Filter>, limit: u64) -> Result<Vec<JobEvent>> {
        let page = Some(Page { limit, skip: 0 });
        let search = Search { filters, page, ..Search::default() };
        let plan = Plan::search(&JOB_EVENTS, &search)?.counted(false);
        self.store.events(Deadline::after(QUESTION), plan).await
    }

    /// The numbers above `from` and up to `to`, with the times of their events.
    async fn between(
        &self,
        from: i64,
        to: i64,
        uncommitted: bool,
    ) -> Result<Vec<(i64, chrono::DateTime<chrono::Utc>)>> {
        let parameters = vec!["Seq".to_owned(), "EventTime".to_owned()];
        let search = Search { parameters, filters: vec![above(from), up_to(to)], ..Search::default() };
        let plan = Plan::search(&JOB_EVENTS, &search)?.counted(false);
        self.store.event_numbers(Deadline::after(QUESTION), plan, uncommitted).await
    }
}

/// Nobody needs the reader any more; unless somebody has come in this moment.
fn leave(shared: &Shared) -> bool {
    let mut left = false;
    shared.known.send_modify(|known| {
        left = shared.batches.receiver_count() == 0;
        if left {
            *known = None;
        }
    });
    left
}

/// Removes events that are old enough, for ever.
pub(super) async fn forget(store: Arc<dyn JobStore>, clock: Arc<dyn Clock>) {
    loop {
        match forget_some(&*store, &*clock).await {
            Ok(true) => tokio::time::sleep(GATHER_MANY).await,
            Ok(false) => tokio::time::sleep(FORGET_EVERY).await,
            Err(error) => {
                tracing::debug!(%error, "old changes of jobs cannot be removed now");
                tokio::time::sleep(FORGET_EVERY).await;
            }
        }
    }
}

/// Removes some; whether there may be more.
///
/// The newest event stays: from it a database that has lost count knows where to go on.
pub(crate) async fn forget_some(store: &dyn JobStore, clock: &dyn Clock) -> Result<bool> {
    let search = Search {
        parameters: vec!["Seq".to_owned(), "EventTime".to_owned()],
        page: Some(Page { limit: FORGET_AT_ONCE + 1, skip: 0 }),
        ..Search::default()
    };
    let plan = Plan::search(&JOB_EVENTS, &search)?.counted(false);
    let mut oldest = store.event_numbers(Deadline::after(QUESTION), plan, false).await?;
    oldest.pop();
    let before = clock.now() - KEPT;
    let old: Vec<i64> =
        oldest.iter().take_while(|(_, time)| *time < before).map(|(number, _)| *number).collect();
    if let Some(last) = old.last() {
        store.forget_events(Deadline::after(QUESTION), *last).await?;
    }
    Ok(old.len() as u64 == FORGET_AT_ONCE)
}

fn compare(operator: ScalarOperator, number: i64) -> Filter {
    Filter::Scalar { parameter: "Seq".to_owned(), operator, value: SearchValue::Int(number) }
}

/// Events above this number.
pub(super) fn above(number: i64) -> Filter {
    compare(ScalarOperator::Gt, number)
}

/// Events up to this number.
pub(super) fn up_to(number: i64) -> Filter {
    compare(ScalarOperator::Lt, number.saturating_add(1))
}

fn among(numbers: &[i64]) -> Filter {
    let values = numbers.iter().copied().map(SearchValue::Int).collect();
    Filter::Vector { parameter: "Seq".to_owned(), operator: VectorOperator::In, values }
}
