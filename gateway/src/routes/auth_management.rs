//! Who the caller is, and looking after refresh tokens.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use diracx_proto::auth::v1::{
    GetUserInfoRequest, ListRefreshTokensRequest, RefreshToken, RevokeRefreshTokenRequest,
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{caller::Caller, context::Context, error::Refusal, render::json_response};

/// Tokens asked for in one call.
const PAGE_SIZE: i32 = 10_000;
/// An answer holds no more tokens; whoever has more reads them in pages, by gRPC.
const MOST_TOKENS: usize = 100_000;

/// Who the caller is, as the token says.
pub(super) async fn userinfo(State(context): State<Context>, caller: Caller) -> Result<Response, Refusal> {
    let user = context.auth().get_user_info(caller.request(GetUserInfoRequest {})).await?.into_inner();
    let policies: Map<String, Value> =
        user.policies.into_iter().map(|(policy, text)| (policy, policy_value(text))).collect();
    let answer = json!({
        "sub": user.sub,
        "vo": user.vo,
        "dirac_group": user.dirac_group,
        "policies": policies,
        "properties": user.properties,
        "preferred_username": user.preferred_username,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// What a policy wrote is JSON; should it not be, it is shown as it is.
fn policy_value(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// The refresh tokens that the caller may see. DiracX knows no pages here, so this reads all of them.
pub(super) async fn refresh_tokens(
    State(context): State<Context>,
    caller: Caller,
) -> Result<Response, Refusal> {
    let mut tokens: Vec<Value> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = caller.request(ListRefreshTokensRequest { page_size: PAGE_SIZE, page_token });
        let page = context.auth().list_refresh_tokens(request).await?.into_inner();
        tokens.extend(page.refresh_tokens.into_iter().map(refresh_token));
        if page.next_page_token.is_empty() {
            return Ok(json_response(StatusCode::OK, &tokens));
        }
        if tokens.len() >= MOST_TOKENS {
            return Err(Refusal::bad_request(format!(
                "There are more than {MOST_TOKENS} refresh tokens: read them in pages, with the rpc ListRefreshTokens"
            )));
        }
        page_token = page.next_page_token;
    }
}

/// In DiracX's spelling; the status is a number.
fn refresh_token(token: RefreshToken) -> Value {
    json!({ "JTI": token.jti, "Status": token.status, "Scope": token.scope, "Sub": token.sub })
}

/// Revokes a refresh token by its id.
pub(super) async fn revoke_refresh_token(
    State(context): State<Context>,
    caller: Caller,
    jti: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    // what is no text is no UUID either
    let jti = jti.map(|Path(jti)| jti).unwrap_or_default();
    context.auth().revoke_refresh_token(caller.request(RevokeRefreshTokenRequest { jti })).await?;
    Ok(json_response(StatusCode::OK, &"Refresh token revoked"))
}
