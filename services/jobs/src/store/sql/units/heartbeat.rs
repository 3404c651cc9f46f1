//! Jobs give signs of life and learn what is wanted of them.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, changes, heart_beat_logging, job, job_command, job_parameter, joint::HeartbeatCall};
use crate::{
    error::Result,
    logic::{
        commands::{self, CommandKey},
        heartbeat::{Heartbeat, STANDARD_OUTPUT, report},
        parameters::ParameterValue,
        transitions::StatusUpdates,
    },
    store::{
        heartbeat::{Heard, HeartbeatStore, Heartbeats, JobCommand},
        schema::JOB_DB,
    },
};

#[async_trait]
impl HeartbeatStore for Store {
    async fn hear(&self, deadline: Deadline, heartbeats: Heartbeats, config: Arc<Config>) -> Result<Heard> {
        self.joint.hear(deadline, HeartbeatCall { heartbeats, config }).await
    }

    async fn acknowledge(&self, deadline: Deadline, commands: Vec<CommandKey>) -> Result<()> {
        let commands = Arc::new(commands);
        self.databases
            .write(deadline, move |tx| {
                let commands = Arc::clone(&commands);
                async move { Ok(job_command::mark_sent(tx.on(JOB_DB).await?, &commands).await?) }.boxed()
            })
            .await
    }
}

/// Hears the jobs of several calls, each of which is in one of them only.
pub(in super::super) async fn hear(tx: &mut Tx, calls: &[Arc<HeartbeatCall>]) -> Result<Heard> {
    let mut heard = Heard::default();
    for acknowledges in [false, true] {
        let alike: Vec<_> =
            calls.iter().filter(|call| call.heartbeats.acknowledges == acknowledges).collect();
        let Some(latest) = alike.iter().max_by_key(|call| call.heartbeats.at) else { continue };
        let beats: Vec<_> = alike.iter().flat_map(|call| &call.heartbeats.beats).collect();
        let part = hear_alike(tx, &beats, acknowledges, latest.heartbeats.at, &latest.config).await?;
        heard.jobs.extend(part.jobs);
        heard.commands.extend(part.commands);
    }
    Ok(heard)
}

async fn hear_alike(
    tx: &mut Tx,
    beats: &[&Heartbeat],
    acknowledges: bool,
    at: DateTime<Utc>,
    config: &Config,
) -> Result<Heard> {
    let asked: Vec<JobId> = beats.iter().map(|beat| beat.job).collect();
    let rows = job::lock_statuses(tx.on(JOB_DB).await?, &asked).await?;
    let (mut reports, mut others) = (Vec::new(), Vec::new());
    for (id, row) in &rows {
        match report(&row.status, at) {
            Some(record) => reports.push((*id, vec![record])),
            None => others.push(*id),
        }
    }
    if !reports.is_empty() {
        let updates = StatusUpdates { jobs: reports, force: false };
        let changes = changes::plan(tx, &updates, at).await?;
        changes::write(tx, &changes, config, at).await?;
    }
    let conn = tx.on(JOB_DB).await?;
    job::set_heart_beat_times(conn, &others, at).await?;
    let known: Vec<&Heartbeat> = beats.iter().copied().filter(|beat| rows.contains_key(&beat.job)).collect();
    heart_beat_logging::note(conn, &known, at).await?;
    let outputs: Vec<(JobId, &str, ParameterValue)> = known
        .iter()
        .filter_map(|beat| Some((beat.job, STANDARD_OUTPUT, beat.standard_output.as_deref()?.into())))
        .collect();
    job_parameter::set(conn, &outputs, at).await?;

    let ids: Vec<JobId> = rows.keys().copied().collect();
    let delivered = commands::deliver(job_command::waiting(conn, &ids).await?, acknowledges);
    if !acknowledges {
        let keys: Vec<CommandKey> = delivered.iter().map(|command| command.key.clone()).collect();
        job_command::mark_sent(conn, &keys).await?;
    }
    let with_run = |command: commands::StoredCommand| {
        let reschedule_counter = rows.get(&command.key.job)?.reschedule_counter;
        Some(JobCommand { command, reschedule_counter })
    };
    Ok(Heard {
        jobs: ids.into_iter().collect(),
        commands: delivered.into_iter().filter_map(with_run).collect(),
    })
}
