//! YAML as DIRAC's administrators write it, within limits: a hostile document is refused quickly.

use serde_json::Value;

/// Nested deeper than any DIRAC configuration, and well within what JSON readers accept of the result.
const MAX_DEPTH: usize = 64;

/// Values in the document. A thousand VOs with two hundred users each have some million.
const MAX_NODES: usize = 4_000_000;

/// What aliases may repeat.
const MAX_REPLAYED: usize = 250_000;

/// Text that is no YAML, or more than we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(*line, *column))]
pub struct YamlError {
    /// From 1; 0 if unknown.
    pub line: u64,
    /// From 1; 0 if unknown.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

fn place(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

/// Reads one YAML document. An empty one is null.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let location = error.location();
        YamlError {
            line: location.map_or(0, |at| at.line()),
            column: location.map_or(0, |at| at.column()),
            message: first_line(&error.without_snippet().to_string()),
        }
    })
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_documents: 1,
            // A hundred VOs may share one anchor; what they expand to is bounded below.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 16,
        },
        // As the Python library that DiracX reads with.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    }
}

/// Long messages repeat the document; their first line says what is wrong.
fn first_line(message: &str) -> String {
    const LONGEST: usize = 300;
    message.lines().next().unwrap_or("is not YAML").chars().take(LONGEST).collect()
}
