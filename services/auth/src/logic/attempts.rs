//! How often one login may be tried.
//!
//! A user code is short, and whoever knows one can send browsers to the identity provider with it; a person
//! needs a few visits at the most. Guessing codes is bounded by the gateway, which knows the addresses.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;

use crate::error::{Error, Result};

/// Visits for one user code, there and back together.
const MOST: u32 = 30;
/// Codes that are counted at a time; the least used are forgotten first.
const CODES: u64 = 20_000;
/// After so long without a visit a code is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Counts the visits of user codes. Cheap to clone; clones share the counts.
#[derive(Clone)]
pub(crate) struct Attempts(Cache<String, Arc<AtomicU32>>);

impl Default for Attempts {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CODES).time_to_idle(FORGOTTEN_AFTER).build())
    }
}

impl Attempts {
    /// Counts a visit, and refuses if there were too many.
    pub(crate) fn count(&self, user_code: &str) -> Result<()> {
        let count = self.0.get_with_by_ref(user_code, Arc::default);
        if count.fetch_add(1, Ordering::Relaxed) >= MOST {
            return Err(Error::TooManyAttempts(FORGOTTEN_AFTER));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_too_often_is_refused_and_others_are_not() {
        let attempts = Attempts::default();
        for _ in 0..MOST {
            attempts.count("BCDFGHJK").unwrap();
        }
        assert!(matches!(attempts.count("BCDFGHJK"), Err(Error::TooManyAttempts(_))));
        attempts.count("KJHGFDCB").unwrap();
    }
}
