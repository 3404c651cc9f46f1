//! Who may do what with which pilots. Permits can be made here only.
//!
//! | | register | change | search, count | kill, forget, assign jobs | maintain |
//! |---|---|---|---|---|---|
//! | `ServiceAdministrator` | for any VO | all | all | all | no |
//! | a pilot | no | itself, but for where it is | no | no | no |
//! | `GenericPilot` | one, for its VO | one of its VO, if set | no | no | no |
//! | anybody else | no | no | those of the VO | no | no |
//! | a component of the system | for any VO | all | all | all | yes |
//!
//! Which components may call an rpc at all stands in its declaration. To somebody of another VO a pilot looks the same
//! as one that does not exist.

use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_server::{Identity, UserIdentity};

use crate::error::Result;

mod credentials;

pub use credentials::*;

const SERVICE_ADMINISTRATOR: &str = "ServiceAdministrator";
const GENERIC_PILOT: &str = "GenericPilot";

/// Why not. The sentences are DiracX's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Only administrators and pilots manage pilots.
    #[error("Insufficient permissions to manage pilots.")]
    Manage,
    /// A pilot manages one at a time.
    #[error("Insufficient permissions to modify more than one pilot.")]
    Several,
    /// A pilot with a token of its own changes itself.
    #[error("Pilots can only modify their own metadata.")]
    NotOwn,
    /// What a pilot got was taken away, and its token was issued before.
    #[error("The credentials of this pilot were taken away.")]
    Barred,
    /// Whoever sends a pilot somewhere says where it is: what it may use depends on that.
    #[error("Pilots cannot change where they are.")]
    Place,
    /// Pilots are of the VO of whoever registers them.
    #[error("Pilots can only be registered for your own VO.")]
    OtherVo,
    /// Pilots do not look at each other.
    #[error("Pilots cannot read other pilots' metadata.")]
    Read,
    /// Only administrators overrule the order of statuses.
    #[error("Insufficient permissions to overrule the life of a pilot.")]
    Force,
    /// Only the system itself puts things in order.
    #[error("Forbidden")]
    Maintain,
}

/// Of which VOs pilots may be seen or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PilotScope {
    /// Of one.
    Vo(String),
    /// Of all.
    All,
}

impl PilotScope {
    /// Whether pilots of this VO are among them.
    pub fn has(&self, vo: &str) -> bool {
        match self {
            Self::All => true,
            Self::Vo(own) => own == vo,
        }
    }
}

/// Pilots may be registered.
#[derive(Debug)]
pub struct RegisterPilots(PilotScope);

impl RegisterPilots {
    /// Whether this one may, too.
    pub fn allows(&self, vo: &str) -> Result<(), Forbidden> {
        if self.0.has(vo) { Ok(()) } else { Err(Forbidden::OtherVo) }
    }
}

/// Pilots within a scope may be changed.
#[derive(Debug)]
pub struct ManagePilots {
    scope: PilotScope,
    /// May overrule the order of statuses.
    may_force: bool,
    /// If a pilot changes itself: when its token was issued.
    own: Option<DateTime<Utc>>,
    /// Who does it, in words.
    by: String,
}

impl ManagePilots {
    /// Which.
    pub fn scope(&self) -> &PilotScope {
        &self.scope
    }

    /// Whether the order of statuses may be overruled: by whoever looks after all VOs.
    pub fn may_force(&self) -> bool {
        self.may_force
    }

    /// Whether it may be said where pilots are: by all but a pilot on its own account.
    pub fn may_move(&self) -> bool {
        self.own.is_none()
    }

    /// If a pilot changes itself: when its token was issued.
    pub fn own(&self) -> Option<DateTime<Utc>> {
        self.own
    }

    /// Who does it, in words.
    pub fn by(&self) -> &str {
        &self.by
    }
}

/// Pilots may be forgotten.
#[derive(Debug)]
pub struct ForgetPilots {
    forced: bool,
    /// Who does it, in words.
    by: String,
}

impl ForgetPilots {
    /// Whether also those that have not ended.
    pub fn forced(&self) -> bool {
        self.forced
    }

