//! Who may do what with the statuses of elements. Permits can be made here only.
//!
//! | | read | list, history | set, remove, cancel: own VO | set, remove, cancel: all VOs and others | put into effect |
//! |---|---|---|---|---|---|
//! | anybody with a token | own VO's | own VO's and those for all VOs | no | no | no |
//! | `SiteManager`, `Operator` | own VO's | own VO's and those for all VOs | yes | no | no |
//! | `ServiceAdministrator` | own VO's | all | yes | yes | no |
//! | a component of the system | any VO's | all | yes | yes | yes |
//!
//! Which components may call an rpc at all stands in its declaration. Reading is as in DiracX, whose policy `rss` lets
//! everybody; it has nothing to set statuses with. `ServiceAdministrator` reaches across VOs, as for pilots: it is
//! the property of those who look after the installation.

use diracx_server::{Identity, UserIdentity};

use crate::{
    error::{Error, Result},
    logic::plan::Target,
    model::{ALL, SYSTEM, owner},
};

const SERVICE_ADMINISTRATOR: &str = "ServiceAdministrator";
/// Those who look after the elements of their VO.
const OF_A_VO: [&str; 2] = ["SiteManager", "Operator"];

/// What this VO may use may be read; empty: what holds for all VOs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadView(String);

impl ReadView {
    /// The VO.
    pub fn vo(&self) -> &str {
        &self.0
    }
}

/// Which statuses somebody may see as they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListScope {
    /// Those for this VO and for all VOs.
    Vo(String),
    /// All.
    All,
}

/// The past of this status may be read.
#[derive(Debug)]
pub struct ReadHistory(());

/// Somebody who may set and remove something; each status has to be asked for.
#[derive(Debug)]
pub struct Caller {
    /// Of which VO only.
    vo: Option<String>,
    owner: String,
}

/// This status may be set or removed, or what is planned for it be cancelled.
#[derive(Debug)]
pub struct Administer {
    owner: String,
}

impl Administer {
    /// In whose name.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

/// What is due may be put into effect.
#[derive(Debug)]
pub struct Maintain(());

/// What this identity is told that it may use. People are answered for their own VO, whatever they ask.
pub fn read(identity: &Identity, vo: &str) -> ReadView {
    ReadView(identity.as_user().map_or(vo, |user| user.vo.as_str()).to_owned())
}

/// What this identity may see as it is kept, of what it asks for: of a VO and of all VOs together.
pub fn list(identity: &Identity, vo: &str) -> Result<ListScope> {
    let user = identity.as_user();
    match (user, vo) {
        (Some(user), _) if !is_administrator(user) => {
            may_see(user, vo).map(|()| ListScope::Vo(user.vo.clone()))
        }
        (_, "") => Ok(ListScope::All),
        (_, vo) => Ok(ListScope::Vo(vo.to_owned())),
    }
}

/// Whether this identity may read the past of a status for `vo`.
pub fn history(identity: &Identity, vo: &str) -> Result<ReadHistory> {
    match identity.as_user() {
        Some(user) if !is_administrator(user) && vo != ALL => may_see(user, vo)?,
        _ => {}
    }
    Ok(ReadHistory(()))
}

/// Whether this identity may set or remove anything at all.
pub fn administrator(identity: &Identity) -> Result<Caller> {
    let Some(user) = identity.as_user() else {
        return Ok(Caller { vo: None, owner: SYSTEM.to_owned() });
    };
    if !is_administrator(user) && !looks_after_a_vo(user) {
        return Err(Error::Forbidden);
    }
    // nobody can pass for the system, whatever the identity provider calls him
    let name = owner(&user.preferred_username);
    let owner = if name == SYSTEM { format!("_{name}") } else { name };
    Ok(Caller { vo: (!is_administrator(user)).then(|| user.vo.clone()), owner })
}

impl Caller {
    /// Whether the status may be set or removed.
    pub fn administer(&self, target: &Target) -> Result<Administer> {
        match &self.vo {
            Some(_) if target.vo == ALL => Err(Error::AllVos),
            Some(own) if target.vo != *own => Err(Error::OtherVo { vo: target.vo.clone() }),
            _ => Ok(Administer { owner: self.owner.clone() }),
        }
    }
}

/// Whether this identity may put into effect what is due: only a part of the system, and the guard knows which.
pub fn maintain(identity: &Identity) -> Result<Maintain> {
    identity.as_component().map(|_| Maintain(())).ok_or(Error::Forbidden)
}

/// The service puts into effect what is due of its own accord, too: nobody asks for that.
pub(crate) fn service_itself() -> Maintain {
    Maintain(())
}

fn is_administrator(user: &UserIdentity) -> bool {
    user.has_property(SERVICE_ADMINISTRATOR)
}

fn looks_after_a_vo(user: &UserIdentity) -> bool {
    OF_A_VO.iter().any(|property| user.has_property(property))
}

fn may_see(user: &UserIdentity, vo: &str) -> Result<()> {
    if vo.is_empty() || vo == user.vo { Ok(()) } else { Err(Error::OtherVo { vo: vo.to_owned() }) }
}
