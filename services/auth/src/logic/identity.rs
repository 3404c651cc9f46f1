//! From the subject that an identity provider names to a user of DIRAC, and what the user gets.

use std::collections::BTreeSet;

use diracx_core::{config::Config, property::SecurityProperty, scope::Scope};

use crate::error::{Error, Result};

/// What somebody gets: decided from the configuration of this moment, at every token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grant {
    /// `<vo>:<subject at the identity provider>`: the subject in DIRAC.
    pub(crate) sub: String,
    pub(crate) preferred_username: String,
    pub(crate) scope: Scope,
}

/// What the person `subject` of the identity provider gets for `scope`.
///
/// # Source
/// DiracX `logic/auth/token.py`, `exchange_token`; that suspended users are refused is ours.
pub(crate) fn grant(config: &Config, scope: Scope, subject: &str) -> Result<Grant> {
    let vo = &scope.vo;
    let not_registered = || Error::NotRegistered { vo: vo.clone(), sub: subject.to_owned() };
    let user = config.user(vo, subject).ok_or_else(not_registered)?;
    let name = &user.preferred_username;
    if user.is_suspended_in(vo) {
        return Err(Error::Suspended { vo: vo.clone(), user: name.clone() });
    }
    if !config.group(vo, &scope.group).is_some_and(|group| group.has_member(subject)) {
        return Err(Error::NotAMember { user: name.clone(), group: scope.group });
    }
    let held = config.user_properties(vo, subject);
    let asked: BTreeSet<&str> = scope.properties.iter().map(SecurityProperty::as_str).collect();
    let missing: Vec<&str> = asked.difference(&held).copied().collect();
    if !missing.is_empty() {
        return Err(Error::PropertiesNotHeld {
            user: name.clone(),
            missing: missing.join(" "),
            available: held.into_iter().collect::<Vec<_>>().join(" "),
        });
    }
    Ok(Grant { sub: format!("{vo}:{subject}"), preferred_username: name.clone(), scope })
}

/// The parts of a subject in DIRAC: the VO, and the subject at its identity provider.
pub(crate) fn subject_at_provider<'a>(sub: &'a str, vo: &str) -> Option<&'a str> {
    sub.strip_prefix(vo)?.strip_prefix(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn check(scope: &str, subject: &str, expected: Result<(&str, &str), &str>) {
        let config = fixtures::config("https://idp.invalid");
        let known = SecurityProperty::BUILT_IN.iter().cloned().collect();
        let scope = Scope::parse(scope, &config, &known).unwrap();
        let found = grant(&config, scope, subject).map_err(|error| error.to_string());
        let found = found.as_ref().map(|grant| (grant.sub.as_str(), grant.preferred_username.as_str()));
        assert_eq!(found.map_err(String::as_str), expected);
    }

    #[test]
    fn members_get_what_their_groups_allow_together() {
        check("vo:lhcb", "sub-alice", Ok(("lhcb:sub-alice", "alice")));
        check("vo:lhcb property:ProductionManagement", "sub-alice", Ok(("lhcb:sub-alice", "alice")));
    }

    #[test]
    fn others_learn_why_not() {
        check("vo:lhcb", "sub-nobody", Err("User sub-nobody is not registered in VO lhcb"));
        check("vo:lhcb", "sub-mallory", Err("User mallory is suspended in VO lhcb"));
        check(
            "vo:lhcb group:lhcb_prod",
            "sub-bob",
            Err("User is not a member of the requested group (bob, lhcb_prod)"),
        );
        check(
            "vo:lhcb property:Operator property:Pilot",
            "sub-bob",
            Err("Operator Pilot are not valid properties for user bob, available values: NormalUser"),
        );
    }

    #[test]
    fn a_user_suspended_elsewhere_is_served() {
        check("vo:ilc", "sub-mallory", Ok(("ilc:sub-mallory", "mallory")));
    }
}
