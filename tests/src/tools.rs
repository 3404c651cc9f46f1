//! What tests need besides our own programs: an OpenID provider, a web browser, DiracX's own clients.
//!
//! `cargo xtask test` installs them, or says that it cannot. A test without its tool says so and ends; on the
//! build server it fails.

use std::path::{Path, PathBuf};

/// The directory in which Node.js finds the OpenID provider; nothing if the test is to be skipped.
///
/// # Panics
/// On the build server, where nothing is skipped.
pub fn openid_provider() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/openid-provider");
    let there = place.join("node_modules/oidc-provider").is_dir() && find("node").is_some();
    or_skip(there.then_some(place), "no OpenID provider; `cargo xtask test tests` installs it")
}

/// `chromedriver`, which drives Chromium; nothing if the test is to be skipped.
///
/// # Panics
/// On the build server, where nothing is skipped.
pub fn chromedriver() -> Option<PathBuf> {
    let driver = find("chromium").and_then(|_| find("chromedriver"));
    or_skip(driver, "no Chromium; `apt-get install chromium chromium-driver` installs it")
}

/// The environment of Python with DiracX's own client of this version; nothing if the test is to be skipped.
///
/// # Panics
/// On the build server, where nothing is skipped.
pub fn diracx_client(version: &str) -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../.tools/diracx-{version}"));
    let there = place.join("lock.txt").is_file();
    or_skip(
        there.then_some(place),
        &format!("no client of DiracX {version}; `cargo xtask test tests` installs it"),
    )
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should see it")]
fn or_skip(tool: Option<PathBuf>, missing: &str) -> Option<PathBuf> {
    if tool.is_none() {
        let in_ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        assert!(!in_ci, "{missing}");
        eprintln!("skipped: {missing}");
    }
    tool
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}
