//! Logging in from a program that has a browser: the authorization code flow with PKCE.

use chrono::SubsecRound;
use uuid::Uuid;

use super::{
    identity,
    login::{self, Callback, Login},
    tokens::{self, Holder, Tokens},
};
use crate::{
    audit, codes,
    deps::Deps,
    error::{Error, Result},
    idp::IdpError,
    store::{FlowStatus, NewAuthorizationFlow},
};

/// As long as the columns are.
const MAX_LENGTH: usize = 255;

/// What a program asks for.
pub(crate) struct Ask {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: String,
    pub(crate) code_challenge: String,
    pub(crate) code_challenge_method: String,
    pub(crate) callback_url: String,
}

/// Begins a login: tells where the browser goes.
pub(crate) async fn begin(deps: &Deps, ask: Ask) -> Result<String> {
    if ask.client_id != deps.settings.client_id {
        return Err(Error::AuthorizationClient);
    }
    if !deps.settings.allowed_redirects.contains(&ask.redirect_uri) {
        return Err(Error::RedirectUri);
    }
    if ask.code_challenge_method != "S256" {
        return Err(Error::Field { field: "code_challenge_method", problem: "must be S256" });
    }
    if ask.code_challenge.is_empty() || ask.code_challenge.len() > MAX_LENGTH {
        return Err(Error::Field { field: "code_challenge", problem: "must have 1 to 255 characters" });
    }
    if ask.state.len() > 4096 {
        return Err(Error::Field { field: "state", problem: "must have at most 4096 bytes" });
    }
    let scope = deps.scope(&ask.scope, &*deps.config()?)?;
    let now = deps.clock.now();
    let id = diracx_server::token::new_token_id(now);
    let login = Login::Authorization { uuid: id.simple().to_string(), external_state: ask.state };
    let url = login::begin(deps, &scope.vo, &ask.callback_url, login).await?;
    let flow = NewAuthorizationFlow {
        id,
        client_id: ask.client_id,
        creation_time: now.trunc_subsecs(0),
        scope: ask.scope,
        code_challenge: ask.code_challenge,
        redirect_uri: ask.redirect_uri,
    };
    deps.store().insert_authorization_flow(flow).await?;
    Ok(url)
}

/// The browser comes back: tells where it goes on.
pub(crate) async fn finish_login(deps: &Deps, callback: &Callback) -> Result<String> {
    let state = login::open(deps, callback)?;
    let Login::Authorization { uuid, external_state } = &state.login else {
        return Err(Error::InvalidState);
    };
    login::must_be_from_its_provider(deps, &state, callback).await?;
    let id: Uuid = uuid.parse().map_err(|_| Error::InvalidState)?;
    let oldest = deps.clock.now() - deps.settings.authorization_flow_lifetime;
    // asked first, so that the provider's code is not spent on a login that is over
    let flow = deps.store().authorization_flow(id).await?.ok_or(Error::InvalidState)?;
    if flow.status != FlowStatus::Pending || flow.creation_time <= oldest {
        return Err(Error::InvalidState);
    }
    if let Some(refused) = login::refusal(callback) {
        if !deps.store().deny_authorization_flow(id, oldest).await? {
            return Err(Error::InvalidState);
        }
        audit::refused("authorization code login", &refused);
        return Ok(refusal_url(&flow.redirect_uri, &callback.error, &refused, external_state));
    }
    login::must_be_allowed(callback)?;
    let person = login::identify(deps, &state, callback).await.map_err(|error| match error {
        Error::Idp(idp) if matches!(*idp, IdpError::CodeRefused(_)) => Error::AuthorizationCodeRefused(idp),
        other => other,
    })?;
    let code = codes::secret_code()?;
    let id_token = person.id_token.into();
    if !deps.store().finish_authorization_flow(id, oldest, &codes::hashed(&code), id_token).await? {
        return Err(Error::InvalidState);
    }
    tracing::info!(vo = %state.vo, "an authorization code login is ready");
    Ok(redirect_url(&flow.redirect_uri, &[("code", &code), ("state", external_state)]))
}

/// The program asks for its tokens.
///
/// # Source
/// DiracX `logic/auth/token.py`, `get_oidc_token_info_from_authorization_flow`, in its order of checks.
pub(crate) async fn redeem(
    deps: &Deps,
    client_id: &str,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
) -> Result<Tokens> {
    let oldest = deps.clock.now() - deps.settings.authorization_flow_lifetime;
    let flow = deps.store().authorization_flow_by_code(&codes::hashed(code), oldest).await?;
    let flow = flow.ok_or(Error::CodeUnknown("authorization code"))?;
    match flow.status {
        FlowStatus::Ready => {}
        FlowStatus::Done => return Err(Error::CodeUsed),
        FlowStatus::Pending | FlowStatus::Error => return Err(Error::BadFlow("authorization")),
    }
    if flow.redirect_uri != redirect_uri {
        return Err(Error::BadRedirectUri);
    }
    if flow.client_id != client_id {
        return Err(Error::BadClientId);
    }
    if !codes::same_secret(&codes::challenge(verifier), &flow.code_challenge) {
        return Err(Error::BadCodeVerifier);
    }
    let subject = login::stored_subject(flow.id_token.as_ref(), "authorization code")?;
    let config = deps.config()?;
    let grant = identity::grant(&config, deps.scope(&flow.scope, &config)?, subject)?;
    let holder = Holder { grant: &grant, scope: &flow.scope, config: &config };
    let (kept, draft) = tokens::first(deps, &holder)?;
    let (jti, tokens) = (kept.jti, draft.sign(deps)?);
    if !deps.store().redeem_authorization_flow(flow.id, kept).await? {
        return Err(Error::CodeUsed);
    }
    audit::login("authorization code flow", &grant, jti);
    Ok(tokens)
}

/// How the program learns that there will be no code (RFC 6749, section 4.1.2.1).
///
/// Whoever said no, the program hears it. What the provider has against our own request is no fault of the program,
/// so that it hears no more than that we failed.
fn refusal_url(redirect_uri: &str, error: &str, refused: &Error, state: &str) -> String {
    const PASSED_ON: [&str; 2] = ["access_denied", "temporarily_unavailable"];
    let error = if PASSED_ON.contains(&error) { error } else { "server_error" };
    let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' };
    let description: String = refused.to_string().chars().take(MAX_LENGTH).map(plain).collect();
    redirect_url(redirect_uri, &[("error", error), ("error_description", &description), ("state", state)])
}

/// The redirect URI with these in its query, whatever query and fragment it has itself.
fn redirect_url(redirect_uri: &str, query: &[(&str, &str)]) -> String {
    let (before, fragment) = match redirect_uri.split_once('#') {
        Some((before, fragment)) => (before, format!("#{fragment}")),
        None => (redirect_uri, String::new()),
    };
    let mark = if before.contains('?') { '&' } else { '?' };
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", crate::idp::in_query_value(value))).collect();
    format!("{before}{mark}{}{fragment}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::redirect_url;

    #[test]
    fn the_browser_goes_on_with_code_and_state() {
        for (uri, expected) in [
            ("http://web/cb", "http://web/cb?code=c&state=a%26b"),
            ("http://web/cb?x=1", "http://web/cb?x=1&code=c&state=a%26b"),
            ("http://web/#auth", "http://web/?code=c&state=a%26b#auth"),
        ] {
            assert_eq!(redirect_url(uri, &[("code", "c"), ("state", "a&b")]), expected);
        }
    }
}
