//! What is done with any text that somebody may send us: one function for each reader of such texts.
//!
//! A fuzz target of the same name calls it with whatever the fuzzer finds, and `tests/tests/corpus.rs`, which
//! compiles this file too, with the files below `corpus/`. A function panics when a promise is broken: that an
//! error explains itself, that what was read can be written and read again, that nothing forged is believed.

#![allow(clippy::expect_used, reason = "a broken promise is shown by panicking")]

mod domain;
mod http;
mod tokens;
// The reader of configurations, without the git that comes with the crate.
#[path = "../../crates/cs/src/yaml.rs"]
mod yaml;

pub use domain::{cfg, configuration, jdl, pfn, scope, version};
pub use http::{heartbeat, metadata, search, status};
pub use tokens::{jwt, state};

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 12] = [
    ("cfg", cfg),
    ("configuration", configuration),
    ("heartbeat", heartbeat),
    ("jdl", jdl),
    ("jwt", jwt),
    ("metadata", metadata),
    ("pfn", pfn),
    ("scope", scope),
    ("search", search),
    ("state", state),
    ("status", status),
    ("version", version),
];

/// An error must say something, and not repeat a whole hostile text.
fn must_explain_itself(error: &(impl std::fmt::Display + diracx_core::Explain)) {
    let (sentence, explanation) = (error.to_string(), error.explain());
    assert!(!sentence.trim().is_empty(), "an error without a sentence: {explanation:?}");
    assert_ne!(
        explanation.reason,
        diracx_core::Reason::Internal,
        "a caller's mistake is taken for ours: {sentence}"
    );
}
