//! `PATCH /api/jobs/heartbeat`: jobs are alive, and fetch what is wanted of them.

use axum::{body::Body, extract::State, response::Response};
use diracx_core::JobId;
use diracx_proto::{
    jobs::v1::{Heartbeat, JobCommand, JobCommandKind, SendHeartbeatsRequest},
    status::of_call,
};
use http::{HeaderMap, StatusCode};

use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{json_bytes, table::write_value},
    validation::{
        Problems, body,
        heartbeat::{JobHeartbeat, heartbeat_body},
    },
};

/// Jobs that do not exist are passed over, unless none does. A client cannot acknowledge commands here, so those in the
/// answer count as arrived.
pub(super) async fn add_heartbeat(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let jobs = body::required(&mut problems, value.as_ref(), heartbeat_body);
    let jobs = problems.none_or(jobs)?;
    let heartbeats = jobs.into_iter().map(heartbeat).collect();
    let request = caller.request(SendHeartbeatsRequest { heartbeats, auto_acknowledge: true });
    let answer = context.jobs().send_heartbeats(request).await?.into_inner();
    match answer.outcomes.first().and_then(|outcome| outcome.error.as_ref()) {
        Some(error) if answer.outcomes.iter().all(|outcome| outcome.error.is_some()) => {
            Err(of_call(error).into())
        }
        _ => Ok(json_bytes(StatusCode::OK, commands(&answer.commands).into())),
    }
}

fn heartbeat((job, heartbeat): (JobId, JobHeartbeat)) -> Heartbeat {
    let [load_average, memory_used, vsize, available_disk_space, cpu_consumed, wall_clock_time] =
        heartbeat.figures;
    Heartbeat {
        job_id: job.get(),
        load_average,
        memory_used,
        vsize,
        available_disk_space,
        cpu_consumed,
        wall_clock_time,
        standard_output: heartbeat.standard_output,
    }
}

/// DiracX's clients know one command.
fn commands(commands: &[JobCommand]) -> Vec<u8> {
    let mut out = vec![b'['];
    for command in commands.iter().filter(|command| command.kind() == JobCommandKind::Kill) {
        out.extend_from_slice(if out.len() > 1 { b",{\"job_id\":" } else { b"{\"job_id\":" });
        write_value(&mut out, &command.job_id);
        out.extend_from_slice(b",\"command\":\"Kill\",\"arguments\":");
        write_value(&mut out, command.arguments.as_str());
        out.push(b'}');
    }
    out.push(b']');
    out
}
