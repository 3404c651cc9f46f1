//! What the tests of this crate share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod lollies;

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeZone, Utc};
use diracx_core::Clock;

/// The issuer of the tests' tokens.
pub(crate) const ISSUER: &str = "http://issuer.invalid/";

/// When the tests happen.
pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 1, 12, 0, 0).unwrap()
}

/// A clock that tests set. (The one in diracx-testkit builds on this crate.)
#[derive(Clone)]
pub(crate) struct TestClock(Arc<Mutex<DateTime<Utc>>>);

impl TestClock {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    pub(crate) fn set(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn base64(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}
