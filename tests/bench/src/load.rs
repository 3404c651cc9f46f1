//! The load: some workers, each with a connection of its own, each asking again as soon as it is answered.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::statistics::{Latencies, Summary};

/// How many ask at a time, as in the figures of DiracX.
pub(crate) const CONNECTIONS: usize = 8;

/// Requests of this time at the beginning do not count: connections open, caches and statements are made.
const WARM_UP: Duration = Duration::from_millis(300);

/// Somebody who asks the same thing over and over.
pub(crate) trait Worker: Send + 'static {
    /// Asks once and checks the answer.
    fn once(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// What a run came to.
pub(crate) struct Run {
    /// The requests that count.
    pub(crate) summary: Summary,
    /// The first request that failed, and how many did.
    pub(crate) failed: Option<(String, usize)>,
}

/// The time in which requests count.
#[derive(Debug, Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
}

impl Window {
    /// Which part of a request lies within. One that takes seconds is under way when the counting begins, and another
    /// when it ends: without their parts a slow server would seem slower than it is.
    fn part(self, from: Instant, to: Instant) -> f64 {
        let within = to.min(self.end).saturating_duration_since(from.max(self.start));
        let all = to.saturating_duration_since(from);
        if all.is_zero() { 0.0 } else { within.as_secs_f64() / all.as_secs_f64() }
    }
}

/// Lets the workers work for so long. `mark` is called when the requests begin to count, and when they no longer do.
pub(crate) async fn run<W: Worker>(workers: Vec<W>, length: Duration, mut mark: impl FnMut()) -> Result<Run> {
    let start = Instant::now() + WARM_UP;
    let window = Window { start, end: start + length };
    let tasks: Vec<_> =
        workers.into_iter().map(|worker| diracx_server::spawn(work(worker, window))).collect();
    tokio::time::sleep_until(window.start.into()).await;
    mark();
    tokio::time::sleep_until(window.end.into()).await;
    mark();
    let mut latencies = Vec::new();
    let mut answered = 0.0;
    let mut failed: Option<(String, usize)> = None;
    for task in tasks {
        let done = task.await.map_err(|error| anyhow!("a worker panicked: {error}"))?;
        latencies.push(done.latencies);
        answered += done.answered;
        if let Some(problem) = done.failed {
            let (first, count) = failed.unwrap_or((problem, 0));
            failed = Some((first, count + 1));
        }
    }
    Ok(Run { summary: Latencies::sum_up(latencies, answered, length), failed })
}

#[derive(Default)]
struct Done {
    latencies: Latencies,
    answered: f64,
    failed: Option<String>,
}

/// A worker whose request fails stops: what comes after a failure measures nothing.
async fn work<W: Worker>(mut worker: W, window: Window) -> Done {
    let mut done = Done::default();
    let mut before = Instant::now();
    loop {
        if let Err(error) = worker.once().await {
            return Done { failed: Some(format!("{error:#}")), ..done };
        }
        let now = Instant::now();
        let part = window.part(before, now);
        if part > 0.0 {
            done.answered += part;
            done.latencies.add(now - before);
        }
        if now >= window.end {
            return done;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    struct Counting {
        left: usize,
    }

    impl Worker for Counting {
        async fn once(&mut self) -> Result<()> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.left == 0 {
                bail!("broken");
            }
            self.left -= 1;
            Ok(())
        }
    }

    #[tokio::test]
    async fn failures_are_counted_and_the_first_is_told() {
        let workers = [usize::MAX, 0, 0].map(|left| Counting { left });
        let mut marks = 0;
        let run = run(workers.into(), Duration::from_millis(20), || marks += 1).await.unwrap();
        assert_eq!(run.failed, Some(("broken".to_owned(), 2)));
        assert!(run.summary.answered > 0.0);
        assert_eq!(marks, 2);
    }

    #[tokio::test]
    async fn requests_before_the_beginning_do_not_count() {
        let run = run(vec![Counting { left: 5 }], Duration::from_millis(20), || ()).await.unwrap();
        assert_eq!((run.summary.answered, run.summary.p99), (0.0, Duration::ZERO));
    }

    struct Slow;

    impl Worker for Slow {
        async fn once(&mut self) -> Result<()> {
            tokio::time::sleep(WARM_UP * 2).await;
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_request_that_takes_longer_than_the_run_has_its_part_and_its_duration() {
        let summary = run(vec![Slow], WARM_UP / 3, || ()).await.unwrap().summary;
        assert!(summary.answered > 0.05 && summary.answered < 0.2, "{summary:?}");
        assert!(summary.p50 >= WARM_UP * 2, "{summary:?}");
    }

    #[test]
    fn a_request_counts_by_the_part_of_it_that_lies_within() {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let window = Window { start: at(1000), end: at(3000) };
        let check = |from, to, expected: f64| {
            let part = window.part(at(from), at(to));
            assert!((part - expected).abs() < 1e-9, "{from} to {to}: {part}");
        };
        check(1000, 1500, 1.0);
        check(500, 1500, 0.5);
        check(2900, 3300, 0.25);
        check(0, 4000, 0.5);
        check(0, 1000, 0.0);
        check(3000, 3500, 0.0);
        check(2000, 2000, 0.0);
    }
}
