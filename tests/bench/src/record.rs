//! Which statements a request consists of: they are not written down here, where they would grow old, but
//! overheard. The same request is sent to a standalone in this process, where diesel tells what it executes.

use std::{
    ffi::OsString,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diracx_server::{settings::Environment, telemetry::Metrics};
use diracx_standalone::{Given, RunningStandalone, Standalone};

use crate::{
    load::Worker as _,
    place::Place,
    requests::{Ask, Jobs},
    seed::{self, OWNER},
    server::log_in,
    statement::Statement,
    workers::{Rest, Scene},
};

/// What was said, and to which database.
static HEARD: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
static LISTENING: AtomicBool = AtomicBool::new(false);

fn heard() -> MutexGuard<'static, Vec<(String, String)>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to one connection.
#[derive(Default)]
struct Ear {
    database: String,
}

impl Instrumentation for Ear {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => url.clone_into(&mut self.database),
            InstrumentationEvent::StartQuery { query, .. } if LISTENING.load(Ordering::SeqCst) => {
                heard().push((self.database.clone(), query.to_string()));
            }
            _ => {}
        }
    }
}

/// The statements of one request, in their order, with the database that each goes to.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) statements: Vec<(String, Statement)>,
    /// The jobs that the request named or made.
    pub(crate) jobs: Vec<i64>,
}

/// A standalone in this process, whose connections are listened to.
pub(crate) struct Recorder {
    standalone: Option<RunningStandalone>,
    user: Scene,
    administrator: Scene,
}

impl Recorder {
    /// Starts one on these databases, and makes their tables.
    pub(crate) async fn start(place: &Place, jobs: i64) -> Result<Self> {
        set_default_instrumentation(|| Some(Box::new(Ear::default())))
            .map_err(|error| anyhow::anyhow!("cannot listen to diesel: {error}"))?;
        let arguments =
            ["diracx-standalone", "--listen", "127.0.0.1:0", "--data-dir"].into_iter().map(OsString::from);
        let arguments = arguments.chain([place.data().as_os_str().to_owned()]).collect();
        let (environment, _) = Environment::from_variables(place.environment());
        let standalone = Standalone::start(&Given { arguments, environment }, Metrics::default()).await?;
        let address = standalone.address().to_string();
        let tokens = log_in(&standalone.url(), OWNER, "user").await?;
        // The last ones: the first are left to be measured.
        let owned = Jobs::new(seed::owned(jobs).into_iter().rev().collect());
        let user = Scene { address, tokens, jobs: owned, filled: jobs };
        let tokens = log_in(&standalone.url(), "carol", "admin").await?;
        let administrator = Scene { tokens, ..user.clone() };
        Ok(Self { standalone: Some(standalone), user, administrator })
    }

    /// Sends the request until it was heard twice in the same words: what else goes on in the process,
    /// and what only a first request says, is left out.
    pub(crate) async fn record(&self, ask: Ask) -> Result<Recording> {
        let scene = if ask.as_administrator() { &self.administrator } else { &self.user };
        let mut worker = Rest::new(scene.clone(), ask).await?;
        let mut last: Vec<String> = Vec::new();
        for _ in 0..ATTEMPTS {
            heard().clear();
            LISTENING.store(true, Ordering::SeqCst);
            let asked = worker.once().await;
            LISTENING.store(false, Ordering::SeqCst);
            asked?;
            let statements = std::mem::take(&mut *heard());
            let statements = statements.into_iter().filter(|(_, text)| !is_noise(text));
            let statements: Vec<(String, Statement)> = statements
                .map(|(database, text)| Ok((database, Statement::read(&text).with_context(|| text)?)))
                .collect::<Result<_>>()?;
            let words: Vec<String> = statements.iter().map(|(_, statement)| statement.sql.clone()).collect();
            if !words.is_empty() && words == last {
                let jobs = match ask {
                    Ask::Status(_) | Ask::Heartbeat(_) => worker.named.clone(),
                    Ask::Submit(_) => made(&statements),
                    _ => Vec::new(),
                };
                return Ok(Recording { statements, jobs });
            }
            last = words;
        }
        bail!("{ask:?} executes other statements each time")
    }

    /// Stops it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        match self.standalone.take() {
            Some(standalone) => standalone.stop().await,
            None => Ok(()),
        }
    }
}

/// How often a request is sent at the most.
const ATTEMPTS: usize = 8;

/// What belongs to a connection and not to a request.
fn is_noise(text: &str) -> bool {
    ["PRAGMA", "SET ", "SELECT 1", "SELECT VERSION", "SAVEPOINT", "RELEASE", "ROLLBACK"]
        .iter()
        .any(|noise| text.starts_with(noise))
}

/// The numbers of the rows that went into `Jobs`.
fn made(statements: &[(String, Statement)]) -> Vec<i64> {
    let insert = statements.iter().find_map(|(_, statement)| match statement.inserts() {
        Some(("Jobs", columns)) => Some((statement, columns)),
        _ => None,
    });
    let Some((insert, columns)) = insert else { return Vec::new() };
    let place = columns.iter().position(|column| *column == "JobID").unwrap_or_default();
    let keys = insert.values.iter().skip(place).step_by(columns.len());
    keys.filter_map(|key| if let diracx_db::Bind::Int(id) = key { Some(*id) } else { None }).collect()
}
