//! The local executor: runs the jobs of a laptop or a demonstration on the machine itself.
//!
//! It is what a pilot is elsewhere, in one process: it takes Received jobs, runs their programs in scratch
//! directories, at most one per CPU, and moves them through the status machine by the same rpcs. Jobs run
//! as the user of this process: that is why it is off by default and refused off the loopback address.

mod api;
mod arguments;
mod passed_over;
mod process;
mod sandbox;
mod scratch;

use std::{collections::HashMap, future::Future, path::Path, sync::Arc, time::Duration};

use diracx_client::AnyChannel;
use diracx_core::{Clock, JobId, JobStatus, jdl};
use diracx_server::ComponentToken;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

pub use api::COMPONENT;
use api::{Api, CallError, News};
use passed_over::PassedOver;
use process::Outcome;
use sandbox::JobFiles;
use scratch::{Scratch, ScratchSpace};

/// How often to look for new jobs.
const LOOK: Duration = Duration::from_millis(200);

/// How often to ask whether jobs that run were killed.
const WATCH: Duration = Duration::from_secs(1);

/// How long to wait after a call that failed.
const BACK_OFF: Duration = Duration::from_secs(2);

/// How often the end of a job is told again if the telling fails.
const TELLINGS: usize = 10;

/// What at the most is said about jobs that run when the process ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// The column `ApplicationStatus`, characters.
const APPLICATION_STATUS: usize = 255;

const INTERRUPTED: &str = "Interrupted: the executor was stopped while the job ran";
const INTERRUPTED_EARLIER: &str = "Interrupted: the executor of an earlier process ended while the job ran";

/// Runs jobs until it is told to stop.
pub struct LocalExecutor {
    api: Api,
    files: JobFiles,
    scratch: ScratchSpace,
    slots: usize,
    running: HashMap<JobId, watch::Sender<bool>>,
    tasks: JoinSet<JobId>,
    passed_over: PassedOver,
}

impl LocalExecutor {
    /// An executor that calls the jobs service on `channel` of the DiracX at `base`, and works below `directory`.
    pub fn new(
        channel: AnyChannel,
        token: ComponentToken,
        clock: Arc<dyn Clock>,
        base: &str,
        directory: &Path,
    ) -> std::io::Result<Self> {
        let files = JobFiles::new(channel.clone(), token.clone(), base).map_err(std::io::Error::other)?;
        Ok(Self {
            api: Api::new(channel, token, clock),
            files,
            scratch: ScratchSpace::open(directory)?,
            slots: std::thread::available_parallelism().map_or(1, usize::from),
            running: HashMap::new(),
            tasks: JoinSet::new(),
            passed_over: PassedOver::default(),
        })
    }

