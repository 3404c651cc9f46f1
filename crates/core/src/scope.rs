//! The scopes a client asks for at login: `vo:lhcb group:lhcb_user property:NormalUser`.

use std::{collections::BTreeSet, fmt};

use crate::{
    config::Config,
    explain::{Explain, Explanation, Reason},
    property::SecurityProperty,
};

/// As long as a scope may be, in characters: as the column that keeps it.
pub const MAX_LENGTH: usize = 1024;

/// What is asked of the registry of VOs to understand a scope.
pub trait Registry {
    /// The VOs, in the order of the configuration.
    fn vos(&self) -> Vec<&str>;
    /// The group of somebody who asks for none; absent if there is no such VO.
    fn default_group(&self, vo: &str) -> Option<&str>;
    /// The properties of a group; absent if the VO has no such group.
    fn group_properties(&self, vo: &str, group: &str) -> Option<Vec<SecurityProperty>>;
}

impl Registry for Config {
    fn vos(&self) -> Vec<&str> {
        self.registry.keys().map(String::as_str).collect()
    }

    fn default_group(&self, vo: &str) -> Option<&str> {
        self.vo(vo).map(|registry| registry.default_group.as_str())
    }

    fn group_properties(&self, vo: &str, group: &str) -> Option<Vec<SecurityProperty>> {
        let group = self.group(vo, group)?;
        Some(group.properties.iter().map(|property| property.as_str().into()).collect())
    }
}

/// A scope that the configuration can give to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The VO.
    pub vo: String,
    /// The group, asked for or the VO's default.
    pub group: String,
    /// The properties of the group, and those asked for besides. Asking never takes one away.
    pub properties: BTreeSet<SecurityProperty>,
}

impl Scope {
    /// Understands `text`, with the VOs of `registry` and the properties that this installation knows.
    ///
    /// # Source
    /// DiracX `logic/auth/utils.py`, `parse_and_validate_scope`.
    pub fn parse(
        text: &str,
        registry: &impl Registry,
        known: &BTreeSet<SecurityProperty>,
    ) -> Result<Self, ScopeError> {
        if text.chars().nth(MAX_LENGTH).is_some() {
            return Err(ScopeError::TooLong);
        }
        let items = Items::of(text);
        if !items.unrecognised.is_empty() {
            return Err(ScopeError::Unrecognised(List::of(&items.unrecognised)));
        }
        let vo = match items.vos[..] {
            [] => return Err(ScopeError::NoVo(Available(owned(&registry.vos())))),
            [vo] => vo,
            ref several => return Err(ScopeError::SeveralVos(List::of(several))),
        };
        let Some(default_group) = registry.default_group(vo) else {
            return Err(ScopeError::UnknownVo(vo.to_owned()));
        };
        let group = match items.groups[..] {
            [] => default_group,
            [group] => group,
            ref several => return Err(ScopeError::SeveralGroups(List::of(several))),
        };
        let Some(of_group) = registry.group_properties(vo, group) else {
            return Err(ScopeError::UnknownGroup { vo: vo.to_owned(), group: group.to_owned() });
        };
        let asked = items.properties.into_iter().map(SecurityProperty::from);
        let properties: BTreeSet<_> = of_group.into_iter().chain(asked).collect();
        let unknown: Vec<_> = properties.difference(known).map(SecurityProperty::as_str).collect();
        if !unknown.is_empty() {
            return Err(ScopeError::UnknownProperties(Set(owned(&unknown))));
        }
        Ok(Self { vo: vo.to_owned(), group: group.to_owned(), properties })
    }
}

/// The items of a scope by kind, each once, in the order of their first appearance.
#[derive(Default)]
struct Items<'a> {
    vos: Vec<&'a str>,
    groups: Vec<&'a str>,
    properties: Vec<&'a str>,
    unrecognised: Vec<&'a str>,
}

impl<'a> Items<'a> {
    fn of(text: &'a str) -> Self {
        let mut items = Self::default();
        for item in text.split(' ') {
            let (kind, value) = match item.split_once(':') {
                Some(("vo", value)) => (&mut items.vos, value),
                Some(("group", value)) => (&mut items.groups, value),
                Some(("property", value)) => (&mut items.properties, value),
                _ => (&mut items.unrecognised, item),
            };
            if !kind.contains(&value) {
                kind.push(value);
            }
        }
        items
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Why a scope cannot be understood. The sentences are DiracX's, Python lists and all: tests of its clients
/// look for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The text is longer than [`MAX_LENGTH`].
    #[error("The scope is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// Items that are neither VO, group nor property.
    #[error("Unrecognised scopes: {0}")]
    Unrecognised(List),
    /// No VO was asked for.
    #[error("No vo scope requested, available values: {0}")]
    NoVo(Available),
    /// Several VOs were asked for.
    #[error("Only one vo is allowed but got {0}")]
    SeveralVos(List),
    /// The VO is not in the configuration.
    #[error("VO {0} is not known to this installation")]
    UnknownVo(String),
    /// Several groups were asked for.
    #[error("Only one DIRAC group allowed but got {0}")]
    SeveralGroups(List),
    /// The group is not in the VO, or the default group of the VO is not configured.
    #[error("{group} not in {vo} groups")]
    UnknownGroup {
        /// The VO.
        vo: String,
        /// What is no group of it.
        group: String,
    },
    /// Properties that this installation does not know.
    #[error("{0} are not valid properties")]
    UnknownProperties(Set),
}

impl Explain for ScopeError {
    fn explain(&self) -> Explanation {
        let explanation = Explanation::invalid_argument(Reason::InvalidScope);
        match self {
            Self::TooLong => explanation.with("maximum", MAX_LENGTH),
            Self::Unrecognised(items) => explanation.with("scopes", items.0.join(" ")),
            Self::NoVo(vos) => explanation.with("available", vos.0.join(" ")),
            Self::SeveralVos(vos) => explanation.with("vos", vos.0.join(" ")),
            Self::UnknownVo(vo) => Explanation::invalid_argument(Reason::UnknownVo).with("vo", vo),
            Self::SeveralGroups(groups) => explanation.with("groups", groups.0.join(" ")),
            Self::UnknownGroup { vo, group } => explanation.with("vo", vo).with("group", group),
            Self::UnknownProperties(properties) => explanation.with("properties", properties.0.join(" ")),
        }
    }
}

/// Texts that are shown as a Python list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl List {
    fn of(texts: &[&str]) -> Self {
        Self(owned(texts))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", quoted(&self.0))
    }
}

