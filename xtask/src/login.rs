//! `dirac login` without a browser: we click for the person.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{children::Running, http};

/// How long the log-in may take as a whole.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the given `dirac login` and approves it as `user` at the development identity provider.
pub(crate) fn complete(login: &mut Command, user: &str) -> Result<()> {
    let mut dirac = Running::start(login.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (sender, lines) = channel();
    let child = dirac.child();
    pump(child.stdout.take(), sender.clone());
    pump(child.stderr.take(), sender);
    let mut seen = String::new();
    let url = loop {
        // The channel closes when the program ends.
        let Ok(line) = lines.recv_timeout(PATIENCE) else { bail!("dirac login named no address:\n{seen}") };
        seen += &line;
        seen.push('\n');
        if let Some(url) = verification_url(&line) {
            break url;
        }
    };
    let answer = http::browse(&url, |url| hint(url, user))?;
    if answer.status != 200 {
        bail!("logging in as {user} ended with HTTP status {}: {}", answer.status, answer.body.trim());
    }
    let status = dirac.wait(PATIENCE)?.context("dirac login does not notice that it was approved")?;
    if !status.success() {
        let rest: Vec<String> = lines.iter().collect();
        bail!("dirac login ended with {status}:\n{seen}{}", rest.join("\n"));
    }
    Ok(())
}

fn pump(pipe: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // The receiver may have all it wants; the pipe must be emptied all the same.
            let _ = sender.send(line);
        }
    });
}

fn verification_url(line: &str) -> Option<String> {
    let start = line.find("http://")?;
    let url = line[start..].split_whitespace().next()?;
    url.contains("user_code=").then(|| url.to_owned())
}

/// The development identity provider takes the name of who logs in from the address.
fn hint(url: &str, user: &str) -> String {
    if !url.contains("/dev-idp/") {
        return url.to_owned();
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}login_hint={user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_to_visit_is_found_among_words() {
        let line = "Now go to: http://127.0.0.1:8/api/auth/device?user_code=ABCDEFGH and approve";
        assert_eq!(
            verification_url(line).as_deref(),
            Some("http://127.0.0.1:8/api/auth/device?user_code=ABCDEFGH")
        );
        assert_eq!(verification_url("see http://127.0.0.1:8/"), None);
    }

    #[test]
    fn only_the_identity_provider_is_told_who_logs_in() {
        assert_eq!(
            hint("http://h/dev-idp/authorize?a=b", "alice"),
            "http://h/dev-idp/authorize?a=b&login_hint=alice"
        );
        assert_eq!(hint("http://h/api/auth/device", "alice"), "http://h/api/auth/device");
    }
}
