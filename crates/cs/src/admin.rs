//! What administrators do to a configuration: add a VO, a group, a user.
//!
//! Each is a pure change of the text, checked before and after. DIRAC's spelling of keys is required here.

use diracx_core::config::{Config, ConfigError};
use serde_json::json;

use crate::{
    edit::{EditError, Editor},
    places::locate,
    yaml::{self, YamlError},
};

/// The configuration of an installation without VOs.
pub const EMPTY: &str = "DIRAC: {}\nOperations:\n  Defaults: {}\nRegistry: {}\n";

/// The property of ordinary users.
pub const NORMAL_USER: &str = "NormalUser";

/// A change of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A VO with one group, which has no members yet.
    AddVo {
        /// Its name.
        vo: String,
        /// The group of those who ask for none.
        default_group: String,
        /// The issuer.
        idp_url: String,
        /// Of a public client.
        idp_client_id: String,
    },
    /// A group without members.
    AddGroup {
        /// Its VO.
        vo: String,
        /// Its name.
        group: String,
        /// Any words.
        properties: Vec<String>,
    },
    /// A member of some groups.
    AddUser {
        /// The VO.
        vo: String,
        /// As the identity provider names the user.
        sub: String,
        /// The login.
        preferred_username: String,
        /// If there are none, the VO's default group.
        groups: Vec<String>,
    },
}

/// A change that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The document is no YAML.
    #[error("default.yml: {0}")]
    Yaml(#[from] YamlError),
    /// The document is no configuration, or would not be one afterwards.
    #[error("default.yml: {0}")]
    Config(#[from] ConfigError),
    /// The text does not allow it.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The VO is there already.
    #[error("VO {0} already exists")]
    VoExists(String),
    /// There is no such VO.
    #[error("VO {0} does not exist")]
    NoSuchVo(String),
    /// The group is there already.
    #[error("group {group} of VO {vo} already exists")]
    GroupExists {
        /// The VO.
        vo: String,
        /// The group.
        group: String,
    },
    /// There is no such group.
    #[error("group {group} of VO {vo} does not exist")]
    NoSuchGroup {
        /// The VO.
        vo: String,
        /// The group.
        group: String,
    },
    /// The user is there already.
    #[error("user {sub} of VO {vo} already exists")]
    UserExists {
        /// The VO.
        vo: String,
        /// The subject.
        sub: String,
    },
    /// The group has this member already.
    #[error("user {sub} is in group {group} of VO {vo} already")]
    AlreadyMember {
        /// The VO.
        vo: String,
        /// The group.
        group: String,
        /// The subject.
        sub: String,
    },
}

/// What a change makes of a text, and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The new text.
    pub text: String,
    /// For the commit.
    pub message: String,
}

/// Reads and checks a configuration. Problems come with their places.
pub fn check(text: &str) -> Result<Config, ChangeError> {
    let value = yaml::parse(text)?;
    Ok(Config::from_value(value).map_err(|error| locate(text, error))?)
}

