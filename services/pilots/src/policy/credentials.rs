//! Who may do what with the credentials and the logs of pilots.
//!
//! | | make, list, revoke secrets | add to a log | read a log |
//! |---|---|---|---|
//! | `ServiceAdministrator` | of any VO | no | all |
//! | a pilot | no | its own | no |
//! | `GenericPilot` | no | no | no |
//! | anybody else | no | no | those of the VO |
//! | a component of the system | of any VO | no | all |

use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_server::Identity;

use super::{Forbidden, PilotScope, is_above, name, query};
use crate::error::Result;

/// Secrets may be made, seen and taken away, of any VO.
#[derive(Debug)]
pub struct AdministerCredentials {
    by: String,
}

impl AdministerCredentials {
    /// Who does it, in words.
    pub fn by(&self) -> &str {
        &self.by
    }
}

/// Lines may be added to the log of this pilot.
#[derive(Debug)]
pub struct AppendLog {
    stamp: PilotStamp,
    vo: String,
    issued: DateTime<Utc>,
}

impl AppendLog {
    /// The pilot.
    pub fn stamp(&self) -> &PilotStamp {
        &self.stamp
    }

    /// Its VO.
    pub fn vo(&self) -> &str {
        &self.vo
    }

    /// When its token was issued.
    pub fn issued(&self) -> DateTime<Utc> {
        self.issued
    }
}

/// The logs of pilots within a scope may be read.
#[derive(Debug)]
pub struct ReadLogs {
    scope: PilotScope,
    until: DateTime<Utc>,
}

impl ReadLogs {
    /// Which.
    pub fn scope(&self) -> &PilotScope {
        &self.scope
    }

    /// Until when: then the token ends.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }
}

/// Whether this identity may make, see and take away credentials of pilots.
pub fn administer_credentials(identity: &Identity) -> Result<AdministerCredentials> {
    if is_above(identity) {
        Ok(AdministerCredentials { by: name(identity) })
    } else {
        Err(Forbidden::Manage.into())
    }
}

/// Whether this identity may add to the log of this pilot.
pub fn append_log(identity: &Identity, stamp: PilotStamp) -> Result<AppendLog> {
    match identity {
        Identity::Pilot(own) if own.stamp == stamp.as_str() => {
            Ok(AppendLog { stamp, vo: own.vo.clone(), issued: own.issued() })
        }
        Identity::Pilot(_) => Err(Forbidden::NotOwn.into()),
        Identity::User(_) | Identity::Component(_) => Err(Forbidden::Manage.into()),
    }
}

/// Of which pilots this identity may read the logs.
pub fn read_logs(identity: &Identity) -> Result<ReadLogs> {
    Ok(ReadLogs { scope: query(identity)?, until: identity.expires() })
}
