//! Removing what nobody will ask for again: old logins and old refresh tokens.
//!
//! Everything is done in batches, so that nobody waits long behind it, and may be done twice at a time.

use chrono::{DateTime, Duration, Months, Utc};

use super::batch::batch_size;
use crate::{
    error::Result,
    policy::Clean,
    store::{AuthStore, Partitions},
};

/// How long old rows are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    /// Logins, from their beginning.
    pub(crate) flows: Duration,
    /// Refresh tokens, in months of the calendar.
    pub(crate) tokens_months: u32,
}

/// What is cleaned, and as of when.
#[derive(Clone, Copy)]
pub(crate) struct Cleaner<'a> {
    pub(crate) store: &'a dyn AuthStore,
    pub(crate) retention: Retention,
    pub(crate) now: DateTime<Utc>,
}

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

impl Cleaner<'_> {
    /// Removes logins that were begun before the retention, whatever became of them.
    pub(crate) async fn flows(&self, _: &Clean, batch: i32) -> Result<RemovedFlows> {
        let batch = batch_size(batch)?;
        let before = self.now - self.retention.flows;
        let authorization = self.store.remove_authorization_flows(before, batch).await?;
        let left = batch - authorization.min(batch);
        let device = if left > 0 { self.store.remove_device_flows(before, left).await? } else { 0 };
        Ok(RemovedFlows { device, authorization, done: authorization + device < batch })
    }

    /// Removes refresh tokens older than the retention: whole months where the table has partitions by month, else
    /// row by row.
    ///
    /// # Source
    /// DiracX `logic/auth/management.py`, `cleanup_auth_db`; that tables without partitions are cleaned is ours.
    pub(crate) async fn tokens(&self, _: &Clean, batch: i32) -> Result<RemovedTokens> {
        let batch = batch_size(batch)?;
        let horizon = horizon(self.now, self.retention.tokens_months);
        let all_forgotten = self.store.forget_legacy_tokens(horizon, batch).await? < batch;
        if let Some(partitions) = self.store.maintain_partitions(self.now, horizon).await? {
            return Ok(RemovedTokens { rows: 0, partitions, done: all_forgotten });
        }
        let rows = self.store.remove_refresh_tokens(horizon, batch).await?;
        Ok(RemovedTokens { rows, partitions: Partitions::default(), done: all_forgotten && rows < batch })
    }

    /// Removes all that is old, and tells how much that was.
    pub(crate) async fn everything(&self, permit: &Clean) -> Result<(RemovedFlows, RemovedTokens)> {
        let mut flows = self.flows(permit, 0).await?;
        while !flows.done {
            let more = self.flows(permit, 0).await?;
            flows.device += more.device;
            flows.authorization += more.authorization;
            flows.done = more.done;
        }
        let mut tokens = self.tokens(permit, 0).await?;
        while !tokens.done {
            let more = self.tokens(permit, 0).await?;
            tokens.rows += more.rows;
            tokens.partitions.added.extend(more.partitions.added);
            tokens.partitions.removed.extend(more.partitions.removed);
            tokens.done = more.done;
        }
        Ok((flows, tokens))
    }
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