impl Change {
    /// The text with the change. Nothing but the change is different in it.
    pub fn apply(&self, text: &str) -> Result<Changed, ChangeError> {
        let config = check(text)?;
        let mut editor = Editor::new(text)?;
        let message = match self {
            Self::AddVo { vo, default_group, idp_url, idp_client_id } => {
                if config.vo(vo).is_some() {
                    return Err(ChangeError::VoExists(vo.clone()));
                }
                let value = json!({
                    "DefaultGroup": default_group,
                    "IdP": {"ClientID": idp_client_id, "URL": idp_url},
                    "Groups": {default_group: {"Properties": [NORMAL_USER], "Users": []}},
                    "Users": {},
                });
                editor.put(&["Registry"], vo, &value)?;
                format!("Added vo {vo} registry (default group {default_group} and idp {idp_url})")
            }
            Self::AddGroup { vo, group, properties } => {
                let registry = config.vo(vo).ok_or_else(|| ChangeError::NoSuchVo(vo.clone()))?;
                if registry.group(group).is_some() {
                    return Err(ChangeError::GroupExists { vo: vo.clone(), group: group.clone() });
                }
                let value = json!({"Properties": properties, "Users": []});
                editor.put(&["Registry", vo, "Groups"], group, &value)?;
                format!("Added group {group} in {vo}")
            }
            Self::AddUser { vo, sub, preferred_username, groups } => {
                let registry = config.vo(vo).ok_or_else(|| ChangeError::NoSuchVo(vo.clone()))?;
                if registry.user(sub).is_some() {
                    return Err(ChangeError::UserExists { vo: vo.clone(), sub: sub.clone() });
                }
                let default = [registry.default_group.clone()];
                let groups: &[String] = if groups.is_empty() { &default } else { groups };
                for group in groups {
                    let (vo, group) = (vo.clone(), group.clone());
                    match registry.group(&group) {
                        None => return Err(ChangeError::NoSuchGroup { vo, group }),
                        Some(found) if found.has_member(sub) => {
                            return Err(ChangeError::AlreadyMember { vo, group, sub: sub.clone() });
                        }
                        Some(_) => {}
                    }
                }
                let user = json!({"PreferedUsername": preferred_username});
                editor.put(&["Registry", vo, "Users"], sub, &user)?;
                let mut named = std::collections::BTreeSet::new();
                for group in groups.iter().filter(|group| named.insert(*group)) {
                    editor.push(&["Registry", vo, "Groups", group, "Users"], sub)?;
                }
                let list: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
                format!("Added user {sub} ({preferred_username}) to vo {vo} and groups [{}]", list.join(", "))
            }
        };
        let text = editor.finish()?;
        check(&text)?;
        Ok(Changed { text, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Ours.
DIRAC: {}
Operations:
  Defaults: # for all
    Pilot: {Version: 1}
Registry:
  lhcb:
    DefaultGroup: user
    IdP: {URL: 'https://idp.example.org', ClientID: c}
    Users: {}
    Groups:
      user: # everybody
        Properties: [NormalUser]
        Users: []
# the end
";

    fn user(sub: &str, groups: &[&str]) -> Change {
        Change::AddUser {
            vo: "lhcb".to_owned(),
            sub: sub.to_owned(),
            preferred_username: "alice".to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
        }
    }

    fn vo(name: &str) -> Change {
        Change::AddVo {
            vo: name.to_owned(),
            default_group: "everybody".to_owned(),
            idp_url: "https://idp.example.org".to_owned(),
            idp_client_id: "12".to_owned(),
        }
    }

    #[test]
    fn from_nothing_to_a_member_of_a_group() {
        let group = Change::AddGroup {
            vo: "a".to_owned(),
            group: "admin".to_owned(),
            properties: vec!["Mine".to_owned()],
        };
        let member = Change::AddUser {
            vo: "a".to_owned(),
            sub: "s1".to_owned(),
            preferred_username: "alice".to_owned(),
            groups: vec!["admin".to_owned(), "everybody".to_owned()],
        };
        let mut text = EMPTY.to_owned();
        let mut messages = Vec::new();
        for change in [vo("a"), group, member] {
            let changed = change.apply(&text).unwrap();
            text = changed.text;
            messages.push(changed.message);
        }
        assert_eq!(messages, [
            "Added vo a registry (default group everybody and idp https://idp.example.org)",
            "Added group admin in a",
            "Added user s1 (alice) to vo a and groups ['admin', 'everybody']",
        ]);
        let config = check(&text).unwrap();
        assert_eq!(config.user("a", "s1").unwrap().preferred_username, "alice");
        assert_eq!(Vec::from_iter(config.user_properties("a", "s1")), ["Mine", "NormalUser"]);
        assert_eq!(config.vo("a").unwrap().idp.client_id, "12");
        assert!(text.starts_with("DIRAC: {}\nOperations:\n  Defaults: {}\nRegistry:\n  a:\n"), "{text}");
    }

    #[test]
    fn comments_order_and_defaults_stay() {
        let changed = user("26b1-x", &[]).apply(TEXT).unwrap();
        let expected = TEXT
            .replace("Users: {}\n", "Users:\n      26b1-x:\n        PreferedUsername: alice\n")
            .replace("Users: []\n", "Users:\n          - 26b1-x\n");
        assert_eq!(changed.text, expected);
        let changed = vo("belle").apply(TEXT).unwrap();
        assert!(changed.text.contains("for all\n") && changed.text.contains("- NormalUser\n"), "{}", changed.text);
        assert_eq!(changed.text.matches("Version").count(), 1);
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let check = |change: Change, expected: &str| {
            assert_eq!(change.apply(TEXT).unwrap_err().to_string(), expected);
        };
        check(vo("lhcb"), "VO lhcb already exists");
        check(user("s", &["user", "nobody"]), "group nobody of VO lhcb does not exist");
        let group = |vo: &str, group: &str| Change::AddGroup {
            vo: vo.to_owned(),
            group: group.to_owned(),
            properties: Vec::new(),
        };
        check(group("belle", "user"), "VO belle does not exist");
        check(group("lhcb", "user"), "group user of VO lhcb already exists");
        let once = user("s", &[]).apply(TEXT).unwrap().text;
        assert_eq!(user("s", &[]).apply(&once).unwrap_err().to_string(), "user s of VO lhcb already exists");
        let broken = TEXT.replace("DefaultGroup: user", "DefaultGroup: [user]");
        assert_eq!(
            user("s", &[]).apply(&broken).unwrap_err().to_string(),
            "default.yml: line 8, column 5: Registry.lhcb.DefaultGroup: must be text, not a list"
        );
    }
}
