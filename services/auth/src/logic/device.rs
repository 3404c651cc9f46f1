//! Logging in on a device that has no browser.
//!
//! A login is PENDING, READY once the identity provider has said who the person is, and DONE once the device
//! has its tokens; it is ERROR if the person said no instead. Nothing else changes it; one that takes too long is
//! as good as gone.

use chrono::SubsecRound;

use super::{
    identity,
    login::{self, Callback, Login},
    tokens::{self, Holder, Tokens},
};
use crate::{
    audit, codes,
    deps::Deps,
    error::{Error, Result},
    store::{DeviceFlow, FlowStatus, NewDeviceFlow},
};

/// How often another user code is tried when one is taken.
const ATTEMPTS: usize = 5;

/// A login that has begun.
pub(crate) struct Begun {
    pub(crate) user_code: String,
    pub(crate) device_code: String,
}

/// What can be told to the person in the end.
pub(crate) struct Finished {
    pub(crate) vo: String,
    /// Empty for somebody whom the configuration does not know.
    pub(crate) preferred_username: String,
    /// Why there will be no tokens, which the device learns when it asks.
    pub(crate) refusal: Option<Error>,
}

/// Begins a login.
pub(crate) async fn begin(deps: &Deps, client_id: &str, scope: &str) -> Result<Begun> {
    if client_id != deps.settings.client_id {
        return Err(Error::DeviceClient);
    }
    deps.scope(scope, &*deps.config()?)?;
    for _ in 0..ATTEMPTS {
        let begun = Begun { user_code: codes::user_code()?, device_code: codes::secret_code()? };
        let flow = NewDeviceFlow {
            user_code: begun.user_code.clone(),
            hashed_device_code: codes::hashed(&begun.device_code),
            client_id: client_id.to_owned(),
            scope: scope.to_owned(),
            // whole seconds, as the column has on MySQL
            creation_time: deps.clock.now().trunc_subsecs(0),
        };
        match deps.store().insert_device_flow(flow).await {
            Ok(()) => return Ok(begun),
            Err(diracx_db::DbError::Duplicate(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::NoFreeUserCode)
}

/// The browser arrives: tells where it goes.
pub(crate) async fn start_login(deps: &Deps, user_code: &str, callback_url: &str) -> Result<String> {
    let user_code = codes::typed_user_code(user_code);
    deps.attempts.count(&user_code)?;
    let flow = deps.store().device_flow(&user_code).await?.ok_or(Error::UserCodeUnknown)?;
    let oldest = deps.clock.now() - deps.settings.device_flow_lifetime;
    if flow.status != FlowStatus::Pending || flow.creation_time <= oldest {
        return Err(Error::UserCodeUnknown);
    }
    let scope = deps.scope(&flow.scope, &*deps.config()?)?;
    login::begin(deps, &scope.vo, callback_url, Login::Device { user_code }).await
}

/// The browser comes back.
pub(crate) async fn finish_login(deps: &Deps, callback: &Callback) -> Result<Finished> {
    let state = login::open(deps, callback)?;
    let Login::Device { user_code } = &state.login else { return Err(Error::InvalidState) };
    deps.attempts.count(user_code)?;
    login::must_be_from_its_provider(deps, &state, callback).await?;
    if let Err(refused) = login::must_be_allowed(callback) {
        if login::is_denied(callback) {
            // DiracX lets the device ask on until the code expires
            deps.store().deny_device_flow(user_code).await?;
            tracing::info!(vo = %state.vo, "a device login was denied");
        }
        return Err(refused);
    }
    let oldest = deps.clock.now() - deps.settings.device_flow_lifetime;
    // asked first, so that the provider's code is not spent on a login that is over
    let flow = deps.store().device_flow(user_code).await?;
    let pending = |flow: &DeviceFlow| flow.status == FlowStatus::Pending && flow.creation_time > oldest;
    let flow = flow.filter(pending).ok_or_else(|| Error::UserCodeGone(user_code.clone()))?;
    let person = login::identify(deps, &state, callback).await?;
    let id_token = person.id_token.into();
    if !deps.store().finish_device_flow(user_code, oldest, id_token).await? {
        return Err(Error::UserCodeGone(user_code.clone()));
    }
    let config = deps.config()?;
    let user = config.user(&state.vo, &person.subject);
    let preferred_username = user.map(|user| user.preferred_username.clone()).unwrap_or_default();
    // it is decided when the device asks, but the person is here now
    let granted =
        deps.scope(&flow.scope, &config).and_then(|scope| identity::grant(&config, scope, &person.subject));
    let refusal = granted.err();
    tracing::info!(vo = %state.vo, user = %preferred_username, "a device login is ready");
    Ok(Finished { vo: state.vo, preferred_username, refusal })
}

/// The device asks for its tokens.
///
/// # Source
/// DiracX `logic/auth/token.py`, `get_oidc_token_info_from_device_flow`, in its order of checks.
pub(crate) async fn redeem(deps: &Deps, device_code: &str, client_id: &str) -> Result<Tokens> {
    let hashed = codes::hashed(device_code);
    let flow = deps.store().device_flow_by_code(&hashed).await?.ok_or(Error::CodeUnknown("device code"))?;
    if flow.creation_time < deps.clock.now() - deps.settings.device_flow_lifetime {
        return Err(Error::DeviceCodeExpired);
    }
    match flow.status {
        FlowStatus::Ready => {}
        FlowStatus::Pending => return Err(Error::Pending),
        FlowStatus::Done => return Err(Error::CodeUsed),
        FlowStatus::Error => return Err(Error::LoginDenied),
    }
    if flow.client_id != client_id {
        return Err(Error::BadClientId);
    }
    let subject = login::stored_subject(flow.id_token.as_ref(), "device")?;
    let config = deps.config()?;
    let grant = identity::grant(&config, deps.scope(&flow.scope, &config)?, subject)?;
    let holder = Holder { grant: &grant, scope: &flow.scope, config: &config };
    let (kept, draft) = tokens::first(deps, &holder)?;
    let (jti, tokens) = (kept.jti, draft.sign(deps)?);
    if !deps.store().redeem_device_flow(&hashed, kept).await? {
        return Err(Error::CodeUsed);
    }
    audit::login("device flow", &grant, jti);
    Ok(tokens)
}
