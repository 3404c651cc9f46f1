//! Removing what nobody will ask for again: old logins and old refresh tokens.
//!
//! Everything is done in batches, so that nobody waits long behind it, and may be done twice at a time.

use chrono::{DateTime, Months, Utc};

use super::batch::batch_size;
use crate::{deps::Deps, error::Result, policy::Clean, store::Partitions};

/// Logins that were removed.
pub(crate) struct RemovedFlows {
    pub(crate) device: usize,
    pub(crate) authorization: usize,
    pub(crate) done: bool,
}

/// Tokens that were removed.
pub(crate) struct RemovedTokens {
    /// One by one.
    pub(crate) rows: usize,
    /// Whole months.
    pub(crate) partitions: Partitions,
    pub(crate) done: bool,
}

/// Removes logins that were begun before the retention, whatever became of them.
pub(crate) async fn flows(deps: &Deps, _: &Clean, batch: i32) -> Result<RemovedFlows> {
    let batch = batch_size(batch)?;
    let before = deps.clock.now() - deps.settings.completed_flow_retention;
    let authorization = deps.store().remove_authorization_flows(before, batch).await?;
    let left = batch - authorization.min(batch);
    let device = if left > 0 { deps.store().remove_device_flows(before, left).await? } else { 0 };
    Ok(RemovedFlows { device, authorization, done: authorization + device < batch })
}

/// Removes refresh tokens older than the retention: whole months where the table has partitions by month, else
/// row by row.
///
/// # Source
/// DiracX `logic/auth/management.py`, `cleanup_auth_db`; that tables without partitions are cleaned is ours.
pub(crate) async fn tokens(deps: &Deps, _: &Clean, batch: i32) -> Result<RemovedTokens> {
    let batch = batch_size(batch)?;
    let now = deps.clock.now();
    let horizon = horizon(now, deps.settings.refresh_token_retention_months);
    if let Some(partitions) = deps.store().maintain_partitions(now, horizon).await? {
        return Ok(RemovedTokens { rows: 0, partitions, done: true });
    }
    let rows = deps.store().remove_refresh_tokens(horizon, batch).await?;
    Ok(RemovedTokens { rows, partitions: Partitions::default(), done: rows < batch })
}

/// Calendar months before `now`; what lies before the calendar is not reached.
fn horizon(now: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    now.checked_sub_months(Months::new(months)).unwrap_or(DateTime::UNIX_EPOCH).max(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        let day = |year, month, day| Utc.with_ymd_and_hms(year, month, day, 12, 0, 0).unwrap();
        assert_eq!(horizon(day(2026, 8, 31), 6), day(2026, 2, 28));
        assert_eq!(horizon(day(2026, 3, 1), 6), day(2025, 9, 1));
        assert_eq!(horizon(day(2026, 3, 1), u32::MAX), DateTime::UNIX_EPOCH);
    }
}
