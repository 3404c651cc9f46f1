//! Logs of pilots.

use std::{pin::pin, time::Duration};

use diracx_proto::{Invalid, pilot, pilots::v1 as pb, time};
use diracx_server::{Deadline, deadline::DeadlinePassed, identity, to_status, token::TokenError};
use futures::{StreamExt, stream};
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{
    Deps,
    logic::log::{self, Ask, Part, Reader},
    policy::{self, AppendLog},
    store::log::LogLine,
};

/// How many lines one message may have.
const MOST_LINES: usize = 10_000;
/// How large the lines of one message may be, in bytes.
const LARGEST_MESSAGE: usize = 1 << 20;
/// How long a line may be, in characters; of a longer one the rest is cut off.
const LONGEST_LINE: usize = 4096;
/// How long the name of a part of the pilot may be, in characters.
const LONGEST_COMPONENT: usize = 64;
/// How long a pilot may take for its next message.
const SILENCE: Duration = Duration::from_mins(5);
/// How long the lines of one message may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn append_pilot_log(
    deps: &Deps,
    request: Request<Streaming<pb::AppendPilotLogRequest>>,
) -> Result<Response<pb::AppendPilotLogResponse>, Status> {
    let identity = identity(&request)?;
    let mut messages = pin!(request.into_inner());
    let mut appending: Option<(AppendLog, i64)> = None;
    let end = Instant::now() + log::LONGEST;
    // whoever speaks must be who the token says, however long ago it was shown
    let good =
        || (identity.expires() - deps.clock.now()).to_std().map_err(|_| to_status(TokenError::Expired));
    loop {
        let left = good()?;
        let patience = SILENCE.min(end.saturating_duration_since(Instant::now()));
        let message = Deadline::after(patience.min(left)).enforce(messages.next()).await;
        let late =
            || if left < patience { to_status(TokenError::Expired) } else { to_status(DeadlinePassed) };
        let Some(message) = message.ok_or_else(late)?.transpose()? else { break };
        good()?;
        let permit = if let Some((permit, _)) = appending.take() {
            permit
        } else {
            let stamp = pilot::stamp("pilot_stamp", message.pilot_stamp).map_err(to_status)?;
            policy::append_log(&identity, stamp).map_err(to_status)?
        };
        let lines = read_lines(message.first_line, message.lines).map_err(to_status)?;
        let appended = log::append(deps, &permit, message.first_line, lines);
        let appended = Deadline::after(PATIENCE).enforce(appended).await;
        let next = appended.ok_or_else(|| to_status(DeadlinePassed))?.map_err(to_status)?;
        appending = Some((permit, next));
    }
    let Some((_, next_line)) = appending else {
        return Err(to_status(Invalid::field(
            "pilot_stamp",
            "is required: the stream ended before its first message",
        )));
    };
    Ok(Response::new(pb::AppendPilotLogResponse { next_line }))
}

fn read_lines(first: i64, lines: Vec<pb::PilotLogLine>) -> Result<Vec<LogLine>, Invalid> {
    if first < 0 {
        return Err(Invalid::field("first_line", "must not be less than 0"));
    }
    if lines.len() > MOST_LINES {
        return Err(Invalid::field("lines", format!("are {}, {MOST_LINES} is the limit", lines.len())));
    }
    let bytes: usize = lines.iter().map(|line| line.text.len() + line.component.len()).sum();
    if bytes > LARGEST_MESSAGE {
        return Err(Invalid::field("lines", format!("are larger than {} MiB", LARGEST_MESSAGE >> 20)));
    }
    lines
        .into_iter()
        .enumerate()
        .map(|(i, line)| read_line(line).map_err(|invalid| invalid.within(format_args!("lines[{i}]"))))
        .collect()
}

fn read_line(line: pb::PilotLogLine) -> Result<LogLine, Invalid> {
    let level = level("level", line.level)?;
    if line.component.chars().nth(LONGEST_COMPONENT).is_some() {
        return Err(Invalid::field("component", format!("has more than {LONGEST_COMPONENT} characters")));
    }
    let time = line.time.as_ref().map(|at| time::datetime("time", at)).transpose()?;
    let mut text = line.text;
    if let Some((end, _)) = text.char_indices().nth(LONGEST_LINE) {
        text.truncate(end);
    }
    Ok(LogLine { time, level, component: line.component, text })
}

/// What is not said counts as INFO.
fn level(field: &str, number: i32) -> Result<i32, Invalid> {
    match pb::LogLevel::try_from(number) {
        Ok(pb::LogLevel::Unspecified) => Ok(pb::LogLevel::Info.into()),
        Ok(level) => Ok(level.into()),
        Err(_) => Err(Invalid::field(field, "is no level")),
    }
}

pub(super) async fn read_pilot_log(
    deps: &Deps,
    request: Request<pb::ReadPilotLogRequest>,
) -> Result<Response<BoxStream<pb::ReadPilotLogResponse>>, Status> {
    let permit = policy::read_logs(&*identity(&request)?).map_err(to_status)?;
    let ask = read_ask(request.into_inner()).map_err(to_status)?;
    let reader = Reader::begin(deps, &permit, ask).await.map_err(to_status)?;
    let parts = stream::try_unfold(reader, |mut reader| async move {
        let part = reader.next().await.map_err(to_status)?;
        Ok(part.map(|part| (encode(part), reader)))
    });
    Ok(Response::new(Box::pin(parts)))
}

fn read_ask(request: pb::ReadPilotLogRequest) -> Result<Ask, Invalid> {
    let min_level = match request.min_level {
        0 => 0,
        number => level("min_level", number)?,
    };
    let limit =
        u64::try_from(request.limit).map_err(|_| Invalid::field("limit", "must not be less than 0"))?;
    Ok(Ask {
        stamp: pilot::stamp("pilot_stamp", request.pilot_stamp)?,
        first: request.first_line,
        limit,
        min_level,
        follow: request.follow,
    })
}

fn encode(part: Part) -> pb::ReadPilotLogResponse {
    pb::ReadPilotLogResponse {
        first_line: part.lines.first().map_or(part.next, |(number, _)| *number),
        lines: part.lines.into_iter().map(|(_, line)| encode_line(line)).collect(),
        next_line: part.next,
    }
}

fn encode_line(line: LogLine) -> pb::PilotLogLine {
    pb::PilotLogLine {
        time: line.time.map(time::timestamp),
        level: line.level,
        component: line.component,
        text: line.text,
    }
}
