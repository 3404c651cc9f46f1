//! Reading the values of settings.

use chrono::Duration;
use diracx_server::settings::Problems;

use crate::logic::component::ComponentKeys;

/// A number of units, each of so many seconds; from one unit to ten years.
pub(super) fn lifetime(problems: &mut Problems, name: &str, raw: &str, unit: i64) -> Option<Duration> {
    const MOST: i64 = 10 * 366 * 86_400;
    let count: i64 = problems.parse(name, raw)?;
    if count < 1 || count > MOST / unit {
        problems.note(name, format_args!("must be between 1 and {}", MOST / unit));
        return None;
    }
    Some(Duration::seconds(count * unit))
}

/// Inline, or in a file.
pub(super) fn component_keys(problems: &mut Problems, name: &str, setting: &str) -> Option<ComponentKeys> {
    if setting.starts_with('{') {
        return problems.check(name, ComponentKeys::parse(setting));
    }
    match std::fs::read_to_string(setting) {
        Ok(document) => problems.check(name, ComponentKeys::parse(&document)),
        Err(error) => {
            problems.note(name, format_args!("cannot read {setting}: {error}"));
            None
        }
    }
}

pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
