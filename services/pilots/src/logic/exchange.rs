//! Whether a pilot gets a token for what it shows. Pure: what is there was read before.
//!
//! Why somebody is refused stands in the audit log. The caller is never told: every refusal looks the same, so that
//! nobody finds out which stamps there are, or which half of a stolen pair is right.

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::{PilotStamp, PilotStatus};
use diracx_server::token::token_time;
use uuid::Uuid;

use crate::store::credential::{Constraints, Holder, Secret, Shown, ShownToken, Token, TokenState};

/// For how long a pilot may show a refresh token again: the answer to the first time may have got lost.
pub const REPETITION: TimeDelta = TimeDelta::seconds(60);

/// Why a pilot gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such secret.
    #[error("unknown secret")]
    UnknownSecret,
    /// The secret was revoked.
    #[error("revoked secret")]
    RevokedSecret,
    /// The secret is too old.
    #[error("expired secret")]
    ExpiredSecret,
    /// The secret was used as often as it may be.
    #[error("used secret")]
    UsedSecret,
    /// Nobody knows the pilot, and it may not register itself.
    #[error("unknown pilot")]
    UnknownPilot,
    /// The pilot is of another VO than the secret or token.
    #[error("another VO")]
    OtherVo,
    /// The secret is for others.
    #[error("not among those who may use the secret")]
    Constraints,
    /// The pilot has ended.
    #[error("the pilot has ended")]
    Ended,
    /// The pilot's credentials were taken away after the secret was made.
    #[error("barred")]
    Barred,
    /// No such refresh token, or one of another pilot.
    #[error("unknown refresh token")]
    UnknownToken,
    /// The refresh token is too old.
    #[error("expired refresh token")]
    ExpiredToken,
    /// The refresh token was revoked.
    #[error("revoked refresh token")]
    RevokedToken,
    /// The refresh token was used before: somebody has it who should not.
    #[error("refresh token used twice")]
    Reused,
}

/// What follows from a good secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// The secret.
    pub secret: Secret,
    /// The pilot as it is known, or is to be made known.
    pub pilot: Holder,
    /// Whether the pilot is to be made known.
    pub is_new: bool,
}

/// Whether the pilot `stamp` gets a token for a secret. `itself` is what it tells if nobody knows it.
pub fn by_secret(
    shown: Shown,
    stamp: &PilotStamp,
    itself: Option<&Holder>,
    now: DateTime<Utc>,
) -> Result<Admitted, Refusal> {
    let secret = shown.secret.ok_or(Refusal::UnknownSecret)?;
    if secret.revoked {
        return Err(Refusal::RevokedSecret);
    }
    if secret.expires <= now {
        return Err(Refusal::ExpiredSecret);
    }
    if secret.uses.is_some_and(|uses| uses < 1) {
        return Err(Refusal::UsedSecret);
    }
    let (pilot, is_new) = match (shown.pilot, itself) {
        (Some(pilot), _) => (pilot, false),
        (None, Some(itself)) if secret.uses.is_none() => {
            (Holder { vo: secret.vo.clone(), ..itself.clone() }, true)
        }
        (None, _) => return Err(Refusal::UnknownPilot),
    };
    if pilot.vo != secret.vo {
        return Err(Refusal::OtherVo);
    }
    if !allows(&secret.constraints, stamp, &pilot) {
        return Err(Refusal::Constraints);
    }
    if has_ended(&pilot) {
        return Err(Refusal::Ended);
    }
    if shown.barred.is_some_and(|barred| made_before(secret.id, barred)) {
        return Err(Refusal::Barred);
    }
    Ok(Admitted { secret, pilot, is_new })
}

/// Whether the pilot `stamp` gets a token for a refresh token.
pub fn by_token(
    shown: ShownToken,
    stamp: &PilotStamp,
    now: DateTime<Utc>,
) -> Result<(Token, Holder), Refusal> {
    let token = shown.token.filter(|token| token.stamp == stamp.as_str()).ok_or(Refusal::UnknownToken)?;
    if token.expires <= now {
        return Err(Refusal::ExpiredToken);
    }
    match token.state {
        TokenState::Fresh => {}
        TokenState::Used if is_repetition(&token, now) => {}
        TokenState::Used => return Err(Refusal::Reused),
        TokenState::Revoked => return Err(Refusal::RevokedToken),
    }
    // a token that came into being while its family was revoked is stopped here
    if shown.secret_revoked {
        return Err(Refusal::RevokedSecret);
    }
    if shown.barred.is_some_and(|barred| made_before(token.secret, barred)) {
        return Err(Refusal::Barred);
    }
    let pilot = shown.pilot.ok_or(Refusal::UnknownPilot)?;
    if pilot.vo != token.vo {
        return Err(Refusal::OtherVo);
    }
    if has_ended(&pilot) {
        return Err(Refusal::Ended);
    }
    Ok((token, pilot))
}

/// Whether this is the pilot that never got the answer: soon after, and nobody has gone on with what was answered. A
/// thief who comes first is found out as soon as both have gone on, and who comes second as well.
fn is_repetition(token: &Token, now: DateTime<Utc>) -> bool {
    !token.gone_on && token.used.is_some_and(|used| now - used <= REPETITION)
}

fn allows(constraints: &Constraints, stamp: &PilotStamp, pilot: &Holder) -> bool {
    let has =
        |names: &std::collections::BTreeSet<String>, name: &str| names.is_empty() || names.contains(name);
    has(&constraints.pilot_stamps, stamp.as_str())
        && has(&constraints.grid_sites, &pilot.grid_site)
        && has(&constraints.destination_sites, &pilot.destination_site)
}

/// A status that nobody knows is none that ended.
fn has_ended(pilot: &Holder) -> bool {
    pilot.status.parse::<PilotStatus>().is_ok_and(PilotStatus::is_final)
}

/// The time of its making is in the number of a secret, in milliseconds. One of the same millisecond counts as made
/// before: it may have been seen by whoever is barred.
fn made_before(secret: Uuid, barred: DateTime<Utc>) -> bool {
    token_time(secret).is_none_or(|made| made <= barred)
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
