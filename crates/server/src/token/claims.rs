//! What our tokens say. Four kinds share keys and algorithms, so each reader demands what only its
//! kind has and refuses what only the others have.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::{NoContext, Timestamp, Uuid};

use super::TokenError;

/// A kind of token.
pub trait Claims: Serialize + DeserializeOwned {
    /// The members that only other kinds have.
    const FOREIGN: &'static [&'static str];

    /// When the token ends, in seconds since 1970.
    fn exp(&self) -> i64;

    /// Reads the payload of a verified token; another kind of token is refused.
    fn from_payload(payload: &[u8]) -> Result<Self, TokenError> {
        let members: Map<String, Value> =
            serde_json::from_slice(payload).map_err(|_| TokenError::Invalid("claims are no object"))?;
        if Self::FOREIGN.iter().any(|name| members.contains_key(*name)) {
            return Err(TokenError::Invalid("another kind of token"));
        }
        // from the text again, because a member given twice must not pass unnoticed
        serde_json::from_slice(payload).map_err(|_| TokenError::Invalid("claims missing or of a wrong type"))
    }

    /// Refuses a token that has ended.
    fn check_expiry(&self, now: DateTime<Utc>) -> Result<(), TokenError> {
        if self.exp() < now.timestamp() { Err(TokenError::Expired) } else { Ok(()) }
    }
}

/// The claims of an access token: who somebody is, for 20 minutes or so. Serialised in DiracX's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Its id, a UUIDv7.
    pub jti: Uuid,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// What access policies of extensions put into it, by policy.
    #[serde(default)]
    pub dirac_policies: Map<String, Value>,
    /// `<vo>:<subject at the identity provider>`.
    pub sub: String,
    /// The virtual organisation.
    pub vo: String,
    /// Who issued it, verbatim as in the settings.
    pub iss: String,
    /// What the user may do.
    pub dirac_properties: Vec<String>,
    /// The user's name in DIRAC.
    pub preferred_username: String,
    /// The group that the user acts in.
    pub dirac_group: String,
}

impl Claims for AccessClaims {
    const FOREIGN: &'static [&'static str] = &["legacy_exchange", "dirac_component", "pilot_stamp"];

    fn exp(&self) -> i64 {
        self.exp
    }
}

/// The claims of a refresh token; user and scope stand in the database, under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefreshClaims {
    /// Its id, a UUIDv7, and the key of its row.
    pub jti: Uuid,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// What access policies of extensions put into it, by policy.
    #[serde(default)]
    pub dirac_policies: Map<String, Value>,
    /// Whether it came from the exchange of a DIRAC proxy.
    pub legacy_exchange: bool,
}

impl Claims for RefreshClaims {
    const FOREIGN: &'static [&'static str] =
        &["iss", "sub", "dirac_properties", "dirac_component", "pilot_stamp"];

    fn exp(&self) -> i64 {
        self.exp
    }
}

/// The claims of a component token: a part of the system calling another, for a few minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentClaims {
    /// Its id, a UUIDv7.
    pub jti: Uuid,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// `component:<name>`.
    pub sub: String,
    /// Who issued it.
    pub iss: String,
    /// The component's name, such as `jobs`.
    pub dirac_component: String,
}

impl ComponentClaims {
    /// The claims of a token for `component`.
    pub fn new(component: &str, issuer: &str, now: DateTime<Utc>, lifetime: Duration) -> Self {
        Self {
            jti: new_token_id(now),
            exp: (now + lifetime).timestamp(),
            sub: format!("component:{component}"),
            iss: issuer.to_owned(),
            dirac_component: component.to_owned(),
        }
    }
}

impl Claims for ComponentClaims {
    const FOREIGN: &'static [&'static str] =
        &["legacy_exchange", "dirac_properties", "dirac_group", "vo", "preferred_username", "pilot_stamp"];

    fn exp(&self) -> i64 {
        self.exp
    }
}

/// The claims of a pilot's access token: which pilot it is, and no properties at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PilotClaims {
    /// Its id, a UUIDv7.
    pub jti: Uuid,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// `<vo>:<stamp>`.
    pub sub: String,
    /// The pilot's VO.
    pub vo: String,
    /// Who issued it.
    pub iss: String,
    /// The pilot's stamp.
    pub pilot_stamp: String,
}

impl PilotClaims {
    /// The claims of a token for the pilot `stamp` of `vo`.
    pub fn new(vo: &str, stamp: &str, issuer: &str, now: DateTime<Utc>, lifetime: Duration) -> Self {
        Self {
            jti: new_token_id(now),
            exp: (now + lifetime).timestamp(),
            sub: format!("{vo}:{stamp}"),
            vo: vo.to_owned(),
            iss: issuer.to_owned(),
            pilot_stamp: stamp.to_owned(),
        }
    }
}

impl Claims for PilotClaims {
    const FOREIGN: &'static [&'static str] = &[
        "legacy_exchange",
        "dirac_component",
        "dirac_properties",
        "dirac_group",
        "dirac_policies",
        "preferred_username",
    ];

    fn exp(&self) -> i64 {
        self.exp
    }
}

/// When a token with this id was made; nothing if the id does not tell.
pub fn token_time(id: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// A new UUIDv7 of this instant; the ids of tokens carry the time of their making.
pub fn new_token_id(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}
