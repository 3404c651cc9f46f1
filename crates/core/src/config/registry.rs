//! `Registry`: the VOs, their identity provider, users and groups.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::{
    read::{Read, Reader},
    section::section,
    subject::{Subject, Subjects},
};

section! {
    /// `Registry.<vo>`.
    pub struct RegistryVo {
        /// Where its people log in.
        "IdP" idp: IdP;
        /// Where its people find help.
        "Support" support: Support = Support::default();
        /// The group of those who ask for none. Nothing checks that it exists.
        "DefaultGroup" default_group: String;
        /// GB.
        "DefaultStorageQuota" default_storage_quota: f64 = 0.0;
        /// Seconds.
        "DefaultProxyLifeTime" default_proxy_life_time: i64 = 43_200;
        /// Its name in VOMS.
        "VOMSName" voms_name: Option<String> = None;
        /// By the subject that the identity provider gives them.
        "Users" users: IndexMap<Subject, User>;
        /// By name.
        "Groups" groups: IndexMap<String, Group>;
    }
}

section! {
    /// The identity provider of a VO.
    pub struct IdP {
        /// The issuer; the discovery document is below it.
        "URL" url: String;
        /// Of a public client.
        "ClientID" client_id: String;
    }
}

section! {
    /// Where the people of a VO find help.
    pub struct Support {
        /// Not checked.
        "Email" email: Option<String> = None;
        /// Not checked.
        "Webpage" webpage: Option<String> = None;
        /// What error messages tell them.
        "Message" message: String = "Please contact system administrator".to_owned();
    }
}

section! {
    /// A user of a VO.
    pub struct User {
        /// The login in DIRAC. (DIRAC spells the key so.)
        "PreferedUsername" preferred_username: String;
        /// Of certificates.
        "DNs" dns: Box<[String]> = Box::default();
        /// An address by its form.
        "Email" email: Option<EmailAddress> = None;
        /// The VOs in which the user is suspended.
        "Suspended" suspended: Box<[String]> = Box::default();
        /// MB.
        "Quota" quota: Option<i64> = None;
    }
}

section! {
    /// A group of a VO: who may do what.
    pub struct Group {
        /// Legacy.
        "AutoAddVOMS" auto_add_voms: bool = false;
        /// Legacy.
        "AutoUploadPilotProxy" auto_upload_pilot_proxy: bool = false;
        /// Legacy.
        "AutoUploadProxy" auto_upload_proxy: bool = false;
        /// Dimensionless share in the priorities of task queues.
        "JobShare" job_share: i64 = 1000;
        /// Security properties; any text, known or not.
        "Properties" properties: BTreeSet<String>;
        /// MB.
        "Quota" quota: Option<i64> = None;
        /// Subjects.
        "Users" users: Subjects;
        /// Whether its task queues may be background ones.
        "AllowBackgroundTQs" allow_background_tqs: bool = false;
        /// Its role in VOMS.
        "VOMSRole" voms_role: Option<String> = None;
        /// Legacy.
        "AutoSyncVOMS" auto_sync_voms: bool = false;
    }
}

impl IdP {
    /// Where the discovery document of the provider is.
    pub fn metadata_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.url)
    }
}

impl User {
    /// Whether the user is suspended in `vo`.
    pub fn is_suspended_in(&self, vo: &str) -> bool {
        self.suspended.iter().any(|suspended| suspended == vo)
    }
}

impl Group {
    /// Whether the user with this subject is a member.
    pub fn has_member(&self, sub: &str) -> bool {
        self.users.contains(sub)
    }

    /// Whether its members have this property.
    pub fn has_property(&self, property: &str) -> bool {
        self.properties.contains(property)
    }
}

impl RegistryVo {
    /// Lets the groups name their members in the same place of the memory as the VO does.
    pub(super) fn share_subjects(&mut self) {
        let users = &self.users;
        for group in self.groups.values_mut() {
            group.users.share(|subject| users.get_key_value(subject).map(|(known, _)| known.clone()));
        }
    }

    /// The user with this subject.
    pub fn user(&self, sub: &str) -> Option<&User> {
        self.users.get(sub)
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The groups of which the user is a member, in the document's order.
    pub fn groups_of(&self, sub: &str) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().filter(move |(_, group)| group.has_member(sub)).map(|(name, g)| (name.as_str(), g))
    }

    /// The subject of the first user with this DIRAC login.
    pub fn sub_of(&self, preferred_username: &str) -> Option<&str> {
        self.users
            .iter()
            .find(|(_, user)| user.preferred_username == preferred_username)
            .map(|(sub, _)| &**sub)
    }
}

/// Text that has the form of an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(Box<str>);

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Read for EmailAddress {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let text = String::read(reader, value)?;
        if is_address(text.trim()) {
            Some(Self(normal(text.trim()).into()))
        } else {
            reader.problem("must be an e-mail address")
        }
    }
}

/// With the domain in small letters, as DiracX serves it. The name is left alone: it may make a difference.
fn normal(address: &str) -> String {
    let (name, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    format!("{name}@{}", domain.to_lowercase())
}

fn is_address(text: &str) -> bool {
    const ATOM: &str = "!#$%&'*+-/=?^_`{|}~";
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || !c.is_ascii() || ATOM.contains(c))
    };
    let label = |part: &str| {
        let letters = part.chars().all(|c| c.is_alphanumeric() || c == '-' || !c.is_ascii());
        letters && (1..=63).contains(&part.len()) && !part.starts_with('-') && !part.ends_with('-')
    };
    local.len() <= 64
        && domain.len() <= 253
        && local.split('.').all(atom)
        && domain.contains('.')
        && domain.split('.').all(label)
        && domain.chars().last().is_some_and(|c| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{is_address, normal};

    #[test]
    fn the_domain_of_an_address_is_in_small_letters() {
        assert_eq!(normal("Alice.L@CS.Example.ORG"), "Alice.L@cs.example.org");
    }

    #[test]
    fn an_address_has_one_name_and_a_domain_with_a_dot() {
        let check = |text, expected| assert_eq!(is_address(text), expected, "{text}");
        check("alice@example.org", true);
        check("alice.liddell+dirac@cs.example.org", true);
        check("älice@exämple.org", true);
        check("alice", false);
        check("alice@localhost", false);
        check("alice@example..org", false);
        check(".alice@example.org", false);
        check("ali ce@example.org", false);
        check("a@b@example.org", false);
        check("alice@-example.org", false);
    }
}
