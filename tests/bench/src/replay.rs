//! The statements of a request by themselves: what the databases need for it when nobody else asks for anything.
//!
//! On MariaDB as many connections as there were clients each replay the request over and over. On SQLite, where one
//! at a time writes, requests that write are replayed on one connection, as many to a commit as there were
//! clients: no way of writing to SQLite is faster, so that nothing is gained by comparing with a slow one.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use diracx_core::{Clock as _, SystemClock};
use diracx_db::Bind;

use crate::{
    direct::Direct,
    load::{self, CONNECTIONS, Run, Worker},
    place::Backend,
    record::Recording,
    requests::{Ask, Jobs},
    statement::Statement,
};

/// Numbers records and tokens of replayed requests, so that none is there already.
static FRESH: AtomicI64 = AtomicI64::new(1_000_000);

fn fresh() -> i64 {
    FRESH.fetch_add(1, Ordering::Relaxed)
}

/// Replays a request for so long.
pub(crate) async fn run(
    backend: Backend,
    ask: Ask,
    recording: &Recording,
    jobs: &Jobs,
    length: Duration,
) -> Result<Run> {
    let grouped = backend == Backend::Sqlite && ask.writes();
    let workers = if grouped { 1 } else { CONNECTIONS };
    let mut all = Vec::new();
    for _ in 0..workers {
        all.push(Replay::new(backend, ask, recording.clone(), jobs.clone(), grouped).await?);
    }
    let mut run = load::run(all, length, || ()).await?;
    if grouped {
        #[expect(clippy::cast_precision_loss, reason = "it is eight")]
        {
            run.summary.per_second *= CONNECTIONS as f64;
        }
    }
    Ok(run)
}

struct Replay {
    ask: Ask,
    recording: Recording,
    jobs: Jobs,
    grouped: bool,
    connections: HashMap<String, Direct>,
    /// The token that is exchanged next.
    token: String,
}

/// What a replayed request has instead of what was recorded.
#[derive(Default)]
struct Instead {
    jobs: HashMap<i64, i64>,
    texts: HashMap<String, String>,
}

impl Replay {
    async fn new(
        backend: Backend,
        ask: Ask,
        recording: Recording,
        jobs: Jobs,
        grouped: bool,
    ) -> Result<Self> {
        let mut connections = HashMap::new();
        for (database, _) in &recording.statements {
            if !connections.contains_key(database) {
                connections.insert(database.clone(), Direct::open(backend, database).await?);
            }
        }
        let mut replay = Self { ask, recording, jobs, grouped, connections, token: String::new() };
        if ask == Ask::Refresh {
            replay.insert_token().await?;
        }
        Ok(replay)
    }

    /// Makes a token to begin with.
    async fn insert_token(&mut self) -> Result<()> {
        let insert = self.recording.statements.iter().find(|(_, statement)| statement.inserts().is_some());
        let (database, insert) = insert.context("no token was inserted")?.clone();
        let (_, new) = self.recorded_tokens()?;
        self.token = fresh_token(&new);
        let instead = Instead { texts: [(new, self.token.clone())].into(), ..Instead::default() };
        self.execute(&database, &insert, &instead).await
    }

    /// The token that was exchanged when the request was recorded, and the one that came for it.
    fn recorded_tokens(&self) -> Result<(String, String)> {
        let mut keys: Vec<&String> = Vec::new();
        for (_, statement) in &self.recording.statements {
            for value in &statement.values {
                if let Bind::Text(text) = value
                    && text.len() == 32
                    && text.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && !keys.contains(&text)
                {
                    keys.push(text);
                }
            }
        }
        let [old, new] = keys[..] else { bail!("{} keys of tokens instead of two", keys.len()) };
        Ok((old.clone(), new.clone()))
    }

    async fn execute(&mut self, database: &str, statement: &Statement, instead: &Instead) -> Result<()> {
        let statement = relocated(statement, instead);
        let conn = self.connections.get_mut(database).context("a database that nobody opened")?;
        if statement.values.is_empty() && !statement.selects() {
            return conn.say(&statement.sql).await;
        }
        conn.execute(&statement).await.with_context(|| statement.sql.chars().take(200).collect::<String>())
    }

