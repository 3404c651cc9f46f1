//! What a run of requests came to.

use std::time::Duration;

use crate::report::millis;

/// The durations of the requests of a run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Sums up all workers' requests, so many of which were answered in `elapsed`.
    pub(crate) fn sum_up(all: impl IntoIterator<Item = Self>, answered: f64, elapsed: Duration) -> Summary {
        let mut durations: Vec<Duration> = all.into_iter().flat_map(|latencies| latencies.0).collect();
        durations.sort_unstable();
        Summary {
            answered,
            per_second: if elapsed.is_zero() { 0.0 } else { answered / elapsed.as_secs_f64() },
            p50: percentile(&durations, 50),
            p99: percentile(&durations, 99),
        }
    }
}

/// A run in four numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// Requests that were answered; those at the edges in part.
    pub(crate) answered: f64,
    /// The same per second.
    pub(crate) per_second: f64,
    /// Half of them took no longer.
    pub(crate) p50: Duration,
    /// All but one in a hundred took no longer.
    pub(crate) p99: Duration,
}

impl Summary {
    /// The same in the units of the table, with the processor time that went into all requests together.
    pub(crate) fn figures(&self, server_cpu: Option<Duration>, database_cpu: Option<Duration>) -> Figures {
        let each = |cpu: Option<Duration>| {
            cpu.filter(|_| self.answered > 0.0).map(|cpu| millis(cpu) / self.answered)
        };
        Figures {
            per_second: self.per_second,
            p50: millis(self.p50),
            p99: millis(self.p99),
            server_cpu: each(server_cpu),
            database_cpu: each(database_cpu),
        }
    }
}

/// What a server came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// Requests per second.
    pub(crate) per_second: f64,
    /// Half of them took no longer, in milliseconds.
    pub(crate) p50: f64,
    /// All but one in a hundred took no longer, in milliseconds.
    pub(crate) p99: f64,
    /// Processor milliseconds of the server for a request.
    pub(crate) server_cpu: Option<f64>,
    /// Processor milliseconds of the database server for a request.
    pub(crate) database_cpu: Option<f64>,
}

/// The smallest of the sorted durations that at least this many percent do not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_millis(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let check = |count, percent, expected| {
            assert_eq!(
                percentile(&all_millis(1..=count), percent).as_millis(),
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
            for duration in all_millis(values) {
                latencies.add(duration);
            }
            latencies
        };
        // Sorted across workers, whoever was faster.
        let summary = Latencies::sum_up([worker(51..=100), worker(1..=50)], 99.0, Duration::from_secs(4));
        let expected = Summary {
            answered: 99.0,
            per_second: 24.75,
            p50: Duration::from_millis(50),
            p99: Duration::from_millis(99),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn processor_time_is_shared_by_the_requests() {
        let summary = Latencies::sum_up([Latencies::default()], 2.5, Duration::from_secs(1));
        let figures = summary.figures(Some(Duration::from_millis(10)), None);
        assert_eq!((figures.server_cpu, figures.database_cpu), (Some(4.0), None));
    }

    #[test]
    fn a_run_without_a_request_has_no_rate() {
        let summary = Latencies::sum_up([Latencies::default()], 0.0, Duration::ZERO);
        assert_eq!(summary.figures(Some(Duration::ZERO), None).server_cpu, None);
        assert_eq!((summary.answered, summary.per_second, summary.p99), (0.0, 0.0, Duration::ZERO));
    }
}
