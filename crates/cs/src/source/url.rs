//! Where a configuration comes from, as `DIRACX_CONFIG_BACKEND_URL` says it.

use std::{fmt, path::PathBuf, str::FromStr};

/// The branch that is followed unless the URL names another.
const DEFAULT_REVISION: &str = "master";

/// A parsed source URL. Its `Debug` and `Display` never show a password.
#[derive(Clone, PartialEq, Eq)]
pub enum SourceUrl {
    /// `git+file:///abs/path[?revision=R]`, or the path alone: an existing repository.
    LocalGit {
        /// The repository, bare or with a work tree.
        path: PathBuf,
        /// Branch, tag or commit.
        revision: String,
    },
    /// `git+https://[user:password@]host/path[?revision=R]` or `git+ssh://[user@]host[:port]/path[?revision=R]`: a
    /// repository to fetch from.
    RemoteGit {
        /// What git is given, with credentials.
        url: String,
        /// Branch, tag or commit.
        revision: String,
    },
    /// `file:///abs/default.yml`, or the path of a `.yml`, `.yaml` or `.json` file.
    File {
        /// The file.
        path: PathBuf,
    },
}

/// A source URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// Not one of the schemes that exist.
    #[error(
        "configuration source {0}://… is not supported; use git+file://, git+https://, git+ssh://, file:// or a path"
    )]
    Scheme(String),
    /// Nothing behind the scheme.
    #[error("configuration source {0}:// names no path")]
    NoPath(String),
    /// `git+file://host/path`.
    #[error("configuration source {0}:// must be followed by an absolute path, as in {0}:///srv/config")]
    NotAbsolute(String),
    /// `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("configuration source has a broken %-escape")]
    Escape,
}

impl FromStr for SourceUrl {
    type Err = SourceUrlError;

    fn from_str(text: &str) -> Result<Self, SourceUrlError> {
        let Some((scheme, rest)) = text.split_once("://") else { return Self::from_path(text) };
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        if location.is_empty() {
            return Err(SourceUrlError::NoPath(scheme.to_owned()));
        }
        match scheme {
            "git+https" | "git+ssh" => {
                let url = format!("{}://{location}", scheme.trim_start_matches("git+"));
                Ok(Self::RemoteGit { url, revision: revision(query)? })
            }
            "git+file" | "file" => {
                let location = location.strip_prefix("localhost").unwrap_or(location);
                if !location.starts_with('/') {
                    return Err(SourceUrlError::NotAbsolute(scheme.to_owned()));
                }
                let path = PathBuf::from(unescape(location)?);
                Ok(if scheme == "file" {
                    Self::File { path }
                } else {
                    Self::LocalGit { path, revision: revision(query)? }
                })
            }
            _ => Err(SourceUrlError::Scheme(scheme.to_owned())),
        }
    }
}

impl SourceUrl {
    fn from_path(text: &str) -> Result<Self, SourceUrlError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if path.is_empty() {
            return Err(SourceUrlError::NoPath("git+file".to_owned()));
        }
        let path = PathBuf::from(path);
        let is_document = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| ["yml", "yaml", "json"].contains(&extension));
        Ok(if is_document {
            Self::File { path }
        } else {
            Self::LocalGit { path, revision: revision(query)? }
        })
    }

    /// The branch, tag or commit that is followed; empty for a plain file.
    pub fn followed_revision(&self) -> &str {
        match self {
            Self::LocalGit { revision, .. } | Self::RemoteGit { revision, .. } => revision,
            Self::File { .. } => "",
        }
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalGit { path, revision } => {
                write!(f, "git+file://{}?revision={revision}", path.display())
            }
            Self::RemoteGit { url, revision } => {
                write!(f, "git+{}?revision={revision}", without_credentials(url))
            }
            Self::File { path } => write!(f, "file://{}", path.display()),
        }
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceUrl({self})")
    }
}

/// The URL as a log may show it.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.find('/').unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}://***@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// The value of `revision=`; the last one wins, everything else is dropped.
fn revision(query: &str) -> Result<String, SourceUrlError> {
    let named = query.split('&').filter_map(|pair| pair.strip_prefix("revision=")).next_back();
    match named {
        Some(revision) if !revision.is_empty() => unescape(revision),
        _ => Ok(DEFAULT_REVISION.to_owned()),
    }
}

fn unescape(text: &str) -> Result<String, SourceUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(SourceUrlError::Escape) };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| SourceUrlError::Escape)?);
    }
    String::from_utf8(bytes).map_err(|_| SourceUrlError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_are_understood_as_diracx_does() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let shown =
                text.parse::<SourceUrl>().map_or_else(|error| error.to_string(), |url| url.to_string());
            assert_eq!(shown, expected, "{text}");
        }
        check("/srv/cs", "git+file:///srv/cs?revision=master");
        check("git+file:///srv/cs", "git+file:///srv/cs?revision=master");
        check("git+file:///srv/c%20s?revision=v1", "git+file:///srv/c s?revision=v1");
        check(
            "git+file:///srv/cs?revision=a&x=1&revision=feature%2Fb",
            "git+file:///srv/cs?revision=feature/b",
        );
        check("git+https://host/org/cs.git", "git+https://host/org/cs.git?revision=master");
        check("git+https://u:secret@host/cs?revision=x", "git+https://***@host/cs?revision=x");
        check("git+ssh://git@host:22/cs?revision=v1", "git+ssh://***@host:22/cs?revision=v1");
        check("file:///srv/default.yml", "file:///srv/default.yml");
        check("/srv/default.yaml", "file:///srv/default.yaml");
        check("git+file://", "configuration source git+file:// names no path");
        check(
            "git+file://srv/cs",
            "configuration source git+file:// must be followed by an absolute path, as in git+file:///srv/config",
        );
        check("git+file:///srv/%zz", "configuration source has a broken %-escape");
        check(
            "git+http://host/cs",
            "configuration source git+http://… is not supported; use git+file://, git+https://, git+ssh://, file:// or a path",
        );
        check("", "configuration source git+file:// names no path");
    }

    #[test]
    fn the_password_is_kept_for_git_and_shown_nowhere() {
        let url: SourceUrl = "git+https://u:p@ss@host/cs".parse().unwrap();
        assert!(!format!("{url:?} {url}").contains("p@ss"));
        assert!(matches!(url, SourceUrl::RemoteGit { url, .. } if url == "https://u:p@ss@host/cs"));
    }
}
