//! One stream: the present state first, then what the feed has since, then what happens.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use diracx_core::{
    Clock, JobId, JobStatus,
    search::{Filter, Page, ScalarOperator, Search, SearchValue},
};
use diracx_db::{Deadline, search::Plan};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, watch},
    time::{Instant, sleep_until},
};

use super::{
    Batch, Feed, Known, Selection, WatchError,
    selection::among,
    tail::{above, up_to},
};
use crate::{
    Deps,
    error::Result,
    logic::feed::{Position, ResumeToken},
    store::{
        JobEvent, JobStore, Moment,
        schema::{JOB_EVENTS, JOBS},
        watch::JobState,
    },
};

/// How many jobs or events one question takes, and about how many one answer tells.
const PAGE: usize = 1_000;
/// How many numbers of the feed a token from the middle of the present state may be behind: each page of it looks at
/// all that happened since.
const FAR_BEHIND: i64 = 10_000;
/// How often there is a sign of life at least.
const SIGN_OF_LIFE: Duration = Duration::from_secs(25);
/// How long a stream lasts: then its caller shows a token again.
const LONGEST: Duration = Duration::from_mins(30);
/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(30);

const COLUMNS: [&str; 11] = [
    "JobID",
    "JobGroup",
    "JobName",
    "Owner",
    "OwnerGroup",
    "VO",
    "LastUpdateTime",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "RescheduleCounter",
];

/// What a caller wants.
#[derive(Debug)]
pub struct Ask {
    /// Of which jobs.
    pub selection: Selection,
    /// Where to go on.
    pub resume: Option<ResumeToken>,
    /// Whether to end when all named jobs are final.
    pub until_final: bool,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

/// What is told at once.
#[derive(Debug)]
pub struct Update {
    /// In their order, at least within a job.
    pub events: Vec<JobEvent>,
    /// For going on after these.
    pub resume: ResumeToken,
    /// Whether the events are the present state rather than changes.
    pub snapshot: bool,
}

/// What was told of a job last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    state: u64,
    is_final: bool,
}

impl Told {
    fn of(state: &JobState) -> Self {
        if state.removed {
            // Whatever its last state was: the row that could tell is gone.
            return Self { state: 0, is_final: true };
        }
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let is_final = state.status.parse().is_ok_and(JobStatus::is_final);
        Self { state: hasher.finish(), is_final }
    }
}

enum Phase {
    /// Tells the present state of the jobs behind this one.
    Snapshot { behind: JobId },
    /// Reads the events behind this one from the table, up to where the reader was.
    CatchUp { read: i64 },
    /// Compares what was told with the named jobs behind this one.
    Compare { behind: JobId },
    /// Waits for the reader.
    Live,
}

/// A stream.
pub struct Watch {
    store: Arc<dyn JobStore>,
    clock: Arc<dyn Clock>,
    feed: Feed,
    selection: Selection,
    until_final: bool,
    ends_at: Instant,
    deadline: Option<Instant>,
    known: Known,
    batches: broadcast::Receiver<Arc<Batch>>,
    ending: watch::Receiver<bool>,
    position: Position,
    phase: Phase,
    /// Of named jobs only.
    told: HashMap<JobId, Told>,
    sign_at: Instant,
    /// Whether the named jobs were compared since the last sign of life.
    compared: bool,
    over: bool,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// Begins a stream.
    pub async fn begin(deps: &Deps, ask: Ask) -> Result<Self> {
        let feed = deps.feed.clone();
        let place = feed.enter()?;
        let (known, batches) = feed.subscribe().await?;
        let ending = feed.shared.ending.subscribe();
        let now = Instant::now();
        let mut watch = Self {
            store: Arc::clone(&deps.store),
            clock: Arc::clone(&deps.clock),
            feed,
            selection: ask.selection,
            until_final: ask.until_final,
            ends_at: now + LONGEST,
            deadline: ask.deadline,
            position: Position::behind(known.settled),
            known,
            batches,
            ending,
            phase: Phase::Snapshot { behind: JobId(0) },
            told: HashMap::new(),
            sign_at: now + SIGN_OF_LIFE,
            compared: false,
            over: false,
            _place: place,
        };
        if let Some(token) = ask.resume
            && (token.snapshot_behind.is_none() || watch.known.last - token.behind < FAR_BEHIND)
            && watch.is_kept(token.behind).await?
        {
            watch.position = Position::behind(token.behind);
            watch.phase = match token.snapshot_behind {
                Some(behind) => Phase::Snapshot { behind },
                None => Phase::CatchUp { read: token.behind },
            };
        }
        Ok(watch)
    }

