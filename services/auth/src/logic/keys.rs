//! Removing keys that nothing needs any more.

use std::io;

use chrono::{DateTime, Months, Utc};
use diracx_server::{
    KeyStore,
    token::{Key, KeyStoreError, delete_key},
};
use uuid::Uuid;

use crate::{
    deps::Deps,
    error::{Error, Result},
    key_file,
    policy::Clean,
};

/// Why the file could not be changed.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
}

/// Removes the keys that sign no more and whose last token is forgotten; tells their ids.
pub(crate) async fn clean(deps: &Deps, _: &Clean) -> Result<Vec<String>> {
    let path = deps.token.keys.path().ok_or(Error::KeysInline)?.to_owned();
    let now = deps.clock.now();
    // a token that was forgotten is refused whatever its end; a month more, because rotations are seldom
    let months = Months::new(deps.settings.refresh_token_retention_months.saturating_add(1));
    let horizon = now.checked_sub_months(months).unwrap_or(DateTime::UNIX_EPOCH);
    let work = move || {
        key_file::change::<_, Problem>(&path, |document| {
            let Some(document) = document else { return Ok((None, Vec::new())) };
            let kids = retired(KeyStore::parse(document)?.keys(), horizon);
            let rest = kids.iter().try_fold(document.to_owned(), |rest, kid| delete_key(&rest, kid))?;
            Ok(((!kids.is_empty()).then_some(rest), kids))
        })
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(kids)) => {
            deps.token.keys.look_now();
            if !kids.is_empty() {
                tracing::info!(keys = ?kids, "keys that nothing needs any more are gone");
            }
            Ok(kids)
        }
        Ok(Err(Problem::File(error))) => Err(Error::KeysReadOnly(error)),
        Ok(Err(Problem::Keys(error))) => Err(Error::Signing(error)),
        Err(error) => Err(Error::KeysReadOnly(io::Error::other(error))),
    }
}

/// The keys that sign no more and were replaced before `horizon`. When a key was replaced is in the id of the key
/// in front of it, which is a UUIDv7; where it is not, nobody knows, and the key stays.
fn retired(keys: &[Key], horizon: DateTime<Utc>) -> Vec<String> {
    let is_retired = |pair: &&[Key]| {
        let replaced_at = made_at(pair[0].kid());
        !pair[1].may_sign() && replaced_at.is_some_and(|at| at < horizon)
    };
    keys.windows(2).filter(is_retired).map(|pair| pair[1].kid().to_owned()).collect()
}

fn made_at(kid: &str) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = kid.parse::<Uuid>().ok()?.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use diracx_server::token::{KeyKind, rotate_key};

    use super::*;

    #[test]
    fn a_key_goes_when_it_was_replaced_long_ago_not_when_it_was_made_long_ago() {
        let day = |month, day| Utc.with_ymd_and_hms(2026, month, day, 0, 0, 0).unwrap();
        let first = rotate_key(None, KeyKind::Ed25519, day(1, 1)).unwrap();
        let second = rotate_key(Some(&first), KeyKind::Ed25519, day(2, 1)).unwrap();
        let third = rotate_key(Some(&second), KeyKind::Ed25519, day(6, 1)).unwrap();
        let keys = KeyStore::parse(&third).unwrap();
        let keys = keys.keys();
        assert_eq!(retired(keys, day(1, 15)), [] as [&str; 0]);
        assert_eq!(retired(keys, day(5, 1)), [keys[2].kid()], "the second one signed until June");
        assert_eq!(retired(keys, day(7, 1)), [keys[1].kid(), keys[2].kid()]);
        assert_eq!(retired(&keys[..1], day(12, 1)), [] as [&str; 0], "the one that signs stays");
        assert_eq!(made_at("a name"), None);
    }
}
