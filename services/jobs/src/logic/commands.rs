//! Commands for those who run jobs: when one is given, how long it waits, and what names it.
//!
//! A command waits until somebody acknowledges it, or until the run that it meant is over. Rows are never deleted
//! before their job, so that what names a command never comes to mean another.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diracx_core::JobId;

/// Stop the payload.
pub const KILL: &str = "Kill";

/// The status of a command that waits: DIRAC's word.
pub const WAITING: &str = "Received";
/// The status of a command that has arrived: DIRAC's word.
pub const SENT: &str = "Sent";
/// The status of a command whose run was over before it arrived: ours.
pub const DROPPED: &str = "Dropped";

/// What tells commands apart: DIRAC's key. DiracX's has no arguments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandKey {
    /// For whoever runs this job.
    pub job: JobId,
    /// When it was given.
    pub reception_time: DateTime<Utc>,
    /// What comes with it.
    pub arguments: String,
}

impl CommandKey {
    /// The name of the command, within its job.
    pub fn id(&self) -> String {
        format!("{}.{}", self.reception_time.timestamp_micros(), URL_SAFE_NO_PAD.encode(&self.arguments))
    }

    /// The command of this name; none if no command can have it.
    pub fn read(job: JobId, id: &str) -> Option<Self> {
        let (micros, arguments) = id.split_once('.')?;
        let arguments = URL_SAFE_NO_PAD.decode(arguments).ok()?;
        Some(Self {
            job,
            reception_time: DateTime::from_timestamp_micros(micros.parse().ok()?)?,
            arguments: String::from_utf8(arguments).ok()?,
        })
    }
}

/// A command as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredCommand {
    /// Which.
    pub key: CommandKey,
    /// What to do, in DIRAC's words.
    pub name: String,
    /// Whether it has not arrived yet.
    pub waits: bool,
}

/// When to date a Kill for a job that was given `earlier` commands; none if one waits already, which says it all.
///
/// Times are whole seconds, as MySQL keeps them, and no two commands of a job have the same.
pub fn date_of_kill(earlier: &[StoredCommand], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if earlier.iter().any(|command| command.waits && command.name == KILL) {
        return None;
    }
    let second = |time: DateTime<Utc>| time.duration_trunc(TimeDelta::seconds(1)).unwrap_or(time);
    let taken: BTreeSet<_> = earlier.iter().map(|command| second(command.key.reception_time)).collect();
    let mut date = second(now);
    while taken.contains(&date) {
        date += TimeDelta::seconds(1);
    }
    Some(date)
}

/// Which of the waiting commands go to somebody who asks. Those who cannot acknowledge get what every client
/// understands; the rest goes on waiting for one who can.
pub fn deliver(mut waiting: Vec<StoredCommand>, acknowledges: bool) -> Vec<StoredCommand> {
    waiting.retain(|command| command.waits && (acknowledges || command.name == KILL));
    waiting.sort();
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000 + milliseconds).unwrap()
    }

    fn command(name: &str, milliseconds: i64, waits: bool) -> StoredCommand {
        let key = CommandKey { job: JobId(7), reception_time: at(milliseconds), arguments: String::new() };
        StoredCommand { key, name: name.into(), waits }
    }

    #[test]
    fn a_kill_takes_the_first_free_second_and_one_that_waits_is_enough() {
        assert_eq!(date_of_kill(&[], at(999)), Some(at(0)));
        assert_eq!(
            date_of_kill(&[command(KILL, 0, false), command("Peek", 1_250, true)], at(999)),
            Some(at(2_000))
        );
        assert_eq!(date_of_kill(&[command(KILL, -90_000, true)], at(999)), None);
    }

    #[test]
    fn a_name_leads_back_to_its_command_and_nonsense_to_none() {
        for arguments in ["", "a b", "ä.\n'\"", "x".repeat(100).as_str()] {
            let key = CommandKey { job: JobId(7), reception_time: at(1), arguments: arguments.into() };
            assert_eq!(CommandKey::read(JobId(7), &key.id()), Some(key));
        }
        for nonsense in ["", ".", "7:1", "1", "x.", "1.?", "99999999999999999999.", "9223372036854775807."] {
            assert_eq!(CommandKey::read(JobId(7), nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn who_cannot_acknowledge_gets_kills_only() {
        let waiting =
            || vec![command("Peek", 2_000, true), command(KILL, 1_000, true), command(KILL, 0, false)];
        assert_eq!(deliver(waiting(), false), [command(KILL, 1_000, true)]);
        assert_eq!(deliver(waiting(), true), [command(KILL, 1_000, true), command("Peek", 2_000, true)]);
    }
}
