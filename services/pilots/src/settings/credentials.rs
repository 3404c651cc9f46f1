//! The settings of credentials and logs of pilots.

use chrono::TimeDelta;
use diracx_server::settings::{Environment, Problems, Resolve, Secret};

use super::days;
use crate::logic::pepper::{Kind, Pepper};

const PEPPER: &str = "DIRACX_SERVICE_PILOTS_SECRET_PEPPER";
const PREVIOUS_PEPPER: &str = "DIRACX_SERVICE_PILOTS_PREVIOUS_SECRET_PEPPER";

/// Credentials and logs of pilots.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Credentials and logs of pilots")]
pub struct CredentialArgs {
    /// The key with which secrets of pilots are hashed, any text of 32 characters or more. The same for all processes; with
    /// another one all secrets and refresh tokens are void, unless the one of before is given as well. Required, unless
    /// there are no pilots.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_SECRET_PEPPER", hide_env_values = true, value_name = "TEXT")]
    pub secret_pepper: Option<Secret>,
    /// The key of before, when the key is changed: secrets and refresh tokens that were hashed with it stay good. To be
    /// dropped when the last of them has expired.
    #[arg(
        long,
        env = "DIRACX_SERVICE_PILOTS_PREVIOUS_SECRET_PEPPER",
        hide_env_values = true,
        value_name = "TEXT"
    )]
    pub previous_secret_pepper: Option<Secret>,
    /// How long secrets of pilots are good unless whoever makes them says otherwise, in hours.
    #[arg(
        long,
        env = "DIRACX_SERVICE_PILOTS_SECRET_LIFETIME_HOURS",
        default_value = "168",
        value_name = "HOURS"
    )]
    pub pilot_secret_lifetime_hours: String,
    /// How long secrets of pilots may be good at the most, in hours.
    #[arg(
        long,
        env = "DIRACX_SERVICE_PILOTS_MAX_SECRET_LIFETIME_HOURS",
        default_value = "8784",
        value_name = "HOURS"
    )]
    pub pilot_max_secret_lifetime_hours: String,
    /// How long a refresh token of a pilot is good, in hours; each is good for one use and gives the next.
    #[arg(
        long,
        env = "DIRACX_SERVICE_PILOTS_REFRESH_TOKEN_LIFETIME_HOURS",
        default_value = "24",
        value_name = "HOURS"
    )]
    pub pilot_refresh_token_lifetime_hours: String,
    /// How long lines of logs of pilots are kept, in days.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_LOG_RETENTION_DAYS", default_value = "30", value_name = "DAYS")]
    pub pilot_log_retention_days: String,
    /// How large the log of a pilot may be, in MiB.
    #[arg(long, env = "DIRACX_SERVICE_PILOTS_MAX_LOG_MIB", default_value = "16", value_name = "MIB")]
    pub pilot_max_log_mib: String,
    /// Whether users with the property GenericPilot, whom pilots of DIRAC act as, may change the metadata of every pilot
    /// of their VO, one at a time: nobody can tell which of the pilots calls.
    #[arg(
        long,
        env = "DIRACX_SERVICE_PILOTS_GENERIC_PILOTS_MANAGE_VO_PILOTS",
        default_value = "false",
        value_name = "BOOL"
    )]
    pub generic_pilots_manage_vo_pilots: String,
}

/// See [`CredentialArgs`].
#[derive(Debug, Clone)]
pub struct CredentialSettings {
    /// The key with which secrets are hashed.
    pub pepper: Pepper,
    /// The key of before, whose hashes still count.
    pub previous_pepper: Option<Pepper>,
    /// How long secrets are good if nobody says otherwise.
    pub secret_lifetime: TimeDelta,
    /// How long secrets may be good.
    pub longest_secret_lifetime: TimeDelta,
    /// How long refresh tokens are good.
    pub refresh_token_lifetime: TimeDelta,
    /// How long lines of logs are kept.
    pub log_retention: TimeDelta,
    /// How large the log of a pilot may be, in bytes.
    pub most_log_bytes: i64,
    /// Whether users with `GenericPilot` may change every pilot of their VO.
    pub generic_pilots: bool,
}

