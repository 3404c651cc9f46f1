//! How long and how often one caller may watch: a stream that is read slowly holds a whole configuration in memory, and
//! one that lasts should not outlive the right to it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use diracx_core::{Explain, Explanation, Reason};
use diracx_server::Identity;
use serde::Deserialize;
use tonic::metadata::MetadataMap;

/// A person or a pilot has a few programs that watch.
const MOST_OF_A_CALLER: usize = 8;
/// A component has many replicas.
const MOST_OF_A_COMPONENT: usize = 256;
/// When to try again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// For how long at most a stream lasts; longer than any token of ours is good.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Somebody watches enough.
#[derive(Debug, thiserror::Error)]
#[error("you are watching the configuration {most} times already; end one of these streams first")]
pub(crate) struct TooMany {
    most: usize,
}

impl Explain for TooMany {
    fn explain(&self) -> Explanation {
        Explanation::resource_exhausted(Reason::Overloaded).retry_after(RETRY_AFTER)
    }
}

/// Who watches how often. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<HashMap<String, usize>>>);

/// A place among the watchers, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    watchers: Watchers,
    caller: String,
}

impl Watchers {
    pub(crate) fn enter(&self, identity: &Identity) -> Result<Place, TooMany> {
        let (caller, most) = match identity {
            Identity::User(user) => (format!("user {}", user.sub), MOST_OF_A_CALLER),
            Identity::Pilot(pilot) => (format!("pilot {}", pilot.sub()), MOST_OF_A_CALLER),
            Identity::Component(component) => (format!("component {}", component.name), MOST_OF_A_COMPONENT),
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(caller.clone()).or_default();
        if *count >= most {
            return Err(TooMany { most });
        }
        *count += 1;
        Ok(Place { watchers: self.clone(), caller })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.caller);
            }
        }
    }
}

/// How long the token of a call is still good. The access guard has verified it.
pub(crate) fn left(metadata: &MetadataMap, now: DateTime<Utc>) -> Duration {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let token = metadata.get("authorization").and_then(|header| header.to_str().ok());
    let payload = token.and_then(|token| token.split('.').nth(1));
    let claims = payload.and_then(|payload| BASE64_URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
    let left = claims.map_or(0, |claims| claims.exp.saturating_sub(now.timestamp()));
    // it is good in the second of its end as well
    Duration::from_secs(u64::try_from(left).map_or(0, |left| left.saturating_add(1))).min(LONGEST)
}
