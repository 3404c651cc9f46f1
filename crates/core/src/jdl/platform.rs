//! Which of the installation's platforms can run what a job asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::{error::Problem, number::ascii_digit};

/// The platforms that are compatible with any of `requested`, the newest first.
///
/// What is not known is ignored as long as something is.
pub(super) fn compatible(
    requested: &[String],
    os_compatibility: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Vec<String>, Problem> {
    if os_compatibility.is_empty() {
        return Err(Problem::NoPlatformsConfigured);
    }
    let wanted: BTreeSet<&String> = requested.iter().collect();
    let mut platforms: Vec<String> = os_compatibility
        .iter()
        .filter(|(_, compatible)| compatible.iter().any(|item| wanted.contains(item)))
        .map(|(platform, _)| platform.clone())
        .collect();
    if platforms.is_empty() {
        return Err(Problem::NoCompatiblePlatform(requested.join(",")));
    }
    platforms.sort_by_cached_key(|platform| std::cmp::Reverse(version_key(platform)));
    Ok(platforms)
}

/// Orders `el10` behind `el9`: digits, letters and the rest apart, digits padded with zeros.
fn version_key(platform: &str) -> Vec<String> {
    #[derive(PartialEq, Clone, Copy)]
    enum Kind {
        Digits,
        Letters,
        Other,
    }
    let kind = |c: char| match c {
        _ if ascii_digit(c).is_some() => Kind::Digits,
        'a'..='z' => Kind::Letters,
        _ => Kind::Other,
    };
    let mut parts: Vec<String> = Vec::new();
    let mut add = |part: &mut String| {
        if part.is_empty() {
            return;
        }
        let part = std::mem::take(part);
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            parts.push(format!("{part:0>8}"));
        } else {
            while parts.last().is_some_and(|last| last == "00000000") {
                parts.pop();
            }
            parts.push(part);
        }
    };
    let mut part = String::new();
    let mut previous = Kind::Other;
    for c in platform.to_lowercase().chars() {
        if c == '.' || kind(c) != previous {
            add(&mut part);
        }
        if c != '.' {
            part.push(c);
        }
        previous = kind(c);
    }
    add(&mut part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first() {
        let mut platforms = ["x86_64-el9", "x86_64-centos7", "x86_64-el10", "aarch64-el9", "x86_64-el9.2"];
        platforms.sort_by_cached_key(|platform| std::cmp::Reverse(version_key(platform)));
        assert_eq!(platforms, ["x86_64-el10", "x86_64-el9.2", "x86_64-el9", "x86_64-centos7", "aarch64-el9"]);
    }

    #[test]
    fn one_known_platform_suffices() {
        let known =
            BTreeMap::from([("el9".to_owned(), BTreeSet::from(["el9".to_owned(), "el8".to_owned()]))]);
        let check = |requested: &[&str], expected: Result<&[&str], Problem>| {
            let requested: Vec<String> = requested.iter().map(ToString::to_string).collect();
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(compatible(&requested, &known), expected);
        };
        check(&["el8", "beos"], Ok(&["el9"]));
        check(&["beos"], Err(Problem::NoCompatiblePlatform("beos".into())));
    }
}
