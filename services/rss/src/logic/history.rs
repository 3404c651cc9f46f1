//! The statuses that an element had, from DIRAC's tables of histories.

use chrono::{DateTime, Utc};

use super::plan::Target;
use crate::{Deps, error::Result, model::Stored, policy::ReadHistory};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Past {
    /// Of which statuses.
    pub target: Target,
    /// Not before this time.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
    /// Before this record: its time and number.
    pub before: Option<(DateTime<Utc>, i64)>,
    /// How many at the most.
    pub limit: usize,
}

/// A record, with its number.
pub type Record = (i64, Stored);

/// A page, newest first, and where it ends if it is not the last one.
pub async fn page(
    deps: &Deps,
    permit: ReadHistory,
    past: Past,
) -> Result<(Vec<Stored>, Option<(DateTime<Utc>, i64)>)> {
    let ReadHistory { .. } = permit;
    let size = past.limit;
    let past = Past { limit: size.saturating_add(1), ..past };
    let mut records = deps.store.history(crate::deadline(), past).await?;
    let more = records.len() > size;
    records.truncate(size);
    let end = records.last().map(|(number, row)| (row.effective, *number)).filter(|_| more);
    Ok((records.into_iter().map(|(_, row)| row).collect(), end))
}
