//! Removing sandboxes that no job needs.
//!
//! Rows are marked, then the bytes are removed, then the rows that still bear the mark: a crash at any point leaves
//! rows without bytes, which the next cleaning finds again, and never bytes without a row. A sandbox that is
//! announced again while it bears the mark is uploaded again, and loses the mark, which is looked at once more just
//! before the removal. What remains is a window of seconds: an upload of the very same bytes that is announced after
//! that look and ends before the removal is lost. Whoever announces them the next time is asked to bring them again.

use chrono::TimeDelta;
use diracx_core::sandbox::Pfn;
use diracx_proto::Invalid;
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Deps,
    error::{Error, Result},
    policy::CleanSandboxes,
    store::sandbox::{Claim, Unneeded},
};

/// How long a sandbox that no job has any more is kept after it was last asked for.
const ORPHANED: TimeDelta = TimeDelta::days(1);
/// How long a sandbox that nobody assigned is kept after it was last asked for.
const UNASSIGNED: TimeDelta = TimeDelta::days(15);
/// How many sandboxes a call looks at.
const DEFAULT_BATCH: i64 = 500;
/// How many are removed after one look at whether nobody has come to need them.
const AT_ONCE: usize = 50;

/// How far a cleaning has come: each kind has its own rows to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    kind: Unneeded,
    after: i64,
}

impl Cursor {
    const START: Self = Self { kind: Unneeded::Orphaned, after: 0 };

    /// From the token of a call; an empty one begins.
    pub fn read(token: &str) -> Result<Self, Invalid> {
        if token.is_empty() {
            return Ok(Self::START);
        }
        let parsed = token.split_once(':').and_then(|(kind, after)| {
            let kind = match kind {
                "orphaned" => Unneeded::Orphaned,
                "unassigned" => Unneeded::Unassigned,
                _ => return None,
            };
            Some(Self { kind, after: after.parse().ok().filter(|after| *after >= 0)? })
        });
        parsed.ok_or_else(|| Invalid::field("page_token", "is none of ours"))
    }

    /// The token for the next call.
    fn token(self) -> String {
        let kind = match self.kind {
            Unneeded::Orphaned => "orphaned",
            Unneeded::Unassigned => "unassigned",
        };
        format!("{kind}:{}", self.after)
    }

    /// Where to go on after rows up to `last`; nothing at the end.
    fn next(self, last: Option<i64>, more: bool) -> Option<Self> {
        match (self.kind, last.filter(|_| more)) {
            (kind, Some(after)) => Some(Self { kind, after }),
            (Unneeded::Orphaned, None) => Some(Self { kind: Unneeded::Unassigned, after: 0 }),
            (Unneeded::Unassigned, None) => None,
        }
    }
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Sandboxes.
    pub removed: i64,
    /// Their sizes together.
    pub removed_bytes: i64,
    /// Sandboxes that the store did not remove.
    pub failed: i64,
    /// Where to go on; nothing at the end.
    pub next: Option<String>,
}

/// Removes a batch of sandboxes.
pub async fn clean(deps: &Deps, _permit: CleanSandboxes, batch_size: i32, from: Cursor) -> Result<Cleaned> {
    let settings = &deps.sandboxes;
    let limit = match i64::from(batch_size) {
        0 => DEFAULT_BATCH.min(settings.clean_batch_size),
        1.. => i64::from(batch_size).min(settings.clean_batch_size),
        _ => return Err(Invalid::field("batch_size", "must not be negative").into()),
    };
    if let Some(directory) = deps.bytes.directory().filter(|_| from == Cursor::START) {
        directory.remove_leftovers().await;
    }
    let age = match from.kind {
        Unneeded::Orphaned => ORPHANED,
        Unneeded::Unassigned => UNASSIGNED,
    };
    let claim = Claim {
        storage_element: settings.storage_element.clone(),
        bucket: settings.bucket.clone(),
        kind: from.kind,
        after: from.after,
        before: deps.clock.now() - age,
        limit,
    };
    let claimed = deps.store.claim_unneeded(crate::deadline(), claim).await?;
    let (removed, failed) = remove_bytes(deps, &claimed.rows).await?;
    forget(deps, removed.iter().map(|(row, ..)| *row).collect()).await?;
    Ok(Cleaned {
        removed: i64::try_from(removed.len()).unwrap_or(i64::MAX),
        removed_bytes: removed.iter().map(|(_, _, size)| size).sum(),
        failed: i64::try_from(failed).unwrap_or(i64::MAX),
        next: from.next(claimed.last, claimed.more).map(Cursor::token),
    })
}

/// Removes the bytes of those that are still marked: which went, and how many did not.
async fn remove_bytes<'r>(
    deps: &Deps,
    rows: &'r [(i64, Pfn, i64)],
) -> Result<(Vec<&'r (i64, Pfn, i64)>, usize)> {
    let (mut removed, mut failed) = (Vec::with_capacity(rows.len()), 0);
    for (done, some) in rows.chunks(AT_ONCE).enumerate() {
        let ids = some.iter().map(|(row, ..)| *row).collect();
        let going = deps.store.still_unneeded(crate::deadline(), ids).await?;
        let some: Vec<_> = some.iter().filter(|(row, ..)| going.contains(row)).collect();
        let removal = deps.bytes.remove(some.iter().map(|(_, pfn, _)| pfn.clone()).collect()).await;
        failed += removal.left.len();
        removed.extend(some.into_iter().filter(|(_, pfn, _)| !removal.left.contains(pfn)));
        if removal.away {
            failed += rows.len().saturating_sub((done + 1) * AT_ONCE);
            break;
        }
    }
    Ok((removed, failed))
}

async fn forget(deps: &Deps, rows: Vec<i64>) -> Result<()> {
    let settings = &deps.sandboxes;
    let chunks: Vec<Vec<i64>> = rows.chunks(settings.clean_delete_chunk_size).map(<[i64]>::to_vec).collect();
    stream::iter(chunks)
        .map(|rows| deps.store.forget_sandboxes(crate::deadline(), rows))
        .buffer_unordered(settings.clean_max_concurrent_db_deletes)
        .try_for_each(async |_| Ok::<(), Error>(()))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_gone_through_to_its_end() {
        let mut cursor = Cursor::START;
        let mut tokens = Vec::new();
        for (last, more) in [(Some(7), true), (Some(9), false), (Some(3), true), (None, false)] {
            match cursor.next(last, more) {
                None => tokens.push("done".to_owned()),
                Some(next) => {
                    assert_eq!(Cursor::read(&next.token()), Ok(next));
                    tokens.push(next.token());
                    cursor = next;
                }
            }
        }
        assert_eq!(tokens, ["orphaned:7", "unassigned:0", "unassigned:3", "done"]);
    }

    #[test]
    fn tokens_of_others_are_refused() {
        for bad in ["x", "orphaned", "orphaned:", "orphaned:-1", "both:1"] {
            assert_eq!(Cursor::read(bad).unwrap_err().to_string(), "page_token: is none of ours");
        }
    }
}
