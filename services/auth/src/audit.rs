//! What an administrator must be able to find out afterwards: who came in, who was refused, what was taken back.
//!
//! Every event is one line of the log with the target `diracx_audit`, so that it can be sent somewhere else; its
//! field `audit` names the kind, and it stands in the span of its call, so that the trace leads to the gateway's
//! line with the address. Events hold the ids of tokens and never a token, a code or what an identity
//! provider said.

use diracx_core::{Code, Explain, Reason};
use diracx_server::{Identity, token::PilotClaims};
use uuid::Uuid;

use crate::{
    error::Error,
    idp::IdpError,
    logic::identity::Grant,
    policy::{IssuePilotToken, RevokeToken},
};

/// The target of all events.
const TARGET: &str = "diracx_audit";

/// Longer texts of callers are cut.
const MAX_TEXT: usize = 200;

/// Somebody got the tokens of a session that begins.
pub(crate) fn login(by: &'static str, grant: &Grant, jti: Uuid) {
    let (sub, user, scope) = (&grant.sub, &grant.preferred_username, &grant.scope);
    tracing::info!(
        target: TARGET, audit = "login", by, %sub, %user, vo = %scope.vo, group = %scope.group, %jti,
        "{user} of {} logged in by {by}", scope.vo
    );
}

/// A session goes on; `next` takes the place of `jti`, unless the token may be used many times.
pub(crate) fn refreshed(grant: &Grant, jti: Uuid, next: Option<Uuid>) {
    let (sub, user, vo) = (&grant.sub, &grant.preferred_username, &grant.scope.vo);
    let next = next.map(tracing::field::display);
    tracing::info!(target: TARGET, audit = "refresh", %sub, %user, %vo, %jti, next, "{user} of {vo} goes on");
}

/// A refresh token was used a second time; all sessions of its subject are closed, but for those of DIRAC servers.
pub(crate) fn reused(sub: &str, jti: Uuid, closed: usize) {
    tracing::warn!(
        target: TARGET, audit = "reuse", %sub, %jti, token.count = closed,
        "a refresh token was used twice; all sessions of {sub} are closed"
    );
}

/// Somebody took back a token by its id.
pub(crate) fn revoked(jti: Uuid, sub: &str, identity: &Identity, _: &RevokeToken) {
    let by = identity.as_user().map_or("a component", |user| user.sub.as_str());
    tracing::info!(target: TARGET, audit = "revocation", %jti, %sub, by, "a refresh token of {sub} was revoked by {by}");
}

/// Whoever has a token gave it back.
pub(crate) fn given_back(jti: Uuid) {
    tracing::info!(target: TARGET, audit = "revocation", %jti, "a refresh token was given back");
}

/// A component got its token.
pub(crate) fn component(name: &str, jti: Uuid) {
    tracing::info!(target: TARGET, audit = "component token", component = name, %jti, "{name} got its token");
}

/// The pilots service got the token of a pilot.
pub(crate) fn pilot(claims: &PilotClaims, _: &IssuePilotToken) {
    let PilotClaims { jti, vo, pilot_stamp: stamp, .. } = claims;
    tracing::info!(target: TARGET, audit = "pilot token", %vo, pilot.stamp = stamp, %jti, "pilot {stamp} of {vo} got its token");
}

/// Somebody was refused. What is our own fault, or has to wait, is no refusal; and whom we know by a token the guard
/// has noted.
pub(crate) fn refused(what: &'static str, error: &Error) {
    let explanation = error.explain();
    let is_refusal = matches!(
        explanation.code,
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::NotFound
            | Code::ResourceExhausted
    );
    let noted_by_guard = matches!(error, Error::Forbidden | Error::NotYourToken);
    if is_refusal && !noted_by_guard && explanation.reason != Reason::AuthorizationPending {
        let why: String = why(error).chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        let reason = explanation.reason.as_str();
        tracing::warn!(target: TARGET, audit = "refusal", what, reason, why, "{what} was refused: {reason}");
    }
}

/// What the caller reads, without codes and without the words of a provider.
fn why(error: &Error) -> String {
    match error {
        Error::UserCodeGone(_) => "the login was finished or ended before".to_owned(),
        Error::Idp(idp) => match &**idp {
            IdpError::LoginRefused { error, .. } => {
                format!("the identity provider refused the login: {error}")
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
