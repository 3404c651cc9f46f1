//! `/api/auth/…`: the table of its paths, and the device login.

use axum::{
    extract::{RawQuery, State},
    response::{Html, IntoResponse, Response},
    routing::{delete, get, post},
};
use diracx_proto::{
    auth::v1::{FinishDeviceLoginRequest, InitiateDeviceFlowRequest, StartDeviceLoginRequest},
    time::whole_seconds,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use serde_json::json;

use super::{
    auth_authorize::{authorize, complete},
    auth_legacy::legacy_exchange,
    auth_management::{refresh_tokens, revoke_refresh_token, userinfo},
    auth_token::{revoke, token},
    pages::{for_people, wants_page},
};
use crate::{
    context::Context,
    error::Refusal,
    outgoing::outgoing,
    public_url::PublicUrl,
    render::json_response,
    routing::Table,
    validation::{Problems, query::Pairs},
};

/// Where a person begins a device login.
pub(super) const DEVICE: &str = "/api/auth/device";
const COMPLETE: &str = "/api/auth/device/complete";
const FINISHED: &str = "/api/auth/device/complete/finished";
/// Where the identity provider sends the browser of an authorization code login back to.
pub(super) const AUTHORIZED: &str = "/api/auth/authorize/complete";

pub(super) fn routes(table: Table) -> Table {
    table
        .at(DEVICE, "GET, POST", for_people(get(do_device_flow)).post(initiate_device_flow))
        .at(COMPLETE, "GET", for_people(get(finish_device_flow)))
        .at(FINISHED, "GET", for_people(get(finished)))
        .at("/api/auth/authorize", "GET", for_people(get(authorize)))
        .at(AUTHORIZED, "GET", for_people(get(complete)))
        .at("/api/auth/token", "POST", post(token))
        .at("/api/auth/revoke", "POST", post(revoke))
        .at("/api/auth/legacy-exchange", "GET", get(legacy_exchange))
        .at("/api/auth/userinfo", "GET", get(userinfo))
        .at("/api/auth/refresh-tokens", "GET", get(refresh_tokens))
        .at("/api/auth/refresh-tokens/{jti}", "DELETE", delete(revoke_refresh_token))
}

async fn initiate_device_flow(
    State(context): State<Context>,
    url: PublicUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Pairs::parse(query.as_deref().unwrap_or_default());
    let mut problems = Problems::default();
    let client_id = query.required(&mut problems, "client_id");
    let scope = query.required(&mut problems, "scope");
    let (client_id, scope) = problems.none_or(client_id.zip(scope))?;
    let request = outgoing(InitiateDeviceFlowRequest { client_id, scope });
    let flow = context.auth().initiate_device_flow(request).await?.into_inner();
    let page = url.at(&flow.verification_path);
    let answer = json!({
        "user_code": flow.user_code,
        "device_code": flow.device_code,
        "verification_uri_complete": format!("{page}?user_code={}", flow.user_code),
        "verification_uri": page,
        "expires_in": whole_seconds(flow.expires_in.as_ref()),
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// A browser arrives: on to the identity provider.
async fn do_device_flow(
    State(context): State<Context>,
    url: PublicUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Pairs::parse(query.as_deref().unwrap_or_default());
    let mut problems = Problems::default();
    let user_code = query.required(&mut problems, "user_code");
    let user_code = problems.none_or(user_code)?;
    let request = outgoing(StartDeviceLoginRequest { user_code, callback_url: url.at(COMPLETE) });
    let start = context.auth().start_device_login(request).await?.into_inner();
    redirect(&start.authorization_url)
}

/// The browser comes back from the identity provider, with a code or with an error.
async fn finish_device_flow(
    State(context): State<Context>,
    url: PublicUrl,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let Callback { code, state, error, error_description, issuer } = Callback::read(query.as_deref())?;
    let callback_url = url.at(COMPLETE);
    let request = FinishDeviceLoginRequest { code, state, callback_url, error, error_description, issuer };
    let finished = context.auth().finish_device_login(outgoing(request)).await?.into_inner();
    if wants_page(&headers) && !finished.refusal.is_empty() {
        return Err(Refusal::new(StatusCode::FORBIDDEN, finished.refusal));
    }
    redirect(&url.at(FINISHED))
}

/// What a browser brings back from an identity provider.
pub(super) struct Callback {
    pub(super) code: String,
    pub(super) state: String,
    pub(super) error: String,
    pub(super) error_description: String,
    pub(super) issuer: String,
}

impl Callback {
    /// A code, or an error in its place; never neither.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Refusal> {
        let query = Pairs::parse(query.unwrap_or_default());
        let error = query.get("error").unwrap_or_default().to_owned();
        let mut problems = Problems::default();
        let code = match query.get("code") {
            None if !error.is_empty() => Some(String::new()),
            _ => query.required(&mut problems, "code"),
        };
        let state = query.required(&mut problems, "state");
        let (code, state) = problems.none_or(code.zip(state))?;
        let error_description = query.get("error_description").unwrap_or_default().to_owned();
        let issuer = query.get("iss").unwrap_or_default().to_owned();
        Ok(Self { code, state, error, error_description, issuer })
    }
}

async fn finished() -> Response {
    Html("<h1>Please close the window</h1>").into_response()
}

/// Sends a browser on.
pub(super) fn redirect(target: &str) -> Result<Response, Refusal> {
    let location = HeaderValue::try_from(target).map_err(|_| {
        tracing::error!("a redirect target is no URL");
        Refusal::Failed(tonic::Status::internal("a redirect target is no URL"))
    })?;
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