    /// Runs jobs until `shutdown` is ready; then stops what runs, and tells so.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        tracing::info!(slots = self.slots, "the local executor runs up to {} jobs at a time", self.slots);
        let mut leftovers = true;
        let mut look = Instant::now();
        let mut watch = look;
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = self.tasks.join_next() => {
                    self.ended(ended);
                    look = Instant::now();
                }
                () = sleep_until(look), if self.running.len() < self.slots || leftovers => {
                    let looked = self.look(&mut leftovers).await;
                    look = Instant::now() + pause(looked, LOOK);
                }
                () = sleep_until(watch), if !self.running.is_empty() => {
                    let watched = self.stop_killed().await;
                    watch = Instant::now() + pause(watched, WATCH);
                }
            }
        }
        self.stop_all().await;
    }

    async fn look(&mut self, leftovers: &mut bool) -> Result<(), CallError> {
        if *leftovers {
            self.fail_leftovers().await?;
            *leftovers = false;
        }
        self.take().await
    }

    /// Jobs that an earlier process took and did not finish.
    async fn fail_leftovers(&self) -> Result<(), CallError> {
        let jobs = match self.scratch.leftovers() {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!("cannot look for jobs of an earlier process: {error}");
                return Ok(());
            }
        };
        let unfinished: Vec<JobId> = self
            .api
            .statuses(&jobs)
            .await?
            .into_iter()
            .filter(|(_, status)| matches!(status, JobStatus::Matched | JobStatus::Running))
            .map(|(job, _)| job)
            .collect();
        if !unfinished.is_empty() {
            tracing::warn!(
                job.count = unfinished.len(),
                "failing jobs that an earlier process left unfinished"
            );
            self.api
                .tell(&unfinished, &[News::with(JobStatus::Failed, "Job interrupted", INTERRUPTED_EARLIER)])
                .await?;
        }
        for job in jobs {
            if let Err(error) = self.scratch.forget(job) {
                tracing::warn!("cannot remove what is left of job {job}: {error}");
            }
        }
        Ok(())
    }

    /// Takes as many jobs as there are free slots.
    async fn take(&mut self) -> Result<(), CallError> {
        let free = self.slots.saturating_sub(self.running.len());
        // Those that could not be taken stand in front of the others: look behind them.
        let untaken = self.api.untaken(free + self.passed_over.len()).await?;
        let now = Instant::now();
        let mut jobs: Vec<JobId> = untaken
            .iter()
            .map(|(job, _)| *job)
            .filter(|job| !self.running.contains_key(job) && !self.passed_over.contains(*job, now))
            .take(free)
            .collect();
        if jobs.is_empty() {
            return Ok(());
        }
        // The directory comes first: should this process end here, it tells that the job was taken.
        let mut directories = HashMap::new();
        for job in &jobs {
            match self.scratch.create(*job) {
                Ok(scratch) => drop(directories.insert(*job, scratch)),
                Err(error) => {
                    tracing::error!("no scratch directory for job {job}: {error}");
                    self.passed_over.add(*job, now);
                }
            }
        }
        jobs.retain(|job| directories.contains_key(job));
        let descriptions = self.api.descriptions(&jobs).await?;
        let took = self.claim(&jobs, &untaken).await?;
        for job in jobs.iter().filter(|job| !took.contains(job)) {
            self.passed_over.add(*job, now);
        }
        for (job, description) in jobs.into_iter().zip(descriptions) {
            if let Some(scratch) = directories.remove(&job).filter(|_| took.contains(&job)) {
                let (stop, stopped) = watch::channel(false);
                self.running.insert(job, stop);
                self.tasks.spawn(run_job(
                    self.api.clone(),
                    self.files.clone(),
                    job,
                    description,
                    scratch,
                    stopped,
                ));
            }
        }
        Ok(())
    }

    /// Makes jobs ours. Returns those that are; somebody may have killed the others meanwhile.
    async fn claim(&self, jobs: &[JobId], found: &[(JobId, JobStatus)]) -> Result<Vec<JobId>, CallError> {
        let news = [
            News::new(JobStatus::Received, "Job accepted"),
            News::new(JobStatus::Waiting, "Pilot Agent Submission"),
            News::new(JobStatus::Matched, "Assigned"),
        ];
        let (submitting, received): (Vec<JobId>, Vec<JobId>) =
            jobs.iter().partition(|job| found.contains(&(**job, JobStatus::Submitting)));
        let mut took = self.api.tell(&received, &news[1..]).await?;
        took.extend(self.api.tell(&submitting, &news).await?);
        Ok(took)
    }

    fn ended(&mut self, ended: Result<JobId, tokio::task::JoinError>) {
        match ended {
            Ok(job) => drop(self.running.remove(&job)),
            Err(error) => {
                tracing::error!("running a job panicked: {error}");
                self.running.retain(|_, stop| !stop.is_closed());
            }
        }
    }

    /// Ends the jobs that somebody has killed or deleted.
    async fn stop_killed(&self) -> Result<(), CallError> {
        let jobs: Vec<JobId> = self.running.keys().copied().collect();
        let statuses: HashMap<_, _> = self.api.statuses(&jobs).await?.into_iter().collect();
        for (job, stop) in &self.running {
            match statuses.get(job) {
                Some(JobStatus::Matched | JobStatus::Running | JobStatus::Stalled) => {}
                // Its own task has told the end already, or is about to: stopping it then changes nothing.
                Some(JobStatus::Done | JobStatus::Failed) => {}
                status => {
                    tracing::info!(job.id = job.get(), "ending job {job}, which is {}", name(status));
                    stop.send_replace(true);
                }
            }
        }
        Ok(())
    }

    async fn stop_all(mut self) {
        if self.running.is_empty() {
            return;
        }
        let jobs: Vec<JobId> = self.running.keys().copied().collect();
        tracing::info!(job.count = jobs.len(), "ending {} jobs", jobs.len());
        let news = News::with(JobStatus::Failed, "Job interrupted", INTERRUPTED);
        // Told first: then the ends of their programs are no news any more.
        if let Ok(Err(error)) = timeout(FAREWELL, self.api.tell(&jobs, &[news])).await {
            tracing::warn!("cannot tell that jobs were interrupted: {error}");
        }
        for stop in self.running.values() {
            stop.send_replace(true);
        }
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(FAREWELL, all_ended).await.is_err() {
            tracing::warn!("not all jobs ended in time");
        }
    }
}

