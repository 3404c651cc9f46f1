//! What became of each step, and the line that sums them up.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step ended when it did not fail.
pub(crate) enum Ended {
    /// Everything it looks at is in order.
    Passed,
    /// It could not look, for want of a tool; the text says which and how to get it.
    Skipped(String),
}

/// Collects the outcome of every step of a run.
#[derive(Default)]
pub(crate) struct Report {
    passed: Vec<String>,
    failed: Vec<String>,
    skipped: Vec<String>,
    skipped_tests: Vec<String>,
}

impl Report {
    /// Runs one step, saying when it starts, how it ended and how long it took.
    pub(crate) fn step(&mut self, name: &str, step: impl FnOnce() -> Result<Ended>) {
        println!("\n▶ {name}");
        let start = Instant::now();
        let outcome = step();
        let took = seconds(start.elapsed());
        match outcome {
            Ok(Ended::Passed) => {
                println!("✔ {name}: passed in {took}");
                self.passed.push(name.to_owned());
            }
            Ok(Ended::Skipped(why)) => {
                println!("- {name}: skipped; {why}");
                self.skipped.push(format!("{name} ({why})"));
            }
            Err(error) => {
                println!("✘ {name}: failed after {took}: {error:#}");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// Did this step run and pass?
    pub(crate) fn has_passed(&self, name: &str) -> bool {
        self.passed.iter().any(|passed| passed == name)
    }

    /// Tests that went without a tool, within a step that passed all the same.
    pub(crate) fn skipped_tests(&mut self, which: impl IntoIterator<Item = String>) {
        self.skipped_tests.extend(which);
    }

    /// Prints what failed and what was skipped, then the counts as the last line. Did all go well?
    pub(crate) fn finish(self) -> bool {
        println!();
        for name in self.skipped_tests.iter().chain(&self.skipped) {
            println!("skipped: {name}");
        }
        for name in &self.failed {
            println!("failed: {name}");
        }
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed.len(),
            self.failed.len(),
            self.skipped.len()
        );
        self.failed.is_empty()
    }
}

fn seconds(time: Duration) -> String {
    let all = time.as_secs();
    if all < 60 {
        format!("{:.1} s", time.as_secs_f32())
    } else {
        format!("{} min {:02} s", all / 60, all % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_good_when_nothing_failed_even_if_something_was_skipped() {
        let mut report = Report::default();
        report.step("one", || Ok(Ended::Passed));
        report.step("two", || Ok(Ended::Skipped("no tool".into())));
        assert!(report.finish());
    }

    #[test]
    fn one_failed_step_makes_the_whole_run_fail() {
        let mut report = Report::default();
        report.step("one", || Ok(Ended::Passed));
        report.step("two", || anyhow::bail!("broken"));
        assert!(!report.finish());
    }
}
