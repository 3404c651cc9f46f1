//! DiracX's own clients, which the tests run unmodified against us: each version in a virtual environment of its own,
//! with exactly the packages of its lock file.

use anyhow::{Context as _, Result, bail};

use crate::{
    report::Ended,
    shell::{apt_install, find, in_ci, may_use_apt, program, read, root, run, tools_dir},
};

/// The lock files, `tests/data/python/<name>.txt`.
const CLIENTS: [&str; 2] = ["diracx-0.4.0", "diracx-0.7.0"];

/// The oldest Python that both of them run on.
const OLDEST_PYTHON: (u32, u32) = (3, 11);

/// What is copied into an environment when everything is there.
const LOCK: &str = "lock.txt";

/// Makes sure that each client is installed in `.tools/<name>`.
pub(super) fn python_clients() -> Result<Ended> {
    let Some(python) = find("python3") else {
        return without("there is no python3: `apt-get install python3 python3-venv` installs it");
    };
    let version = read(program(&python).args(["-c", "import sys; print(*sys.version_info[:2])"]))?;
    let mut parts = version.split_whitespace().map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST_PYTHON => {}
        _ => {
            let (major, minor) = OLDEST_PYTHON;
            return without(&format!(
                "DiracX needs Python {major}.{minor} or newer, and this is {}",
                version.trim()
            ));
        }
    }
    for client in CLIENTS {
        if let Err(error) = install(&python, client) {
            return without(&format!("pip cannot install {client} now: {error:#}"));
        }
    }
    Ok(Ended::Passed)
}

fn install(python: &std::path::Path, client: &str) -> Result<()> {
    let lock = root().join("tests/data/python").join(format!("{client}.txt"));
    let locked = std::fs::read(&lock).with_context(|| lock.display().to_string())?;
    let place = tools_dir().join(client);
    if std::fs::read(place.join(LOCK)).is_ok_and(|installed| installed == locked) {
        return Ok(());
    }
    let made = run(program(python).args(["-m", "venv", "--clear"]).arg(&place));
    if made.is_err() && in_ci() && may_use_apt() {
        // Debian's python3 comes without it
        apt_install(&["python3-venv"])?;
        run(program(python).args(["-m", "venv", "--clear"]).arg(&place))?;
    } else {
        made?;
    }
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
    run(program(place.join("bin/python")).args(pip).arg(&lock))?;
    Ok(std::fs::write(place.join(LOCK), &locked)?)
}

/// Nothing is skipped on the build server.
fn without(how: &str) -> Result<Ended> {
    if in_ci() {
        bail!("{how}");
    }
    Ok(Ended::Skipped(how.to_owned()))
}
