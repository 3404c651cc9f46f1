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
    /// Asks once and checks the answer. `false`: there is nothing left to ask.
    fn once(&mut self) -> impl Future<Output = Result<bool>> + Send;
}

/// What a run came to.
pub(crate) struct Run {
    /// The requests that count.
    pub(crate) summary: Summary,
    /// The first request that failed, and how many did.
    pub(crate) failed: Option<(String, usize)>,
}

/// Lets the workers work for so long. `begin` is called when the requests start to count.
pub(crate) async fn run<W: Worker>(workers: Vec<W>, length: Duration, begin: impl FnOnce()) -> Result<Run> {
    let start = Instant::now() + WARM_UP;
    let end = start + length;
    let tasks: Vec<_> =
        workers.into_iter().map(|worker| diracx_server::spawn(work(worker, start, end))).collect();
    tokio::time::sleep_until(start.into()).await;
    begin();
    let mut latencies = Vec::new();
    let mut failed: Option<(String, usize)> = None;
    let mut last = start;
    for task in tasks {
        let done = task.await.map_err(|error| anyhow!("a worker panicked: {error}"))?;
        latencies.push(done.latencies);
        last = last.max(done.end);
        if let Some(problem) = done.failed {
            let (first, count) = failed.unwrap_or((problem, 0));
            failed = Some((first, count + 1));
        }
    }
    Ok(Run { summary: Latencies::sum_up(latencies, last.saturating_duration_since(start)), failed })
}

struct Done {
    latencies: Latencies,
    failed: Option<String>,
    end: Instant,
}

/// A worker whose request fails stops: what comes after a failure measures nothing.
async fn work<W: Worker>(mut worker: W, start: Instant, end: Instant) -> Done {
    let mut latencies = Latencies::default();
    let mut before = Instant::now();
    loop {
        let asked = worker.once().await;
        let now = Instant::now();
        match asked {
            Ok(true) if before >= start => latencies.add(now - before),
            Ok(true) => {}
            Ok(false) => return Done { latencies, failed: None, end: now },
            Err(error) => return Done { latencies, failed: Some(format!("{error:#}")), end: now },
        }
        if now >= end {
            return Done { latencies, failed: None, end: now };
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
        fails: bool,
    }

    impl Worker for Counting {
        async fn once(&mut self) -> Result<bool> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.left == 0 && self.fails {
                bail!("broken");
            }
            self.left = self.left.saturating_sub(1);
            Ok(self.left > 0)
        }
    }

    fn counting(left: usize, fails: bool) -> Counting {
        Counting { left, fails }
    }

    #[tokio::test]
    async fn failures_are_counted_and_the_first_is_told() {
        let workers = vec![counting(usize::MAX, false), counting(0, true), counting(0, true)];
        let run = run(workers, Duration::from_millis(20), || ()).await.unwrap();
        assert_eq!(run.failed, Some(("broken".to_owned(), 2)));
        assert!(run.summary.count > 0);
    }

    #[tokio::test]
    async fn requests_before_the_beginning_do_not_count() {
        let run = run(vec![counting(5, false)], Duration::from_millis(20), || ()).await.unwrap();
        assert_eq!(run.summary.count, 0);
        assert!(run.failed.is_none());
    }
}
