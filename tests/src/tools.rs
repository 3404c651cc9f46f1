//! What tests need besides our own programs: an OpenID provider, a web browser, DiracX's own clients.
//!
//! `cargo xtask test` installs them, or says that it cannot. A test without its tool says so and ends; on the
//! build server it fails, and so it does where `cargo xtask test` has found the tool. `xtask/src/skips.rs` is the
//! other half of this.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The tools that must be found, by name with commas between them.
const STRICT: &str = "DIRACX_TEST_STRICT";
/// The file in which tests that go without a tool are counted.
const SKIPPED: &str = "DIRACX_TEST_SKIPPED";

/// The directory in which Node.js finds the OpenID provider; nothing if the test is to be skipped.
///
/// # Panics
/// On the build server, where nothing is skipped, and where `cargo xtask test` found it.
pub fn openid_provider() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/openid-provider");
    let there = place.join("node_modules/oidc-provider").is_dir() && find("node").is_some();
    or_skip(
        "openid-provider",
        there.then_some(place),
        "no OpenID provider; `cargo xtask test tests` installs it",
    )
}

/// `chromedriver`, which drives Chromium; nothing if the test is to be skipped.
///
/// # Panics
/// On the build server, where nothing is skipped, and where `cargo xtask test` found it.
pub fn chromedriver() -> Option<PathBuf> {
    let driver = find("chromium").and_then(|_| find("chromedriver"));
    or_skip("chromium", driver, "no Chromium; `apt-get install chromium chromium-driver` installs it")
}

/// The environment of Python with DiracX's own client of this version; nothing if the test is to be skipped.
///
/// # Panics
/// On the build server, where nothing is skipped, and where `cargo xtask test` found it.
pub fn diracx_client(version: &str) -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../.tools/diracx-{version}"));
    let there = place.join("lock.txt").is_file();
    or_skip(
        "diracx-clients",
        there.then_some(place),
        &format!("no client of DiracX {version}; `cargo xtask test tests` installs it"),
    )
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should see it")]
fn or_skip(name: &str, tool: Option<PathBuf>, missing: &str) -> Option<PathBuf> {
    if tool.is_none() {
        let in_ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        assert!(!in_ci, "{missing}");
        let strict = std::env::var(STRICT).unwrap_or_default();
        assert!(!strict.split(',').any(|found| found == name), "`cargo xtask test` has found it: {missing}");
        eprintln!("skipped: {missing}");
        if let Some(path) = std::env::var_os(SKIPPED) {
            let test = std::thread::current();
            let line = format!("{}\t{missing}\n", test.name().unwrap_or_default());
            // one write, since many tests append at once; a count that is lost is no reason to fail
            let file = File::options().append(true).create(true).open(path);
            let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        }
    }
    tool
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}