    /// Who does it, in words.
    pub fn by(&self) -> &str {
        &self.by
    }
}

/// The pilots may be put in order.
#[derive(Debug)]
pub struct Maintain(());

/// Whether this identity may register so many pilots.
pub fn register(identity: &Identity, count: usize) -> Result<RegisterPilots> {
    one_or_all(identity, count).map(RegisterPilots)
}

/// Whether this identity may change these pilots, within what it may see. Nobody can tell which pilot a user with
/// `GenericPilot` is, so it needs the consent of the settings, `generic_pilots`.
pub fn patch(identity: &Identity, pilots: &[PilotStamp], generic_pilots: bool) -> Result<ManagePilots> {
    let scope = match identity {
        Identity::Pilot(own) if pilots.iter().any(|pilot| pilot.as_str() != own.stamp) => {
            return Err(Forbidden::NotOwn.into());
        }
        Identity::Pilot(own) => PilotScope::Vo(own.vo.clone()),
        Identity::User(_) if !generic_pilots && !is_above(identity) => return Err(Forbidden::Manage.into()),
        Identity::User(_) | Identity::Component(_) => one_or_all(identity, pilots.len())?,
    };
    let own = identity.as_pilot().map(|own| own.issued());
    Ok(ManagePilots { may_force: scope == PilotScope::All, scope, own, by: name(identity) })
}

/// Whether this identity may end and forget pilots, and say what they run.
pub fn manage(identity: &Identity) -> Result<ManagePilots> {
    if is_above(identity) {
        Ok(ManagePilots { scope: PilotScope::All, may_force: true, own: None, by: name(identity) })
    } else {
        Err(Forbidden::Manage.into())
    }
}

/// Whether this identity may have pilots forgotten; also those that have not ended: administrators only.
pub fn forget(identity: &Identity, forced: bool) -> Result<ForgetPilots> {
    if !is_above(identity) {
        return Err(Forbidden::Manage.into());
    }
    if forced && identity.as_component().is_some() {
        return Err(Forbidden::Force.into());
    }
    Ok(ForgetPilots { forced, by: name(identity) })
}

/// What this identity may find. As in DiracX, an administrator who is a pilot, too, is a pilot.
pub fn query(identity: &Identity) -> Result<PilotScope> {
    match identity {
        Identity::Component(_) => Ok(PilotScope::All),
        Identity::Pilot(_) => Err(Forbidden::Read.into()),
        Identity::User(user) if user.has_property(GENERIC_PILOT) => Err(Forbidden::Read.into()),
        Identity::User(user) if user.has_property(SERVICE_ADMINISTRATOR) => Ok(PilotScope::All),
        Identity::User(user) => Ok(PilotScope::Vo(user.vo.clone())),
    }
}

/// Whether this identity may put things in order: only a part of the system, and the guard knows which.
pub fn maintain(identity: &Identity) -> Result<Maintain> {
    identity.as_component().map(|_| Maintain(())).ok_or_else(|| Forbidden::Maintain.into())
}

/// Administrators and components: all. A pilot: one of its VO.
fn one_or_all(identity: &Identity, count: usize) -> Result<PilotScope> {
    if is_above(identity) {
        return Ok(PilotScope::All);
    }
    match user(identity) {
        Some(user) if user.has_property(GENERIC_PILOT) && count <= 1 => Ok(PilotScope::Vo(user.vo.clone())),
        Some(user) if user.has_property(GENERIC_PILOT) => Err(Forbidden::Several.into()),
        _ => Err(Forbidden::Manage.into()),
    }
}

fn is_above(identity: &Identity) -> bool {
    identity.as_component().is_some()
        || user(identity).is_some_and(|user| user.has_property(SERVICE_ADMINISTRATOR))
}

fn user(identity: &Identity) -> Option<&UserIdentity> {
    identity.as_user().map(AsRef::as_ref)
}

fn name(identity: &Identity) -> String {
    match identity {
        Identity::User(user) => user.preferred_username.clone(),
        Identity::Pilot(pilot) => format!("pilot {}", pilot.stamp),
        Identity::Component(component) => component.name.clone(),
    }
}
