//! Jobs that could not be taken, so that they do not keep others from being taken.
//!
//! A job may refuse to move for good: its last record may lie in the future, or its directory
//! cannot be made. It is tried again, each time later.

use std::{collections::HashMap, time::Duration};

use diracx_core::JobId;
use tokio::time::Instant;

/// When a job is tried again for the first time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// How long a pause may become.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How many jobs are remembered; of more, those that come up soonest are forgotten.
const MOST: usize = 1_000;

/// Jobs that could not be taken, and until when they are left alone.
#[derive(Debug, Default)]
pub(super) struct PassedOver(HashMap<JobId, Pause>);

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl PassedOver {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this job is left alone for now.
    pub(super) fn contains(&self, job: JobId, now: Instant) -> bool {
        self.0.get(&job).is_some_and(|pause| now < pause.until)
    }

    /// Leaves a job alone for a while, twice as long as the last time.
    pub(super) fn add(&mut self, job: JobId, now: Instant) {
        // Whoever was not tried for long after its pause is taken, or gone.
        self.0.retain(|_, pause| now < pause.until + LONGEST_PAUSE);
        let length = self.0.get(&job).map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(LONGEST_PAUSE));
        self.0.insert(job, Pause { until: now + length, length });
        if self.0.len() > MOST
            && let Some(soonest) = self.0.iter().min_by_key(|(_, pause)| pause.until).map(|(job, _)| *job)
        {
            self.0.remove(&soonest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_left_alone_longer_each_time() {
        let mut passed = PassedOver::default();
        let start = Instant::now();
        passed.add(JobId(1), start);
        assert!(passed.contains(JobId(1), start + Duration::from_secs(1)));
        assert!(!passed.contains(JobId(1), start + Duration::from_secs(2)));
        passed.add(JobId(1), start + Duration::from_secs(2));
        assert!(passed.contains(JobId(1), start + Duration::from_secs(5)));
        assert!(!passed.contains(JobId(2), start));
    }

    #[test]
    fn only_so_many_are_remembered_and_old_ones_are_forgotten() {
        let mut passed = PassedOver::default();
        let start = Instant::now();
        for job in 0..2_000 {
            passed.add(JobId(job), start);
        }
        assert_eq!(passed.len(), MOST);
        passed.add(JobId(5_000), start + Duration::from_hours(1));
        assert_eq!(passed.len(), 1);
    }
}
