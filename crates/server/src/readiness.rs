//! Whether the process can do its work: what health answers, and load balancers go by.
//!
//! Whether it *lives* is another question, and depends on nothing outside the process.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// Whether the process can do its work, as a list of conditions. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: watch::Sender<ReadinessState>,
}

/// What stands between the process and being ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadinessState {
    unmet: BTreeMap<&'static str, String>,
    draining: bool,
}

impl ReadinessState {
    /// Whether nothing does.
    pub fn is_ready(&self) -> bool {
        self.unmet.is_empty() && !self.draining
    }

    /// Whether the process is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Everything that does, in words.
    pub fn problems(&self) -> Vec<String> {
        let draining = self.draining.then(|| "shutting down".to_owned());
        self.unmet.iter().map(|(name, problem)| format!("{name}: {problem}")).chain(draining).collect()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self { state: watch::Sender::new(ReadinessState::default()) }
    }
}

impl Readiness {
    /// Notes that a condition such as `config` or `database` is met.
    pub fn met(&self, condition: &'static str) {
        self.state.send_if_modified(|state| state.unmet.remove(condition).is_some());
    }

    /// Notes that a condition is not met, and why.
    pub fn unmet(&self, condition: &'static str, problem: impl Into<String>) {
        let problem = problem.into();
        self.state.send_if_modified(|state| {
            let before = state.unmet.insert(condition, problem.clone());
            before.is_none_or(|before| before != problem)
        });
    }

    /// Notes that the process ends. There is no way back.
    pub fn drain(&self) {
        self.state.send_if_modified(|state| !std::mem::replace(&mut state.draining, true));
    }

    /// Whether every condition is met.
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// What stands in the way, in words.
    pub fn problems(&self) -> Vec<String> {
        self.state.borrow().problems()
    }

    /// Changes as they happen.
    pub fn subscribe(&self) -> watch::Receiver<ReadinessState> {
        self.state.subscribe()
    }
}
