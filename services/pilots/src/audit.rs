//! What an administrator must be able to find out afterwards: which secrets there were, who used them, who was refused.
//!
//! As in the auth service, every event is one line of the log with the target `diracx_audit`. Events hold the ids of
//! secrets and never a secret or a token. Why somebody was refused stands here and nowhere else.

use diracx_core::PilotStamp;
use uuid::Uuid;

use crate::{
    logic::exchange::Refusal,
    policy::AdministerCredentials,
    store::credential::{NewSecret, Revocation, Revoked},
};

/// The target of all events.
const TARGET: &str = "diracx_audit";

/// Secrets were made.
pub(crate) fn secrets_made(secrets: &[NewSecret], permit: &AdministerCredentials) {
    let (by, count) = (permit.by(), secrets.len());
    let Some(first) = secrets.first() else { return };
    let (vo, first) = (&first.vo, first.id);
    tracing::info!(
        target: TARGET, audit = "pilot secrets", by, vo, secret.count = count, secret.first = %first,
        "{by} made {count} secrets for pilots of {vo}"
    );
}

/// A pilot got its first token.
pub(crate) fn exchanged(stamp: &PilotStamp, vo: &str, secret: Uuid, is_new: bool) {
    tracing::info!(
        target: TARGET, audit = "pilot login", pilot.stamp = %stamp, vo, secret.id = %secret, self_registered = is_new,
        "pilot {stamp} of {vo} got its token for a secret"
    );
}

/// A pilot goes on; `repeated` if it asked again with the same refresh token.
pub(crate) fn refreshed(stamp: &PilotStamp, vo: &str, secret: Uuid, repeated: bool) {
    tracing::info!(
        target: TARGET, audit = "pilot refresh", pilot.stamp = %stamp, vo, secret.id = %secret, repeated,
        "pilot {stamp} of {vo} goes on"
    );
}

/// Somebody was refused.
pub(crate) fn refused(stamp: &PilotStamp, refusal: Refusal) {
    tracing::warn!(
        target: TARGET, audit = "refusal", what = "pilot token", pilot.stamp = %stamp, why = %refusal,
        "a token for pilot {stamp} was refused: {refusal}"
    );
}

/// A refresh token was used a second time; what the pilot got is taken away.
pub(crate) fn reused(stamp: &PilotStamp, secret: Uuid, closed: usize) {
    tracing::warn!(
        target: TARGET, audit = "reuse", pilot.stamp = %stamp, secret.id = %secret, token.count = closed,
        "a refresh token of pilot {stamp} was used twice; all that it got is taken away"
    );
}

/// Credentials were taken away.
pub(crate) fn revoked(revocation: &Revocation, revoked: Revoked, by: &str) {
    let vo = revocation.vo.as_deref().unwrap_or("any");
    let named =
        |names: usize, what: &str| if names == 0 { String::new() } else { format!(" {names} {what}") };
    let of = [
        named(revocation.secrets.len(), "secrets"),
        named(revocation.stamps.len(), "pilots"),
        named(revocation.grid_sites.len(), "sites"),
        named(revocation.destination_sites.len(), "computing elements"),
    ]
    .concat();
    tracing::info!(
        target: TARGET, audit = "revocation", by, vo, secret.count = revoked.secrets, token.count = revoked.tokens,
        "{by} took away the credentials of{of}"
    );
}
