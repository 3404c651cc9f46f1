//! One fetch from a remote repository.

use std::{
    num::NonZeroU32,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use gix::{
    bstr::{BStr, BString},
    credentials::protocol::Outcome,
    progress::Discard,
    remote::{Direction, fetch::Shallow},
};

use super::git::chain;

/// How ssh is started unless the settings say otherwise: it asks nobody, and notices when the other side is gone.
const SSH: &str =
    "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=3";

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The newest state of a branch or tag: without the history, which may be long.
    Name(String),
    /// A commit, which may be anywhere in the history.
    Commit,
}

impl Wanted {
    pub(super) fn of(revision: &str) -> Self {
        let digits = revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits && (4..=64).contains(&revision.len()) {
            Self::Commit
        } else {
            let name = revision.trim_start_matches("refs/");
            let name = name.strip_prefix("heads/").or_else(|| name.strip_prefix("tags/")).unwrap_or(name);
            Self::Name(name.to_owned())
        }
    }

    /// Branches and tags of the copy become what they are in the remote, also after a forced push.
    fn refspecs(&self) -> [String; 2] {
        let name = match self {
            Self::Name(name) => name,
            Self::Commit => "*",
        };
        ["heads", "tags"].map(|kind| format!("+refs/{kind}/{name}:refs/{kind}/{name}"))
    }
}

/// See the module.
pub(super) struct Fetch {
    /// With credentials.
    pub(super) url: String,
    /// A bare repository.
    pub(super) into: PathBuf,
    pub(super) wanted: Wanted,
    pub(super) ssh_command: Option<String>,
    /// Turns true when nobody wants it any more.
    pub(super) stop: Arc<AtomicBool>,
}

impl Fetch {
    pub(super) fn run(self) -> Result<(), String> {
        self.fetch().map_err(|error| chain(&*error))
    }

    fn fetch(&self) -> Result<(), Box<dyn std::error::Error>> {
        // Isolated: neither the environment nor the machine's git settings play a part.
        let ssh = self.ssh_command.as_deref().unwrap_or(SSH);
        let options = gix::open::Options::isolated().config_overrides([
            "gitoxide.http.connectTimeout=10000".to_owned(),
            format!("core.sshCommand={ssh}"),
            "ssh.variant=ssh".to_owned(),
        ]);
        let git = gix::open_opts(&self.into, options)?;
        let refspecs = self.wanted.refspecs();
        let remote = git
            .remote_at(self.url.as_str())?
            .with_fetch_tags(gix::remote::fetch::Tags::None)
            .with_refspecs(refspecs.iter().map(BStr::new), Direction::Fetch)?;
        let connection = remote.connect(Direction::Fetch)?.with_credentials(in_url_only);
        let fetch = connection.prepare_fetch(Discard, gix::remote::ref_map::Options::default())?;
        let there: Vec<BString> =
            fetch.ref_map().mappings.iter().filter_map(|mapping| mapping.local.clone()).collect();
        forget_others(&git, &there)?;
        if there.is_empty() {
            // nothing to fetch; whoever looks for the revision in the copy finds that it does not exist
            return Ok(());
        }
        let shallow = match &self.wanted {
            Wanted::Name(_) => {
                let unchanged = fetch.ref_map().mappings.iter().all(|mapping| {
                    let local = mapping.local.as_ref().map(|local| -> &BStr { local.as_ref() });
                    let here = local.and_then(|local| git.find_reference(local).ok());
                    let here = here.and_then(|here| here.try_id().map(gix::Id::detach));
                    here.is_some() && here.as_deref() == mapping.remote.as_id()
                });
                if unchanged {
                    return Ok(());
                }
                Shallow::DepthAtRemote(NonZeroU32::MIN)
            }
            Wanted::Commit => Shallow::NoChange,
        };
        fetch.with_shallow(shallow).receive(Discard, &self.stop)?;
        Ok(())
    }
}

/// Branches and tags that the remote does not have any more are not there any more: a copy that went on having them would
/// answer with them for ever.
fn forget_others(git: &gix::Repository, there: &[BString]) -> Result<(), Box<dyn std::error::Error>> {
    let references = git.references()?;
    for kind in ["refs/heads/", "refs/tags/"] {
        for reference in references.prefixed(kind)? {
            let reference = reference.map_err(|error| error.to_string())?;
            if !there.iter().any(|name| name == reference.name().as_bstr()) {
                reference.delete()?;
            }
        }
    }
    Ok(())
}

/// Credentials come from the URL; no helper program is started and nobody is asked at a terminal.
#[expect(clippy::unnecessary_wraps, reason = "the form that gix asks for")]
fn in_url_only(action: gix::credentials::helper::Action) -> Result<Option<Outcome>, gix::Error> {
    match action {
        gix::credentials::helper::Action::Get(context) => {
            let url = context.url.as_ref().and_then(|url| gix::url::parse(BStr::new(url)).ok());
            let identity = url.and_then(|url| {
                Some(gix::sec::identity::Account {
                    username: url.user()?.to_owned(),
                    password: url.password().unwrap_or_default().to_owned(),
                    oauth_refresh_token: None,
                })
            });
            Ok(identity.map(|identity| Outcome { identity, next: context.into() }))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fetched_alone_and_a_commit_with_the_history() {
        let check = |revision: &str, expected: &str| {
            assert_eq!(
                Wanted::of(revision).refspecs()[0],
                format!("+refs/heads/{expected}:refs/heads/{expected}")
            );
        };
        check("master", "master");
        check("feature/b", "feature/b");
        check("refs/heads/x", "x");
        check("tags/v1", "v1");
        check("0123456789012345678901234567890123456789", "*");
        check("abc1234", "*");
    }
}
