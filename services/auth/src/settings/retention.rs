//! How long old rows are kept: what the service and the chore `clean` have in common.

use diracx_server::settings::Problems;

use super::values::lifetime;
use crate::logic::cleaning::Retention;

pub(super) const FLOWS: &str = "DIRACX_SERVICE_AUTH_COMPLETED_FLOW_RETENTION_MINUTES";
const MONTHS: &str = "DIRACX_SERVICE_AUTH_REFRESH_TOKEN_RETENTION_MONTHS";

/// How long old rows are kept.
#[derive(Debug, Clone, clap::Args)]
pub struct RetentionArgs {
    /// How long logins are kept before they are cleaned away, in minutes; longer than any may take.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_COMPLETED_FLOW_RETENTION_MINUTES",
        default_value = "60",
        value_name = "MINUTES"
    )]
    pub completed_flow_retention_minutes: String,
    /// How long refresh tokens are kept before they are cleaned away, in months.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_REFRESH_TOKEN_RETENTION_MONTHS",
        default_value = "6",
        value_name = "MONTHS"
    )]
    pub refresh_token_retention_months: String,
}

impl RetentionArgs {
    /// The times; `None`, with a note, if they make no sense.
    pub(crate) fn read(&self, problems: &mut Problems) -> Option<Retention> {
        let flows = lifetime(problems, FLOWS, &self.completed_flow_retention_minutes, 60);
        let tokens_months = problems.parse(MONTHS, &self.refresh_token_retention_months);
        Some(Retention { flows: flows?, tokens_months: tokens_months? })
    }
}
