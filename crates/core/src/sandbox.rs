//! The names of sandboxes.
//!
//! `SB:<storage element>|/S3/<bucket>/<vo>/<group>/<user>/<algorithm>:<checksum>.<format>`: the part behind the bar
//! is stored, and identifies the sandbox. The part before it may be left out.

use std::{fmt, str::FromStr, sync::LazyLock};

use regex::Regex;

/// What DiracX's clients know as the form of a PFN. Its colon at the beginning is a slip that has become law.
pub const PFN_PATTERN: &str =
    r"^(:?SB:[A-Za-z]+\|)?/S3/[a-z0-9\.\-]{3,63}(?:/[^/]+){3}/[a-z0-9]{3,10}:[0-9a-f]{64}\.[a-z0-9\.]+$";

/// How long a PFN may be, in characters.
pub const LONGEST_PFN: usize = 256;

/// How large a sandbox may be, packed, in bytes: 100 MiB.
pub const LARGEST_SANDBOX: i64 = 100 * 1024 * 1024;

/// What the names of buckets look like.
pub fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && !name.starts_with(['.', '-'])
}

#[expect(clippy::expect_used, reason = "the pattern is written above, and a test compiles it")]
static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(PFN_PATTERN).expect("a pattern"));

/// Whether a text has the form of a PFN, whatever its length.
pub fn matches_pattern(text: &str) -> bool {
    PATTERN.is_match(text)
}

/// A PFN without its storage element, such as `/S3/sandboxes/alpha/alpha_user/alice/sha256:….tar.zst`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(String);

/// A text that is no PFN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not the PFN of a sandbox, such as SB:SandboxSE|/S3/bucket/vo/group/user/sha256:<64 hexadecimal digits>.tar.zst"
)]
pub struct InvalidPfn;

impl Pfn {
    /// The PFN of an object in a bucket. The names must be free of slashes.
    ///
    /// # Errors
    /// They are not, or the bucket is none.
    pub fn new(bucket: &str, owner: &SandboxOwner, file: &str) -> Result<Self, InvalidPfn> {
        let SandboxOwner { vo, group, user } = owner;
        format!("/S3/{bucket}/{vo}/{group}/{user}/{file}").parse()
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As clients see it, with its storage element.
    pub fn with_storage_element(&self, name: &str) -> String {
        format!("SB:{name}|{}", self.0)
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }

    /// What the object is called inside its bucket.
    pub fn key(&self) -> &str {
        self.0.splitn(4, '/').nth(3).unwrap_or_default()
    }

    /// Whose it is, by its name.
    pub fn owner(&self) -> SandboxOwner {
        let mut names = self.key().split('/').map(str::to_owned);
        let mut next = || names.next().unwrap_or_default();
        SandboxOwner { vo: next(), group: next(), user: next() }
    }
}

impl FromStr for Pfn {
    type Err = InvalidPfn;

    fn from_str(text: &str) -> Result<Self, InvalidPfn> {
        if text.chars().count() > LONGEST_PFN || !matches_pattern(text) {
            return Err(InvalidPfn);
        }
        let short = text.split_once('|').filter(|(before, _)| !before.contains('/'));
        Ok(Self(short.map_or(text, |(_, short)| short).to_owned()))
    }
}

impl fmt::Display for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose a sandbox is: a person in a group of a VO.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxOwner {
    /// The VO.
    pub vo: String,
    /// The DIRAC group.
    pub group: String,
    /// The preferred user name.
    pub user: String,
}

impl SandboxOwner {
    /// What the PFNs of their sandboxes in a bucket begin with.
    pub fn prefix(&self, bucket: &str) -> String {
        let Self { vo, group, user } = self;
        format!("/S3/{bucket}/{vo}/{group}/{user}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parsed(text: &str) -> Option<String> {
        text.replace("HEX", HEX).parse::<Pfn>().ok().map(|pfn| pfn.0.replace(HEX, "HEX"))
    }

    #[test]
    fn a_pfn_is_read_with_and_without_its_storage_element() {
        let short = "/S3/sandboxes/alpha/alpha_user/alice/sha256:HEX.tar.zst";
        for good in [short, &format!("SB:SandboxSE|{short}"), &format!(":SB:AnySE|{short}")] {
            assert_eq!(parsed(good).as_deref(), Some(short), "{good}");
        }
        // a bar in a name is no end of a storage element
        let odd = "/S3/sandboxes/alpha/alpha_user/a|b/sha256:HEX.tar.zst";
        assert_eq!(parsed(odd).as_deref(), Some(odd));
    }

    #[test]
    fn what_is_no_pfn_is_refused() {
        for bad in [
            "",
            "SB:SandboxSE|",
            "/S3/sb/alpha/alpha_user/alice/sha256:HEX.tar.zst",
            "/S3/sandboxes/alpha/alice/sha256:HEX.tar.zst",
            "/S3/sandboxes/alpha//alice/sha256:HEX.tar.zst",
            "/S3/sandboxes/alpha/alpha_user/alice/sha256:ABC.tar.zst",
            "/S3/sandboxes/alpha/alpha_user/alice/sha256:HEX",
            "/S3/sandboxes/alpha/alpha_user/alice/sha256:HEX.tar.zst/more",
            "/S3/sandboxes/alpha/alpha_user/alice/sha256:HEX.tar.zst\n",
            "SB:Sandbox-SE|/S3/sandboxes/alpha/alpha_user/alice/sha256:HEX.tar.zst",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        let long = format!("/S3/sandboxes/{}/g/u/sha256:HEX.tar.zst", "v".repeat(200));
        assert_eq!(parsed(&long), None);
    }

    #[test]
    fn its_parts_are_where_they_should_be() {
        let owner = SandboxOwner { vo: "alpha".into(), group: "users".into(), user: "alice".into() };
        let pfn = Pfn::new("sandboxes", &owner, &format!("sha256:{HEX}.tar.zst")).unwrap();
        assert_eq!(pfn.bucket(), "sandboxes");
        assert_eq!(pfn.key(), format!("alpha/users/alice/sha256:{HEX}.tar.zst"));
        assert_eq!(pfn.owner(), owner);
        assert!(pfn.as_str().starts_with(&owner.prefix("sandboxes")));
        assert!(pfn.with_storage_element("SandboxSE").starts_with("SB:SandboxSE|/S3/sandboxes/alpha/"));
        let slash = SandboxOwner { user: "a/b".into(), ..owner };
        assert_eq!(Pfn::new("sandboxes", &slash, &format!("sha256:{HEX}.tar.zst")), Err(InvalidPfn));
    }

    #[test]
    fn buckets_have_the_names_that_pfns_allow() {
        assert!(is_bucket("sandboxes") && is_bucket("a.b-3"));
        for bad in ["sb", "Sandboxes", "a/b", "..", ".ab", "sand_boxes", &"x".repeat(64)] {
            assert!(!is_bucket(bad), "{bad}");
        }
    }
}