impl CredentialSettings {
    /// With this key, and the defaults for the rest.
    pub fn new(pepper: Pepper) -> Self {
        Self {
            pepper,
            previous_pepper: None,
            secret_lifetime: TimeDelta::hours(168),
            longest_secret_lifetime: TimeDelta::hours(8784),
            refresh_token_lifetime: TimeDelta::hours(24),
            log_retention: TimeDelta::days(30),
            most_log_bytes: 16 << 20,
            generic_pilots: false,
        }
    }

    /// The hashes that a secret may be kept as, the newest first.
    pub fn hashes(&self, kind: Kind, secret: &str) -> Vec<String> {
        let peppers = std::iter::once(&self.pepper).chain(&self.previous_pepper);
        peppers.map(|pepper| pepper.hash(kind, secret)).collect()
    }
}

impl Resolve for CredentialArgs {
    type Settings = CredentialSettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<CredentialSettings> {
        let given = self.secret_pepper.filter(|pepper| !pepper.expose().trim().is_empty());
        let pepper = problems.required(PEPPER, given);
        let pepper = pepper.and_then(|pepper| problems.check(PEPPER, pepper.expose().parse::<Pepper>()));
        let previous = self
            .previous_secret_pepper
            .filter(|pepper| !pepper.expose().trim().is_empty())
            .map(|pepper| problems.check(PREVIOUS_PEPPER, pepper.expose().parse::<Pepper>()));
        let secret_lifetime =
            hours(problems, "DIRACX_SERVICE_PILOTS_SECRET_LIFETIME_HOURS", &self.pilot_secret_lifetime_hours);
        let longest_secret_lifetime = hours(
            problems,
            "DIRACX_SERVICE_PILOTS_MAX_SECRET_LIFETIME_HOURS",
            &self.pilot_max_secret_lifetime_hours,
        );
        let refresh_token_lifetime = hours(
            problems,
            "DIRACX_SERVICE_PILOTS_REFRESH_TOKEN_LIFETIME_HOURS",
            &self.pilot_refresh_token_lifetime_hours,
        );
        let log_retention =
            days(problems, "DIRACX_SERVICE_PILOTS_LOG_RETENTION_DAYS", &self.pilot_log_retention_days);
        let most_log_bytes =
            bounded(problems, "DIRACX_SERVICE_PILOTS_MAX_LOG_MIB", &self.pilot_max_log_mib, 1024)
                .map(|mib| mib << 20);
        let generic_pilots = problems.boolean(
            "DIRACX_SERVICE_PILOTS_GENERIC_PILOTS_MANAGE_VO_PILOTS",
            &self.generic_pilots_manage_vo_pilots,
        );
        if let (Some(usual), Some(longest)) = (secret_lifetime, longest_secret_lifetime)
            && usual > longest
        {
            problems.note(
                "DIRACX_SERVICE_PILOTS_SECRET_LIFETIME_HOURS",
                "must not be more than DIRACX_SERVICE_PILOTS_MAX_SECRET_LIFETIME_HOURS",
            );
            return None;
        }
        Some(CredentialSettings {
            pepper: pepper?,
            previous_pepper: match previous {
                None => None,
                Some(previous) => Some(previous?),
            },
            secret_lifetime: secret_lifetime?,
            longest_secret_lifetime: longest_secret_lifetime?,
            refresh_token_lifetime: refresh_token_lifetime?,
            log_retention: log_retention?,
            most_log_bytes: most_log_bytes?,
            generic_pilots: generic_pilots?,
        })
    }
}

/// A number of hours, at least one and not more than ten years of them.
fn hours(problems: &mut Problems, name: &str, raw: &str) -> Option<TimeDelta> {
    bounded(problems, name, raw, 87_660).map(TimeDelta::hours)
}

fn bounded(problems: &mut Problems, name: &str, raw: &str, most: i64) -> Option<i64> {
    let number: i64 = problems.parse(name, raw)?;
    if !(1..=most).contains(&number) {
        problems.note(name, format_args!("must be from 1 to {most}"));
        return None;
    }
    Some(number)
}