/// Texts that are shown as a Python set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set(pub Vec<String>);

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", quoted(&self.0))
    }
}

/// VOs that are shown as the scopes that ask for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available(pub Vec<String>);

impl fmt::Display for Available {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes: Vec<_> = self.0.iter().map(|vo| python_quoted(&format!("vo:{vo}"))).collect();
        f.write_str(&scopes.join(" "))
    }
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| python_quoted(text)).collect::<Vec<_>>().join(", ")
}

/// The text between quotes, as Python's `repr` writes it.
fn python_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut written = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if c == quote => written.extend(['\\', c]),
            c if c.is_control() => written.extend(format!("\\x{:02x}", u32::from(c)).chars()),
            c => written.push(c),
        }
    }
    written.push(quote);
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Vos;

    impl Registry for Vos {
        fn vos(&self) -> Vec<&str> {
            vec!["lhcb", "ilc"]
        }

        fn default_group(&self, vo: &str) -> Option<&str> {
            match vo {
                "lhcb" => Some("lhcb_user"),
                "ilc" => Some("forgotten"),
                _ => None,
            }
        }

        fn group_properties(&self, vo: &str, group: &str) -> Option<Vec<SecurityProperty>> {
            match (vo, group) {
                ("lhcb", "lhcb_user") => Some(vec![SecurityProperty::NORMAL_USER]),
                ("lhcb", "a:b") => Some(vec![]),
                ("lhcb", "odd") => Some(vec!["Odd".into()]),
                _ => None,
            }
        }
    }

    fn parse(text: &str) -> Result<Scope, ScopeError> {
        Scope::parse(text, &Vos, &SecurityProperty::BUILT_IN.iter().cloned().collect())
    }

    #[test]
    fn the_group_defaults_and_its_properties_are_added_to_those_asked_for() {
        let scope = parse("vo:lhcb property:Pilot").unwrap();
        assert_eq!((scope.vo.as_str(), scope.group.as_str()), ("lhcb", "lhcb_user"));
        assert_eq!(
            scope.properties,
            [SecurityProperty::NORMAL_USER, SecurityProperty::PILOT].into_iter().collect()
        );
        assert_eq!(parse("vo:lhcb vo:lhcb group:lhcb_user group:lhcb_user").unwrap().group, "lhcb_user");
        assert_eq!(parse("group:a:b vo:lhcb").unwrap().group, "a:b");
    }

    #[test]
    fn each_mistake_is_named_in_the_words_of_diracx() {
        for (text, problem) in [
            ("foo vo:lhcb", "Unrecognised scopes: ['foo']"),
            ("openid it's vo:lhcb", "Unrecognised scopes: ['openid', \"it's\"]"),
            ("", "Unrecognised scopes: ['']"),
            ("vo:lhcb  group:lhcb_user", "Unrecognised scopes: ['']"),
            ("vo:lhcb ", "Unrecognised scopes: ['']"),
            ("vo:lhcb\tgroup:x y", "Unrecognised scopes: ['y']"),
            ("group:lhcb_user", "No vo scope requested, available values: 'vo:lhcb' 'vo:ilc'"),
            ("vo:x vo:lhcb", "Only one vo is allowed but got ['x', 'lhcb']"),
            ("vo:nope group:a group:b", "VO nope is not known to this installation"),
            ("vo:lhcb group:a group:b", "Only one DIRAC group allowed but got ['a', 'b']"),
            ("vo:lhcb group:nope property:Bad", "nope not in lhcb groups"),
            ("vo:ilc", "forgotten not in ilc groups"),
            ("vo:lhcb property:Bad", "{'Bad'} are not valid properties"),
            ("vo:lhcb group:odd", "{'Odd'} are not valid properties"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), problem, "{text:?}");
        }
    }

    #[test]
    fn a_scope_that_no_column_can_keep_is_refused() {
        let long = "vo:lhcb ".repeat(200);
        assert_eq!(parse(&long).unwrap_err(), ScopeError::TooLong);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((vo|group|property)?:?.{0,5} ?){0,5}") {
            let _ = parse(&text).map_err(|error| (error.to_string(), error.explain()));
        }
    }
}
