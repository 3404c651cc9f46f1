//! Security properties: what the members of a group may do, and conditions on them.

use std::{
    borrow::Cow,
    convert::Infallible,
    fmt,
    ops::{BitAnd, BitOr, BitXor, Not},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A property that a group gives to its users. Any text is one: installations and extensions add theirs,
/// and only the scopes of a login are checked against the properties that an installation knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecurityProperty(Cow<'static, str>);

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        impl SecurityProperty {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($text));)+

            /// The properties that every installation knows.
            pub const BUILT_IN: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

properties! {
    /// A host that may forward the credentials of others.
    TRUSTED_HOST = "TrustedHost",
    /// The ordinary operations of a user.
    NORMAL_USER = "NormalUser",
    /// May edit the configuration.
    CS_ADMINISTRATOR = "CSAdministrator",
    /// The users of the group share their jobs, and the group's share is not divided among them.
    JOB_SHARING = "JobSharing",
    /// Administers services and pilots.
    SERVICE_ADMINISTRATOR = "ServiceAdministrator",
    /// Acts on everybody's jobs.
    JOB_ADMINISTRATOR = "JobAdministrator",
    /// Reads the monitoring of jobs.
    JOB_MONITOR = "JobMonitor",
    /// Reads the accounting of all groups.
    ACCOUNTING_MONITOR = "AccountingMonitor",
    /// A private pilot.
    PILOT = "Pilot",
    /// A pilot that takes anybody's jobs.
    GENERIC_PILOT = "GenericPilot",
    /// Manages sites.
    SITE_MANAGER = "SiteManager",
    /// Manages users, groups and VOs.
    USER_MANAGER = "UserManager",
    /// An operator.
    OPERATOR = "Operator",
    /// May have full proxies made.
    FULL_DELEGATION = "FullDelegation",
    /// May have limited proxies made.
    LIMITED_DELEGATION = "LimitedDelegation",
    /// May have limited proxies made for oneself.
    PRIVATE_LIMITED_DELEGATION = "PrivateLimitedDelegation",
    /// Manages the proxies and refresh tokens of everybody.
    PROXY_MANAGEMENT = "ProxyManagement",
    /// Manages productions.
    PRODUCTION_MANAGEMENT = "ProductionManagement",
    /// Approves production requests for a physics planning group.
    PPG_AUTHORITY = "PPGAuthority",
    /// Manages the bookkeeping.
    BOOKKEEPING_MANAGEMENT = "BookkeepingManagement",
    /// Manages notifications and alarms.
    ALARMS_MANAGEMENT = "AlarmsManagement",
    /// Is root of the file catalogue.
    FC_MANAGEMENT = "FileCatalogManagement",
    /// May stage files.
    STAGE_ALLOWED = "StageAllowed",
}

impl SecurityProperty {
    /// A property by its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Cow::Owned(name.into()))
    }

    /// The name, as configuration and tokens have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecurityProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SecurityProperty {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self::new(name))
    }
}

impl From<&str> for SecurityProperty {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for SecurityProperty {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

/// A condition on the properties that somebody holds, made with `&`, `|`, `^` and `!`.
///
/// ```
/// use diracx_core::property::SecurityProperty as P;
///
/// let condition = P::NORMAL_USER & !P::PILOT;
/// assert!(condition.holds(&[P::NORMAL_USER]));
/// assert!(!condition.holds(&[P::NORMAL_USER, P::PILOT]));
/// assert_eq!(condition.to_string(), "(NormalUser & ~Pilot)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The property is held.
    Holds(SecurityProperty),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// Both hold.
    And(Box<Condition>, Box<Condition>),
    /// At least one holds.
    Or(Box<Condition>, Box<Condition>),
    /// Exactly one holds.
    Xor(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Whether it holds for somebody with the properties `held`.
    pub fn holds(&self, held: &[SecurityProperty]) -> bool {
        match self {
            Self::Holds(property) => held.contains(property),
            Self::Not(inner) => !inner.holds(held),
            Self::And(left, right) => left.holds(held) && right.holds(held),
            Self::Or(left, right) => left.holds(held) || right.holds(held),
            Self::Xor(left, right) => left.holds(held) ^ right.holds(held),
        }
    }
}

impl From<SecurityProperty> for Condition {
    fn from(property: SecurityProperty) -> Self {
        Self::Holds(property)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(property) => property.fmt(f),
            Self::Not(inner) => write!(f, "~{inner}"),
            Self::And(left, right) => write!(f, "({left} & {right})"),
            Self::Or(left, right) => write!(f, "({left} | {right})"),
            Self::Xor(left, right) => write!(f, "({left} ^ {right})"),
        }
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $variant:ident),+) => {
        $(operators!(@for SecurityProperty $trait $method $variant);
          operators!(@for Condition $trait $method $variant);)+
    };
    (@for $type:ident $trait:ident $method:ident $variant:ident) => {
        impl<T: Into<Condition>> $trait<T> for $type {
            type Output = Condition;

            fn $method(self, other: T) -> Condition {
                Condition::$variant(Box::new(self.into()), Box::new(other.into()))
            }
        }
    };
}

operators!(BitAnd bitand And, BitOr bitor Or, BitXor bitxor Xor);

impl Not for SecurityProperty {
    type Output = Condition;

    fn not(self) -> Condition {
        !Condition::from(self)
    }
}

impl Not for Condition {
    type Output = Condition;

    fn not(self) -> Condition {
        Condition::Not(Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SecurityProperty = SecurityProperty::NORMAL_USER;
    const B: SecurityProperty = SecurityProperty::PILOT;

    #[test]
    fn there_are_twenty_three_built_in_properties_with_different_names() {
        let names: std::collections::BTreeSet<_> = SecurityProperty::BUILT_IN.iter().collect();
        assert_eq!(names.len(), 23);
    }

    #[test]
    fn a_property_equals_itself_however_it_was_made() {
        assert_eq!(SecurityProperty::new("NormalUser"), A);
        assert_eq!(serde_json::to_string(&A).unwrap(), r#""NormalUser""#);
        assert_eq!(serde_json::from_str::<SecurityProperty>(r#""Pilot""#).unwrap(), B);
    }

    #[test]
    fn conditions_follow_boolean_logic_also_when_negated() {
        type Table = [bool; 4]; // nothing held, A, B, both
        let cases: [(Condition, Table); 9] = [
            (A.into(), [false, true, false, true]),
            (!A, [true, false, true, false]),
            (!!A, [false, true, false, true]),
            (A & B, [false, false, false, true]),
            (A | B, [false, true, true, true]),
            (A ^ B, [false, true, true, false]),
            (A | !B, [true, true, false, true]),
            (A ^ !B, [true, false, false, true]),
            (!(A & B) & (A | B), [false, true, true, false]),
        ];
        for (condition, expected) in cases {
            let found = [&[][..], &[A], &[B], &[A, B]].map(|held| condition.holds(held));
            assert_eq!(found, expected, "{condition}");
        }
    }

    #[test]
    fn a_condition_reads_as_it_is_written() {
        assert_eq!((!(A & B) | (A ^ B)).to_string(), "(~(NormalUser & Pilot) | (NormalUser ^ Pilot))");
    }
}
