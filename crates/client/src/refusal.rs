//! What a server says besides its sentence.

use std::{collections::HashMap, time::Duration};

use diracx_core::Reason;
use tonic::Status;
use tonic_types::StatusExt as _;

/// The details of a refusal, empty where the server gave none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The stable reason, such as `TOKEN_EXPIRED`.
    pub reason: String,
    /// The variables of the sentence, by camelCase name.
    pub variables: HashMap<String, String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The fields that are wrong: path, and what is wrong with them.
    pub violations: Vec<(String, String)>,
}

impl Refusal {
    /// Reads the details of `status`.
    pub fn of(status: &Status) -> Self {
        let (reason, variables) =
            status.get_details_error_info().map(|info| (info.reason, info.metadata)).unwrap_or_default();
        let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
        Self {
            reason,
            variables,
            retry_after: status.get_details_retry_info().and_then(|retry| retry.retry_delay),
            violations: violations.into_iter().map(|v| (v.field, v.description)).collect(),
        }
    }

    /// Whether the server named this reason.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == reason.as_str()
    }
}
