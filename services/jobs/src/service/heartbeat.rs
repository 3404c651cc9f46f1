//! Heartbeats, and the commands that they fetch.

use std::collections::BTreeSet;

use diracx_core::JobId;
use diracx_proto::{Invalid, jobs::v1 as pb, status::of_item, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::MOST_JOBS;
use crate::{
    Deps,
    error::Error,
    logic::{
        commands::{CommandKey, KILL},
        heartbeat::{Heartbeat, last_part},
    },
    policy,
    store::{Heartbeats, JobCommand},
};

pub(super) async fn send_heartbeats(
    deps: &Deps,
    request: Request<pb::SendHeartbeatsRequest>,
) -> Result<Response<pb::SendHeartbeatsResponse>, Status> {
    let identity = identity(&request)?;
    let request = request.into_inner();
    let acknowledges = !request.auto_acknowledge;
    let beats = decode(request.heartbeats).map_err(to_status)?;
    let asked: Vec<JobId> = beats.iter().map(|beat| beat.job).collect();
    let permit = policy::manage(deps, &identity, asked).await.map_err(to_status)?;
    let heartbeats = Heartbeats { beats, acknowledges, at: deps.clock.now() };
    let config = deps.config.current().map_err(to_status)?;
    let heard = deps.store.hear(crate::deadline(), heartbeats, config).await.map_err(to_status)?;
    let outcome = |job: JobId| pb::HeartbeatOutcome {
        job_id: job.get(),
        error: (!heard.jobs.contains(&job)).then(|| of_item(&to_status(Error::JobNotFound(job)))),
    };
    let outcomes = permit.into_jobs().into_iter().map(outcome).collect();
    let commands = heard.commands.into_iter().map(command).collect();
    Ok(Response::new(pb::SendHeartbeatsResponse { outcomes, commands }))
}

pub(super) async fn acknowledge_commands(
    deps: &Deps,
    request: Request<pb::AcknowledgeCommandsRequest>,
) -> Result<Response<pb::AcknowledgeCommandsResponse>, Status> {
    let identity = identity(&request)?;
    let acknowledgements = request.into_inner().acknowledgements;
    if acknowledgements.len() > MOST_JOBS {
        let problem = format!("names {} commands, {MOST_JOBS} is the limit", acknowledgements.len());
        return Err(to_status(Invalid::field("acknowledgements", problem)));
    }
    let jobs = acknowledgements.iter().map(|acknowledgement| JobId(acknowledgement.job_id)).collect();
    policy::manage(deps, &identity, jobs).await.map_err(to_status)?;
    let mut keys = Vec::with_capacity(acknowledgements.len());
    let mut outcomes = Vec::with_capacity(acknowledgements.len());
    for (i, pb::CommandAcknowledgement { job_id, command_id }) in acknowledgements.into_iter().enumerate() {
        let key = CommandKey::read(JobId(job_id), &command_id);
        let error = key.is_none().then(|| {
            let field = format!("acknowledgements[{i}].command_id");
            of_item(&to_status(Invalid::field(field, "is not one that this service gave")))
        });
        keys.extend(key);
        outcomes.push(pb::AcknowledgeCommandOutcome { command_id, error });
    }
    deps.store.acknowledge(crate::deadline(), keys).await.map_err(to_status)?;
    Ok(Response::new(pb::AcknowledgeCommandsResponse { outcomes }))
}

fn decode(heartbeats: Vec<pb::Heartbeat>) -> Result<Vec<Heartbeat>, Invalid> {
    if heartbeats.len() > MOST_JOBS {
        let problem = format!("has {} jobs, {MOST_JOBS} is the limit", heartbeats.len());
        return Err(Invalid::field("heartbeats", problem));
    }
    let mut seen = BTreeSet::new();
    let mut beats = Vec::with_capacity(heartbeats.len());
    for (i, heartbeat) in heartbeats.into_iter().enumerate() {
        let job = JobId(heartbeat.job_id);
        if !seen.insert(job) {
            return Err(Invalid::field(format!("heartbeats[{i}].job_id"), format!("{job} is there twice")));
        }
        let figures = figures(&heartbeat).map_err(|e| e.within(format_args!("heartbeats[{i}]")))?;
        beats.push(Heartbeat { job, figures, standard_output: heartbeat.standard_output.map(last_part) });
    }
    Ok(beats)
}

fn figures(heartbeat: &pb::Heartbeat) -> Result<Vec<(&'static str, f64)>, Invalid> {
    let mut figures = Vec::new();
    for (field, name, value) in [
        ("load_average", "LoadAverage", heartbeat.load_average),
        ("memory_used", "MemoryUsed", heartbeat.memory_used),
        ("vsize", "Vsize", heartbeat.vsize),
        ("available_disk_space", "AvailableDiskSpace", heartbeat.available_disk_space),
        ("cpu_consumed", "CPUConsumed", heartbeat.cpu_consumed),
        ("wall_clock_time", "WallClockTime", heartbeat.wall_clock_time),
    ] {
        match value {
            Some(value) if value.is_finite() => figures.push((name, value)),
            Some(_) => return Err(Invalid::field(field, "is not a finite number")),
            None => {}
        }
    }
    Ok(figures)
}

fn command(JobCommand { command, reschedule_counter }: JobCommand) -> pb::JobCommand {
    let kind = if command.name == KILL { pb::JobCommandKind::Kill } else { pb::JobCommandKind::Unspecified };
    pb::JobCommand {
        command_id: command.key.id(),
        job_id: command.key.job.get(),
        kind: kind.into(),
        name: command.name,
        arguments: command.key.arguments,
        reschedule_counter: i32::try_from(reschedule_counter).unwrap_or(i32::MAX),
        reception_time: Some(time::timestamp(command.key.reception_time)),
    }
}
