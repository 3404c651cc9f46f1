//! What a heartbeat means.

use chrono::{DateTime, Utc};
use diracx_core::{JobId, JobStatus};

use super::transitions::{Effect, StatusRecord, StoredStatus};

/// How many bytes of a job's output are kept, as much as of any parameter.
pub const LONGEST_OUTPUT: usize = 64 * 1024;

/// The job parameter that holds a job's output.
pub const STANDARD_OUTPUT: &str = "StandardOutput";

/// A job that is alive.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Which.
    pub job: JobId,
    /// How it does: figures with DIRAC's names.
    pub figures: Vec<(&'static str, f64)>,
    /// The last of its output.
    pub standard_output: Option<String>,
}

/// What a heartbeat reports of a job in this status; none if it says nothing new.
pub fn report(status: &StoredStatus, now: DateTime<Utc>) -> Option<StatusRecord> {
    status.has(Effect::RunsOnHeartbeat).then(|| StatusRecord {
        time: now,
        status: Some(JobStatus::Running),
        minor_status: None,
        application_status: None,
        source: "Heartbeat".to_owned(),
    })
}

/// The end of an output, cut between characters.
pub fn last_part(mut text: String) -> String {
    if let Some(mut from) = text.len().checked_sub(LONGEST_OUTPUT) {
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.drain(..from);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_is_kept_between_characters() {
        assert_eq!(last_part("short".into()), "short");
        let long = format!("{}ä{}", "x".repeat(10), "y".repeat(LONGEST_OUTPUT - 1));
        assert_eq!(last_part(long), "y".repeat(LONGEST_OUTPUT - 1));
        assert_eq!(last_part("z".repeat(LONGEST_OUTPUT + 1)).len(), LONGEST_OUTPUT);
    }
}
