//! What a run of requests came to.

use std::time::Duration;

/// The durations of the requests of a run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Sums up all workers' requests of `elapsed`.
    pub(crate) fn sum_up(all: impl IntoIterator<Item = Self>, elapsed: Duration) -> Summary {
        let mut durations: Vec<Duration> = all.into_iter().flat_map(|latencies| latencies.0).collect();
        durations.sort_unstable();
        Summary {
            count: durations.len(),
            per_second: rate(durations.len(), elapsed),
            p50: percentile(&durations, 50),
            p99: percentile(&durations, 99),
        }
    }
}

/// A run in four numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// Requests that were answered.
    pub(crate) count: usize,
    /// The same per second.
    pub(crate) per_second: f64,
    /// Half of them took no longer.
    pub(crate) p50: Duration,
    /// All but one in a hundred took no longer.
    pub(crate) p99: Duration,
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far from 2^53")]
pub(crate) fn rate(count: usize, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { count as f64 / elapsed.as_secs_f64() }
}

/// The smallest of the sorted durations that at least this many percent do not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let check = |count, percent, expected| {
            assert_eq!(
                percentile(&millis(1..=count), percent).as_millis(),
                expected,
                "{percent} % of {count}"
            );
        };
        check(100, 50, 50);
        check(100, 99, 99);
        check(101, 99, 100);
        check(3, 50, 2);
        check(3, 99, 3);
        check(1, 50, 1);
        check(100, 0, 1);
        check(100, 100, 100);
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn workers_are_summed_up_together() {
        let worker = |values: std::ops::RangeInclusive<u64>| {
            let mut latencies = Latencies::default();
            for duration in millis(values) {
                latencies.add(duration);
            }
            latencies
        };
        // Sorted across workers, whoever was faster.
        let summary = Latencies::sum_up([worker(51..=100), worker(1..=50)], Duration::from_secs(4));
        let expected = Summary {
            count: 100,
            per_second: 25.0,
            p50: Duration::from_millis(50),
            p99: Duration::from_millis(99),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn a_run_without_a_request_has_no_rate() {
        let summary = Latencies::sum_up([Latencies::default()], Duration::ZERO);
        assert_eq!((summary.count, summary.per_second, summary.p99), (0, 0.0, Duration::ZERO));
    }
}
