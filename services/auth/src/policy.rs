//! Who may do what with tokens. Permits can be made here only.
//!
//! | | list | revoke | clean | have tokens of pilots made |
//! |---|---|---|---|---|
//! | a user | own | own | no | no |
//! | `ProxyManagement` | all, revoked ones too | all | no | no |
//! | a pilot | no | no | no | no |
//! | a component of the system | no | no | yes | yes |
//!
//! Which components may call an rpc at all stands in its declaration. As in DiracX, `ProxyManagement` reaches
//! across VOs: it is the property of those who look after the credentials of an installation.

use diracx_server::Identity;

use crate::error::{Error, Result};

const PROXY_MANAGEMENT: &str = "ProxyManagement";

/// Which refresh tokens somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenScope {
    /// Those of one subject that are not revoked.
    Own(String),
    /// All.
    All,
}

/// This refresh token may be revoked.
#[derive(Debug)]
pub(crate) struct RevokeToken(());

/// Old rows may be removed.
#[derive(Debug)]
pub(crate) struct Clean(());

/// The token of a pilot may be made.
#[derive(Debug)]
pub(crate) struct IssuePilotToken(());

/// What this identity may see.
pub(crate) fn list(identity: &Identity) -> Result<TokenScope> {
    let user = identity.as_user().ok_or(Error::Forbidden)?;
    Ok(if user.has_property(PROXY_MANAGEMENT) { TokenScope::All } else { TokenScope::Own(user.sub.clone()) })
}

/// Whether this identity may revoke a token of `owner`.
pub(crate) fn revoke(identity: &Identity, owner: &str) -> Result<RevokeToken> {
    let user = identity.as_user().ok_or(Error::Forbidden)?;
    if user.sub == owner || user.has_property(PROXY_MANAGEMENT) {
        Ok(RevokeToken(()))
    } else {
        Err(Error::NotYourToken)
    }
}

/// Whether this identity may clean: only a part of the system, and the guard knows which.
pub(crate) fn clean(identity: &Identity) -> Result<Clean> {
    identity.as_component().map(|_| Clean(())).ok_or(Error::Forbidden)
}

/// Whoever starts the chore `diracx-auth clean` has the database anyway.
pub(crate) fn clean_by_hand() -> Clean {
    Clean(())
}

/// Whether this identity may have tokens of pilots made: only a part of the system, and the guard knows which.
pub(crate) fn issue_pilot_token(identity: &Identity) -> Result<IssuePilotToken> {
    identity.as_component().map(|_| IssuePilotToken(())).ok_or(Error::Forbidden)
}
