//! What the tests of logins need: an OpenID provider and a web browser. The tests find both by themselves, and
//! skip what they cannot do.

use anyhow::{Context as _, Result, bail};

use crate::{
    report::Ended,
    shell::{apt_install, find, in_ci, may_use_apt, program, read, root, run, tools_dir},
};

/// What npm is to install, to the byte.
const LOCK: &str = "package-lock.json";

/// The oldest Node.js on which the provider runs.
const OLDEST_NODE: u32 = 20;

/// Makes sure that the provider of `tests/provider` is installed in `.tools/openid-provider`.
pub(super) fn openid_provider() -> Result<Ended> {
    let directory = tools_dir().join("openid-provider");
    let source = root().join("tests/provider");
    let locked = std::fs::read(source.join(LOCK)).context("tests/provider has no lock file")?;
    if let Some(how) = missing(&["node", "npm"], &["nodejs", "npm"])? {
        return Ok(Ended::Skipped(how));
    }
    let version = read(program("node").arg("--version"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|number| number.parse().ok());
    if major.is_none_or(|major: u32| major < OLDEST_NODE) {
        let how = format!("it needs Node.js {OLDEST_NODE} or newer, and this is {}", version.trim());
        if in_ci() {
            bail!(how);
        }
        return Ok(Ended::Skipped(how));
    }
    // npm writes this file when everything is there.
    let installed = directory.join("node_modules/.package-lock.json").is_file()
        && std::fs::read(directory.join(LOCK)).is_ok_and(|lock| lock == locked);
    if installed {
        return Ok(Ended::Passed);
    }
    std::fs::create_dir_all(&directory)?;
    std::fs::copy(source.join("package.json"), directory.join("package.json"))?;
    std::fs::write(directory.join(LOCK), &locked)?;
    let npm =
        run(program("npm").args(["ci", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&directory));
    match npm {
        Ok(()) => Ok(Ended::Passed),
        Err(error) if in_ci() => Err(error),
        Err(error) => Ok(Ended::Skipped(format!("npm cannot install it now: {error:#}"))),
    }
}

/// Makes sure that there is Chromium, and what drives it.
pub(super) fn chromium() -> Result<Ended> {
    Ok(match missing(&["chromium", "chromedriver"], &["chromium", "chromium-driver"])? {
        None => Ended::Passed,
        Some(how) => Ended::Skipped(how),
    })
}

/// How to install what is not here; the build server does it.
fn missing(programs: &[&str], packages: &[&str]) -> Result<Option<String>> {
    if programs.iter().all(|name| find(name).is_some()) {
        return Ok(None);
    }
    if !in_ci() {
        return Ok(Some(format!("install it: `apt-get install {}`", packages.join(" "))));
    }
    if !may_use_apt() {
        bail!("{} are missing, and this is neither Debian nor root", packages.join(" and "));
    }
    apt_install(packages)?;
    Ok(None)
}
