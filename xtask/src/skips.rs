//! Tests that end early for want of a tool, so that nobody takes them for passed: `cargo xtask test` tells the tests
//! which tools are there, and they note in a file what they go without. `tests/src/tools.rs` is the other half.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;

use crate::children::Scratch;

/// Tells the tests which tools are there, by the names below with commas between them: not to find one of them is a
/// failure.
const STRICT: &str = "DIRACX_TEST_STRICT";
/// Tells the tests into which file they write a line for each that ends early: its name, a tab, and why.
const SKIPPED: &str = "DIRACX_TEST_SKIPPED";

/// The steps that get a tool for the tests, and what the tests call the tool.
const TOOLS: [(&str, &str); 3] = [
    ("OpenID provider", "openid-provider"),
    ("Chromium", "chromium"),
    ("DiracX's clients", "diracx-clients"),
];

/// The file of one run.
pub(crate) struct Skips {
    scratch: Scratch,
}

impl Skips {
    /// An empty one.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { scratch: Scratch::new("diracx-skips-")? })
    }

    /// What the tests have to know, if these steps passed.
    pub(crate) fn environment(&self, passed: impl Fn(&str) -> bool) -> [(&'static str, String); 2] {
        let tools: Vec<_> = TOOLS.iter().filter(|(step, _)| passed(step)).map(|(_, tool)| *tool).collect();
        [(STRICT, tools.join(",")), (SKIPPED, self.file().display().to_string())]
    }

    /// A line for each reason: how many tests were skipped for it.
    pub(crate) fn summary(&self) -> Vec<String> {
        summarise(&std::fs::read_to_string(self.file()).unwrap_or_default())
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("skipped")
    }
}

fn summarise(lines: &str) -> Vec<String> {
    let mut reasons = BTreeMap::<&str, u32>::new();
    for line in lines.lines() {
        let (_, reason) = line.split_once('\t').unwrap_or(("", line));
        *reasons.entry(reason).or_default() += 1;
    }
    reasons.into_iter().map(|(reason, count)| format!("{count} tests ({reason})")).collect()
}

/// For tests of ours that need a program: is it here? Notes it if not; on the build server that is a failure.
#[cfg(test)]
pub(crate) fn is_here(name: &str) -> bool {
    use std::io::Write as _;

    let here = crate::shell::find(name).is_some();
    if !here {
        assert!(!crate::shell::in_ci(), "there is no {name}");
        eprintln!("skipped: there is no {name}");
        let file = std::env::var_os(SKIPPED)
            .and_then(|path| std::fs::File::options().append(true).create(true).open(path).ok());
        if let Some(mut file) = file {
            writeln!(file, "xtask\tthere is no {name}").unwrap();
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_counted_by_reason() {
        let lines = "one\tno Chromium\ntwo\tno provider\nthree\tno Chromium\n";
        assert_eq!(summarise(lines), ["2 tests (no Chromium)", "1 tests (no provider)"]);
        assert_eq!(summarise(""), [""; 0]);
    }

    #[test]
    fn tests_may_not_miss_a_tool_whose_step_passed() {
        let environment = Skips::new().unwrap().environment(|step| step != "Chromium");
        assert_eq!(environment[0], (STRICT, "openid-provider,diracx-clients".to_owned()));
    }
}