    /// What is told next; none at the end.
    pub async fn next(&mut self) -> Result<Option<Update>> {
        if self.over {
            return Ok(None);
        }
        let update = loop {
            self.check_end()?;
            let told = match self.phase {
                Phase::Snapshot { behind } => Some(self.snapshot(behind).await?),
                Phase::CatchUp { read } => self.catch_up(read).await?,
                Phase::Compare { behind } => self.compare(behind).await?,
                Phase::Live => self.live().await?,
            };
            if let Some((events, snapshot)) = told {
                break self.update(events, snapshot);
            }
        };
        self.sign_at = Instant::now() + SIGN_OF_LIFE;
        self.compared = false;
        self.over = self.until_final && matches!(self.phase, Phase::Live) && self.all_final();
        Ok(Some(update))
    }

    fn check_end(&self) -> Result<(), WatchError> {
        let now = Instant::now();
        if *self.ending.borrow() {
            return Err(WatchError::Ending);
        }
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(WatchError::DeadlinePassed);
        }
        if now >= self.ends_at { Err(WatchError::Lasted) } else { Ok(()) }
    }

    fn all_final(&self) -> bool {
        let mut jobs = self.selection.jobs().into_iter().flatten();
        jobs.all(|job| self.told.get(job).is_some_and(|told| told.is_final))
    }

    fn update(&self, events: Vec<JobEvent>, snapshot: bool) -> Update {
        let snapshot_behind = match self.phase {
            Phase::Snapshot { behind } => Some(behind),
            _ => None,
        };
        Update { events, resume: ResumeToken { behind: self.position.settled(), snapshot_behind }, snapshot }
    }

    /// Whether the feed still has everything behind this number.
    async fn is_kept(&self, number: i64) -> Result<bool> {
        let ends = self.store.feed_ends(Deadline::after(QUESTION)).await?;
        Ok(number <= ends.last && ends.first.is_none_or(|first| first <= number + 1))
    }

    /// Begins anew with the present state, from where the reader is now.
    async fn start_over(&mut self) -> Result<()> {
        (self.known, self.batches) = self.feed.subscribe().await?;
        self.position = Position::behind(self.known.settled);
        self.phase = Phase::Snapshot { behind: JobId(0) };
        Ok(())
    }

    /// The present state of the next jobs. The events that had led to it are not told any more.
    async fn snapshot(&mut self, behind: JobId) -> Result<(Vec<JobEvent>, bool)> {
        let (moment, asked, next) = self.moment(behind).await?;
        let shown: HashSet<JobId> = moment.jobs.iter().map(|job| job.job).collect();
        for (number, job) in &moment.events {
            if covers(asked.as_deref(), &shown, *job) {
                self.position.tell(*number);
            }
        }
        // told anew, whatever was told before
        for job in asked.iter().flatten() {
            self.told.remove(job);
        }
        let events = self.present(moment, asked.as_deref(), &HashSet::new());
        self.phase = match next {
            Some(behind) => Phase::Snapshot { behind },
            None => Phase::CatchUp { read: self.position.settled() },
        };
        Ok((events, true))
    }

    /// What differs from what was told of the next named jobs, other than by events that are still to be told.
    async fn compare(&mut self, behind: JobId) -> Result<Option<(Vec<JobEvent>, bool)>> {
        if self.selection.jobs().is_none() {
            self.phase = Phase::Live;
            return Ok(None);
        }
        let (moment, asked, next) = match self.moment(behind).await {
            // Other software may have changed something: it can be told a while later.
            Err(_) if self.compared => {
                self.phase = Phase::Live;
                return Ok(None);
            }
            found => found?,
        };
        let untold = moment.events.iter().filter(|(number, _)| !self.position.has_told(*number));
        let untold: HashSet<JobId> = untold.map(|(_, job)| *job).collect();
        let events = self.present(moment, asked.as_deref(), &untold);
        self.phase = next.map_or(Phase::Live, |behind| Phase::Compare { behind });
        let all_final = self.until_final && matches!(self.phase, Phase::Live) && self.all_final();
        Ok((!events.is_empty() || all_final).then_some((events, true)))
    }

    /// The next jobs as they are, with the events not settled yet that they show; which were asked for by name; and
    /// where to go on.
    async fn moment(&self, behind: JobId) -> Result<(Moment, Option<Vec<JobId>>, Option<JobId>)> {
        let mut filters = self.selection.conditions();
        let mut events = vec![above(self.position.settled())];
        let mut asked = None;
        if let Some(jobs) = self.selection.jobs() {
            let from = jobs.partition_point(|job| *job <= behind);
            let page = jobs[from..].chunks(PAGE).next().unwrap_or_default();
            filters.push(among(page));
            events.push(among(page));
            asked = Some(page.to_vec());
        } else {
            let value = SearchValue::Int(behind.get());
            filters.push(Filter::Scalar {
                parameter: "JobID".to_owned(),
                operator: ScalarOperator::Gt,
                value,
            });
        }
        let page = Some(Page { limit: PAGE as u64, skip: 0 });
        let search =
            Search { parameters: COLUMNS.map(str::to_owned).to_vec(), filters, page, ..Search::default() };
        let jobs = Plan::search(&JOBS, &search)?.counted(false);
        let parameters = vec!["Seq".to_owned(), "JobID".to_owned()];
        let search = Search { parameters, filters: events, ..Search::default() };
        let events = Plan::search(&JOB_EVENTS, &search)?.counted(false);
        let moment = self.store.moment(Deadline::after(QUESTION), jobs, events).await?;
        let next = match &asked {
            Some(asked) => {
                let more = self.selection.jobs().and_then(<[_]>::last) > asked.last();
                asked.last().copied().filter(|_| more)
            }
            None if moment.jobs.len() == PAGE => moment.jobs.last().map(|job| job.job),
            None => None,
        };
        Ok((moment, asked, next))
    }

    /// What the jobs of a moment show that was not told, except of the `untold`. A named job that is not there (any
    /// more), or not for this caller to see, is told as removed.
    fn present(&mut self, moment: Moment, asked: Option<&[JobId]>, untold: &HashSet<JobId>) -> Vec<JobEvent> {
        let now = self.clock.now();
        let mut events: Vec<JobEvent> =
            moment.jobs.into_iter().filter(|job| self.selection.has(job)).collect();
        if let Some(asked) = asked {
            let there: HashSet<JobId> = events.iter().map(|event| event.job).collect();
            events.extend(asked.iter().filter(|job| !there.contains(job)).map(|job| absent(*job, now)));
            events.sort_by_key(|event| event.job);
            events.retain(|event| {
                let told = Told::of(&event.state);
                if untold.contains(&event.job) || self.told.get(&event.job) == Some(&told) {
                    return false;
                }
                self.told.insert(event.job, told);
                true
            });
        }
        events
    }

    /// The events behind `read` that the reader had seen when this stream joined it.
    async fn catch_up(&mut self, read: i64) -> Result<Option<(Vec<JobEvent>, bool)>> {
        let mut filters = self.selection.conditions();
        filters.extend([above(read), up_to(self.known.last)]);
        let page = Some(Page { limit: PAGE as u64, skip: 0 });
        let plan = Plan::search(&JOB_EVENTS, &Search { filters, page, ..Search::default() })?.counted(false);
        let found = self.store.events(Deadline::after(QUESTION), plan).await?;
        // Events are removed from the beginning: what is there after the reading was there during it.
        if !self.is_kept(self.position.settled()).await? {
            self.start_over().await?;
            return Ok(None);
        }
        let more = found.last().filter(|_| found.len() == PAGE).map(|event| event.number);
        let mut events = Vec::new();
        for event in found {
            let missing = &self.known.missing;
            // What the reader has not seen it will send, behind what comes before it.
            if !is_missing(missing, event.number) {
                self.take(event, &mut events);
            }
        }
        if let Some(read) = more {
            self.position.settle(read.min(self.known.settled));
            self.phase = Phase::CatchUp { read };
        } else {
            self.position.settle(self.known.settled);
            self.phase = Phase::Compare { behind: JobId(0) };
        }
        Ok((!events.is_empty()).then_some((events, false)))
    }

    /// Tells an event that is selected and was not told.
    fn take(&mut self, event: JobEvent, events: &mut Vec<JobEvent>) {
        if self.selection.has(&event) && self.position.tell(event.number) {
            if self.selection.jobs().is_some() {
                self.told.insert(event.job, Told::of(&event.state));
            }
            events.push(event);
        }
    }

    /// Waits for the next events, or for when a sign of life is due.
    async fn live(&mut self) -> Result<Option<(Vec<JobEvent>, bool)>> {
        let wake = self.sign_at.min(self.ends_at).min(self.deadline.unwrap_or(self.ends_at));
        let received = tokio::select! {
            received = self.batches.recv() => Some(received),
            () = ended(&mut self.ending) => return Err(WatchError::Ending.into()),
            () = sleep_until(wake) => None,
        };
        let Some(received) = received else { return Ok(self.quiet()) };
        let mut events = Vec::new();
        let mut next = match received {
            Ok(batch) => Ok(batch),
            Err(broadcast::error::RecvError::Closed) => return Err(WatchError::Ending.into()),
            Err(broadcast::error::RecvError::Lagged(_)) => Err(broadcast::error::TryRecvError::Lagged(0)),
        };
        loop {
            match next {
                Ok(batch) => {
                    for event in &batch.events {
                        self.take(event.clone(), &mut events);
                    }
                    self.position.settle(batch.settled);
                }
                Err(broadcast::error::TryRecvError::Lagged(_)) => {
                    (self.known, self.batches) = self.feed.subscribe().await?;
                    self.phase = Phase::CatchUp { read: self.position.settled() };
                    break;
                }
                Err(_) => break,
            }
            if events.len() >= PAGE {
                break;
            }
            next = self.batches.try_recv();
        }
        Ok((!events.is_empty()).then_some((events, false)))
    }

    /// Nothing happened for a while: named jobs are compared first, then there is a sign of life.
    fn quiet(&mut self) -> Option<(Vec<JobEvent>, bool)> {
        if Instant::now() < self.sign_at {
            return None;
        }
        if self.selection.jobs().is_some() && !self.compared {
            self.compared = true;
            self.phase = Phase::Compare { behind: JobId(0) };
            return None;
        }
        Some((Vec::new(), false))
    }
}

/// Waits until the streams are to end.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // an error means that nobody can say so any more, which is the same
    drop(ending.wait_for(|ending| *ending).await);
}

fn is_missing(missing: &[RangeInclusive<i64>], number: i64) -> bool {
    let at = missing.partition_point(|range| *range.end() < number);
    missing.get(at).is_some_and(|range| range.contains(&number))
}

/// Whether the present state that is told of a job shows its events of the same moment.
fn covers(asked: Option<&[JobId]>, shown: &HashSet<JobId>, job: JobId) -> bool {
    asked.is_some() || shown.contains(&job)
}

/// A job that is not there, or not for the caller to see.
fn absent(job: JobId, now: DateTime<Utc>) -> JobEvent {
    JobEvent {
        number: 0,
        job,
        since: now,
        state: JobState {
            status: String::new(),
            minor_status: String::new(),
            application_status: String::new(),
            reschedule_counter: 0,
            removed: true,
        },
        owner: String::new(),
        owner_group: String::new(),
        vo: String::new(),
        job_group: String::new(),
        job_name: String::new(),
    }
}