    /// One request.
    async fn request(&mut self) -> Result<()> {
        let mut instead = Instead::default();
        match self.ask {
            Ask::Status(count) | Ask::Heartbeat(count) => {
                instead.jobs = self.recording.jobs.iter().copied().zip(self.jobs.take(count)).collect();
            }
            Ask::Refresh => {
                let (old, new) = self.recorded_tokens()?;
                let next = fresh_token(&new);
                let before = std::mem::replace(&mut self.token, next.clone());
                instead.texts = [(old, before), (new, next)].into();
            }
            _ => {}
        }
        for place in 0..self.recording.statements.len() {
            let (database, statement) = self.recording.statements[place].clone();
            if self.grouped && is_transaction(&statement.sql) {
                continue;
            }
            self.execute(&database, &statement, &instead).await?;
            if matches!(self.ask, Ask::Submit(_))
                && statement.inserts().is_some_and(|(table, _)| table == "JobJDLs")
            {
                let count = i64::try_from(self.recording.jobs.len())?;
                let conn = self.connections.get_mut(&database).context("a database that nobody opened")?;
                let first = conn.inserted_id(count)?;
                instead.jobs = self.recording.jobs.iter().copied().zip(first..).collect();
            }
        }
        Ok(())
    }

    async fn say(&mut self, sql: &str) -> Result<()> {
        for conn in self.connections.values_mut() {
            conn.say(sql).await?;
        }
        Ok(())
    }
}

impl Worker for Replay {
    async fn once(&mut self) -> Result<()> {
        if !self.grouped {
            return self.request().await;
        }
        self.say("BEGIN IMMEDIATE").await?;
        for _ in 0..CONNECTIONS {
            self.request().await?;
        }
        self.say("COMMIT").await
    }
}

fn is_transaction(sql: &str) -> bool {
    ["BEGIN", "COMMIT"].iter().any(|word| sql.starts_with(word))
}

/// A token's key as new as the recorded one, which begins with the time.
fn fresh_token(recorded: &str) -> String {
    format!("{}{:016x}", recorded.get(..16).unwrap_or_default(), fresh())
}

/// The statement with the values of this replay.
fn relocated(statement: &Statement, instead: &Instead) -> Statement {
    let mut statement = statement.clone();
    let sequence = statement.inserts().and_then(|(_, columns)| {
        columns.iter().position(|column| *column == "SeqNum").map(|place| (place, columns.len()))
    });
    for (place, value) in statement.values.iter_mut().enumerate() {
        match value {
            // The key of records: job and number.
            Bind::Int(number) if sequence.is_some_and(|(column, width)| place % width == column) => {
                // The first record of a new job is its first.
                *number = if *number > 1 { fresh() } else { 1 };
            }
            Bind::Int(number) => *number = instead.jobs.get(number).copied().unwrap_or(*number),
            Bind::Text(text) => {
                if let Some(other) = instead.texts.get(text) {
                    other.clone_into(text);
                }
            }
            Bind::Time(time) if !instead.jobs.is_empty() => *time = SystemClock.now().into(),
            _ => {}
        }
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: &str, values: Vec<Bind>) -> Statement {
        Statement { sql: sql.to_owned(), values }
    }

    #[test]
    fn jobs_and_tokens_are_others_and_the_rest_stays() {
        let instead =
            Instead { jobs: [(7, 70)].into(), texts: [("old".to_owned(), "new".to_owned())].into() };
        let before =
            statement("UPDATE", vec![Bind::Int(7), Bind::Int(8), "old".into(), "x".into(), Bind::Null]);
        let after = vec![Bind::Int(70), Bind::Int(8), "new".into(), "x".into(), Bind::Null];
        assert_eq!(relocated(&before, &instead).values, after);
    }

    #[test]
    fn further_records_get_numbers_that_nobody_has() {
        let sql = "INSERT INTO `LoggingInfo` (`JobID`, `SeqNum`) VALUES (?, ?), (?, ?)";
        let values = [7, 2, 8, 1].map(Bind::Int).to_vec();
        let instead = Instead { jobs: [(2, 20)].into(), ..Instead::default() };
        let after = relocated(&statement(sql, values), &instead).values;
        assert_eq!((&after[0], &after[2], &after[3]), (&Bind::Int(7), &Bind::Int(8), &Bind::Int(1)));
        assert!(matches!(after[1], Bind::Int(number) if number >= 1_000_000), "{after:?}");
    }

    #[test]
    fn a_token_is_as_long_as_a_token_and_unlike_the_last() {
        let recorded = "0190aaaabbbb7cccdddd000011112222";
        let (one, two) = (fresh_token(recorded), fresh_token(recorded));
        assert_eq!((one.len(), &one[..16]), (32, &recorded[..16]));
        assert_ne!(one, two);
    }
}