fn name(status: Option<&JobStatus>) -> &'static str {
    status.map_or("gone", |status| status.as_str())
}

fn pause(result: Result<(), CallError>, otherwise: Duration) -> Duration {
    match result {
        Ok(()) => otherwise,
        Err(error) => {
            tracing::warn!("the local executor cannot call the jobs service: {error}");
            BACK_OFF
        }
    }
}

/// Runs one job that was taken, from its description to its last status.
async fn run_job(
    api: Api,
    files: JobFiles,
    job: JobId,
    description: Result<String, String>,
    scratch: Scratch,
    stopped: watch::Receiver<bool>,
) -> JobId {
    let payload = description.and_then(|jdl| jdl::payload(&jdl).map_err(|error| error.to_string()));
    let last = match payload {
        Ok(payload) => run_payload(&api, &files, job, &payload, &scratch, stopped).await,
        Err(problem) => Some(News::with(JobStatus::Failed, "Cannot read the job description", problem)),
    };
    if let Some(mut news) = last {
        news.application = news.application.map(|text| text.chars().take(APPLICATION_STATUS).collect());
        tracing::info!(job.id = job.get(), "job {job} is {}", news.status);
        tell(&api, job, news).await;
    }
    job
}

/// From the files that the job reads to those that it wrote. Nothing is said of a job that was stopped.
async fn run_payload(
    api: &Api,
    files: &JobFiles,
    job: JobId,
    payload: &jdl::Payload,
    scratch: &Scratch,
    mut stopped: watch::Receiver<bool>,
) -> Option<News> {
    let fetched = tokio::select! {
        fetched = files.fetch(job, payload, scratch) => fetched,
        () = stop(&mut stopped) => return None,
    };
    if let Err(problem) = fetched {
        // Only a job that runs can fail.
        tell(api, job, News::new(JobStatus::Running, "Downloading InputSandbox")).await;
        return Some(News::with(JobStatus::Failed, "Failed Downloading InputSandbox", problem));
    }
    tell(api, job, News::new(JobStatus::Running, "Application")).await;
    let ended = match process::run(job, payload, scratch, stopped.clone()).await {
        Outcome::Exited { code: Some(0), summary } => {
            News::with(JobStatus::Done, "Execution Complete", summary)
        }
        Outcome::Exited { summary, .. } => {
            News::with(JobStatus::Failed, "Application Finished With Errors", summary)
        }
        Outcome::Failed(problem) => {
            return Some(News::with(JobStatus::Failed, "Application Failed To Start", problem));
        }
        Outcome::Stopped => return None,
    };
    let kept = tokio::select! {
        kept = files.keep(job, payload, scratch) => kept,
        () = stop(&mut stopped) => return None,
    };
    match kept {
        Ok(()) => Some(ended),
        Err(problem) => Some(News::with(JobStatus::Failed, "Failed Uploading OutputSandbox", problem)),
    }
}

/// Until somebody kills the job, or the executor ends.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    // The error says that nobody is there any more to stop it.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Tells something about a job, again if it must be.
async fn tell(api: &Api, job: JobId, news: News) {
    for _ in 0..TELLINGS {
        match api.tell(&[job], std::slice::from_ref(&news)).await {
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(job.id = job.get(), "cannot tell that job {job} is {}: {error}", news.status);
            }
        }
        tokio::time::sleep(BACK_OFF).await;
    }
}
