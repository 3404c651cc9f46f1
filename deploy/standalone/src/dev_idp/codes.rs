//! Authorization codes: each is good once, for a short time, for the request that it answers.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::people::Person;

/// How long a browser may take to bring a code back.
const LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Codes that wait at the same time; beyond that the oldest are forgotten.
const MOST: usize = 1000;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) person: Person,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
}

/// The codes that wait, oldest first.
#[derive(Default)]
pub(super) struct Codes(Mutex<VecDeque<(String, DateTime<Utc>, Grant)>>);

impl Codes {
    /// A new code for this.
    pub(super) fn issue(&self, grant: Grant, now: DateTime<Utc>) -> String {
        let code = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.len() >= MOST || waiting.front().is_some_and(|(_, ends, _)| *ends < now) {
            waiting.pop_front();
        }
        waiting.push_back((code.clone(), now + LIFETIME, grant));
        code
    }

    /// What the code stands for. It is used up by that, whatever the caller thinks of the answer.
    pub(super) fn redeem(&self, code: &str, now: DateTime<Utc>) -> Option<Grant> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = waiting.iter().position(|(known, _, _)| known == code)?;
        let (_, ends, grant) = waiting.remove(position)?;
        (now <= ends).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            person: Person { sub: "alice".to_owned(), name: "alice".to_owned() },
            client_id: "c".to_owned(),
            redirect_uri: "r".to_owned(),
            code_challenge: "x".to_owned(),
            nonce: None,
        }
    }

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let (codes, now) = (Codes::default(), DateTime::UNIX_EPOCH);
        let code = codes.issue(grant(), now);
        assert_eq!(codes.redeem(&code, now + LIFETIME), Some(grant()));
        assert_eq!(codes.redeem(&code, now), None);
        let late = codes.issue(grant(), now);
        assert_eq!(codes.redeem(&late, now + LIFETIME + TimeDelta::seconds(1)), None);
    }

    #[test]
    fn codes_that_nobody_redeems_are_forgotten() {
        let (codes, now) = (Codes::default(), DateTime::UNIX_EPOCH);
        let first = codes.issue(grant(), now);
        for _ in 0..MOST {
            codes.issue(grant(), now);
        }
        assert_eq!(codes.redeem(&first, now), None);
        assert_eq!(codes.0.lock().unwrap().len(), MOST);
    }
}
