//! `/api/auth/token` and `/api/auth/revoke`: OAuth2's own vocabulary.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use diracx_core::Reason;
use diracx_proto::{
    auth::v1::{
        AuthorizationCodeGrant, DeviceCodeGrant, GetTokenRequest, RefreshTokenGrant, RevokeTokenRequest,
        get_token_request::Grant,
    },
    time::whole_seconds,
};
use diracx_server::StatusInfo;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use tonic::Status;

use crate::{
    context::Context,
    error::Refusal,
    outgoing::outgoing,
    render::json_response,
    validation::{Problems, form::Form},
};

const AUTHORIZATION_CODE: &str = "authorization_code";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const REFRESH_TOKEN: &str = "refresh_token";
const GRANTS: [&str; 3] = [AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN];

/// Tokens for a finished login, or for a refresh token.
pub(super) async fn token(
    State(context): State<Context>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let form = read_form(&context, &headers, body).await?;
    let mut problems = Problems::default();
    let grant_type = form.literal(&mut problems, "grant_type", &GRANTS);
    let client_id = form.required(&mut problems, "client_id");
    let grant = grant_type.and_then(|grant_type| grant(&form, &mut problems, grant_type));
    let (client_id, grant) = problems.none_or(client_id.zip(grant))?;
    let request = outgoing(GetTokenRequest { client_id, grant: Some(grant) });
    match context.auth().get_token(request).await {
        Ok(answer) => {
            let tokens = answer.into_inner();
            let answer = json!({
                "access_token": tokens.access_token,
                "expires_in": whole_seconds(tokens.expires_in.as_ref()),
                "token_type": tokens.token_type,
                "refresh_token": tokens.refresh_token,
            });
            Ok(json_response(StatusCode::OK, &answer))
        }
        Err(status) => Ok(refused(status)),
    }
}

/// What a grant is made of. DiracX fails with 500 where a part is not there; it is a missing field.
fn grant(form: &Form, problems: &mut Problems, grant_type: &str) -> Option<Grant> {
    match grant_type {
        DEVICE_CODE => {
            let device_code = form.required(problems, "device_code")?;
            Some(Grant::DeviceCode(DeviceCodeGrant { device_code }))
        }
        REFRESH_TOKEN => {
            let refresh_token = form.required(problems, "refresh_token")?;
            Some(Grant::RefreshToken(RefreshTokenGrant { refresh_token }))
        }
        _ => {
            let code = form.required(problems, "code");
            let code_verifier = form.required(problems, "code_verifier");
            let redirect_uri = form.get("redirect_uri").unwrap_or_default();
            let (code, code_verifier) = code.zip(code_verifier)?;
            Some(Grant::AuthorizationCode(AuthorizationCodeGrant { code, redirect_uri, code_verifier }))
        }
    }
}

/// Clients poll until the person has logged in or has said no, and know these states by one word.
fn refused(status: Status) -> Response {
    let info = StatusInfo::of(&status);
    if info.is(Reason::AuthorizationPending) {
        return json_response(StatusCode::BAD_REQUEST, &json!({ "error": "authorization_pending" }));
    }
    if info.is(Reason::LoginDenied) {
        let answer = json!({ "error": "access_denied", "error_description": status.message() });
        return json_response(StatusCode::BAD_REQUEST, &answer);
    }
    Refusal::OAuth(status).into_response()
}

/// Gives a refresh token back. The answer is the same whether or not it was one, as RFC 7009 wants.
pub(super) async fn revoke(
    State(context): State<Context>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let form = read_form(&context, &headers, body).await?;
    let mut problems = Problems::default();
    let token = form.required(&mut problems, "token");
    let token = problems.none_or(token)?;
    let token_type_hint = form.get("token_type_hint").unwrap_or_default();
    let request = RevokeTokenRequest { token, token_type_hint, client_id: form.get("client_id") };
    context.auth().revoke_token(outgoing(request)).await.map_err(Refusal::OAuth)?;
    Ok(json_response(StatusCode::OK, &"Refresh token revoked"))
}

async fn read_form(context: &Context, headers: &HeaderMap, body: Body) -> Result<Form, Refusal> {
    let body = context.read_small(body).await?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Form::parse(content_type, &body)
}
