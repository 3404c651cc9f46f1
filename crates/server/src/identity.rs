//! Who calls: a user with VO, group and properties, a pilot with its stamp, or a component of the system.
//!
//! The access guard puts an [`Identity`] into the extensions of a request; handlers read it with
//! [`identity`] or [`user`]. It never leaves the process: whoever is called next verifies the token.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use diracx_core::{Explain, Explanation, Reason};
use serde_json::Value;
use tonic::Status;
use uuid::Uuid;

use crate::{
    status,
    token::{TokenError, token_time},
};

/// Who calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Identity {
    /// A person, or a pilot acting as one, as those of DIRAC do.
    User(Arc<UserIdentity>),
    /// A pilot, on its own account.
    Pilot(Arc<PilotIdentity>),
    /// A part of the system, on its own account.
    Component(ComponentIdentity),
}

impl Identity {
    /// The user, if one calls.
    pub fn as_user(&self) -> Option<&Arc<UserIdentity>> {
        match self {
            Self::User(user) => Some(user),
            Self::Pilot(_) | Self::Component(_) => None,
        }
    }

    /// When its token ends. A call may last longer, a stream should not.
    pub fn expires(&self) -> DateTime<Utc> {
        match self {
            Self::User(user) => user.expires,
            Self::Pilot(pilot) => pilot.expires,
            Self::Component(component) => component.expires,
        }
    }

    /// The pilot, if one calls on its own account.
    pub fn as_pilot(&self) -> Option<&Arc<PilotIdentity>> {
        match self {
            Self::Pilot(pilot) => Some(pilot),
            Self::User(_) | Self::Component(_) => None,
        }
    }

    /// The component, if one calls.
    pub fn as_component(&self) -> Option<&ComponentIdentity> {
        match self {
            Self::Component(component) => Some(component),
            Self::User(_) | Self::Pilot(_) => None,
        }
    }
}

/// A user, as the access token tells.
#[derive(Debug, Clone, PartialEq)]
pub struct UserIdentity {
    /// `<vo>:<subject at the identity provider>`.
    pub sub: String,
    /// The virtual organisation.
    pub vo: String,
    /// The group that the user acts in.
    pub dirac_group: String,
    /// What the user may do. Properties that we do not know are kept.
    pub properties: Vec<String>,
    /// The user's name in DIRAC.
    pub preferred_username: String,
    /// What access policies of extensions put into the token: an object, by policy.
    pub policies: Value,
    /// The id of the access token.
    pub token_id: Uuid,
    /// When the access token ends.
    pub expires: DateTime<Utc>,
    /// The access token itself, to be forwarded on calls on the user's behalf.
    pub token: RawToken,
}

impl UserIdentity {
    /// What an access policy put into the token, read as the type that it wrote; nothing if it said nothing.
    ///
    /// # Errors
    /// If it said something of another form: a policy of another version, perhaps.
    pub fn policy<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.policies.get(name).map(T::deserialize).transpose()
    }

    /// Whether the user has this security property, given by its wire name.
    pub fn has_property(&self, property: &str) -> bool {
        self.properties.iter().any(|held| held == property)
    }
}

/// A pilot, as its token tells. It has no properties: what it may do follows from which pilot it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PilotIdentity {
    /// Its VO.
    pub vo: String,
    /// Its stamp.
    pub stamp: String,
    /// The id of its token.
    pub token_id: Uuid,
    /// When its token ends.
    pub expires: DateTime<Utc>,
    /// The token itself, to be forwarded on calls on the pilot's behalf.
    pub token: RawToken,
}

impl PilotIdentity {
    /// The subject of its token: `<vo>:<stamp>`.
    pub fn sub(&self) -> String {
        format!("{}:{}", self.vo, self.stamp)
    }

    /// When its token was issued, in whole milliseconds; long ago, if the token does not tell.
    pub fn issued(&self) -> DateTime<Utc> {
        token_time(self.token_id).unwrap_or_default()
    }
}

/// A component, as its token tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentIdentity {
    /// Its name, such as `jobs`.
    pub name: String,
    /// The id of its token.
    pub token_id: Uuid,
    /// When its token ends.
    pub expires: DateTime<Utc>,
}

/// The text of a token. Its `Debug` is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct RawToken(Arc<str>);

impl RawToken {
    /// Wraps the text of a token.
    pub fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of an authorization header with this token.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for RawToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Another token where only a user's will do.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("Forbidden")]
struct NotAUser;

impl Explain for NotAUser {
    fn explain(&self) -> Explanation {
        Explanation::permission_denied(Reason::Forbidden)
    }
}

/// Who calls. Refuses if nobody is known, which happens on open rpcs only.
pub fn identity<T>(request: &tonic::Request<T>) -> Result<Arc<Identity>, Status> {
    request.extensions().get::<Arc<Identity>>().cloned().ok_or_else(|| status::to_status(TokenError::Missing))
}

/// The user who calls. Pilots and components are refused.
pub fn user<T>(request: &tonic::Request<T>) -> Result<Arc<UserIdentity>, Status> {
    match &*identity(request)? {
        Identity::User(user) => Ok(user.clone()),
        Identity::Pilot(_) | Identity::Component(_) => Err(status::to_status(NotAUser)),
    }
}
