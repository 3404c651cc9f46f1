//! Logs are kept and read.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{PilotStamp, PilotStatus};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, access_bar, holder, log_line};
use crate::{
    error::{Error, Result},
    policy::PilotScope,
    store::{
        log::{Addition, Log, LogLine, LogPart, LogStore},
        schema::PILOT_AGENTS_DB,
    },
};

#[async_trait]
impl LogStore for Store {
    async fn append_log(&self, deadline: Deadline, addition: Addition) -> Result<i64> {
        let addition = Arc::new(addition);
        self.0
            .write(deadline, move |tx| {
                let addition = Arc::clone(&addition);
                async move { append(tx, &addition).await }.boxed()
            })
            .await
    }

    async fn log(&self, deadline: Deadline, stamp: PilotStamp, scope: PilotScope) -> Result<Log> {
        self.0
            .read(deadline, move |tx| {
                let (stamp, scope) = (stamp.clone(), scope.clone());
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    let found = holder::find(conn, &stamp).await?.filter(|(_, found)| scope.has(&found.vo));
                    let (pilot, found) = found.ok_or(Error::PilotNotFound(stamp))?;
                    let ended = found.status.parse::<PilotStatus>().is_ok_and(PilotStatus::is_final);
                    Ok(Log { pilot, next: log_line::next(conn, pilot).await?, ended })
                }
                .boxed()
            })
            .await
    }

    async fn log_lines(&self, deadline: Deadline, part: LogPart) -> Result<Vec<(i64, LogLine)>> {
        self.0
            .read(deadline, move |tx| {
                async move { Ok(log_line::read(tx.on(PILOT_AGENTS_DB).await?, part).await?) }.boxed()
            })
            .await
    }

    async fn clean_logs(&self, deadline: Deadline, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.0
            .write(deadline, move |tx| {
                async move { Ok(log_line::clean(tx.on(PILOT_AGENTS_DB).await?, before, limit).await?) }
                    .boxed()
            })
            .await
    }
}

async fn append(tx: &mut Tx, addition: &Addition) -> Result<i64> {
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    access_bar::check(conn, &addition.stamp, addition.issued).await?;
    let found = holder::find(conn, &addition.stamp).await?.filter(|(_, found)| found.vo == addition.vo);
    let (pilot, _) = found.ok_or_else(|| Error::PilotNotFound(addition.stamp.clone()))?;
    let (next, size) = log_line::lock(conn, pilot).await?;
    if addition.first > next {
        return Err(Error::LogGap { first: addition.first, next });
    }
    let known = usize::try_from(next - addition.first).unwrap_or(usize::MAX);
    let Some(new) = addition.lines.get(known..).filter(|new| !new.is_empty()) else { return Ok(next) };
    let more: usize = new.iter().map(LogLine::size).sum();
    let size = size.saturating_add(i64::try_from(more).unwrap_or(i64::MAX));
    if size > addition.most_bytes {
        return Err(Error::LogFull { limit: addition.most_bytes });
    }
    log_line::insert(conn, pilot, next, new, size, addition.at).await?;
    Ok(next + i64::try_from(new.len()).unwrap_or(i64::MAX))
}
