//! `/api/auth/legacy-exchange`: tokens for a DIRAC server, on its word.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use diracx_proto::{auth::v1::ExchangeLegacyTokenRequest, time::whole_seconds};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use prost_types::Duration;
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::Refusal,
    outgoing::outgoing,
    render::json_response,
    validation::{Loc, Problems, query::Pairs, scalar::int},
};

/// Tokens for a user whom the DIRAC server has authenticated.
pub(super) async fn legacy_exchange(
    State(context): State<Context>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let request = read(query.as_deref().unwrap_or_default(), &headers)?;
    let tokens = context.auth().exchange_legacy_token(outgoing(request)).await.map_err(Refusal::OAuth)?;
    let tokens = tokens.into_inner();
    let answer = json!({
        "access_token": tokens.access_token,
        "expires_in": whole_seconds(tokens.expires_in.as_ref()),
        "token_type": tokens.token_type,
        "refresh_token": tokens.refresh_token,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

fn read(query: &str, headers: &HeaderMap) -> Result<ExchangeLegacyTokenRequest, Problems> {
    let query = Pairs::parse(query);
    let mut problems = Problems::default();
    let preferred_username = query.required(&mut problems, "preferred_username");
    let scope = query.required(&mut problems, "scope");
    let minutes = query.or(&mut problems, "expires_minutes", None, |problems, loc, value| {
        int(problems, loc, value).map(Some)
    });
    // bytes that are no text become a header that is refused
    let authorization = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default().to_owned());
    if authorization.is_none() {
        problems.missing(&Loc::HEADER.field("authorization"), &Value::Null);
    }
    let request = minutes.and_then(|minutes: Option<i64>| {
        Some(ExchangeLegacyTokenRequest {
            authorization: authorization?,
            preferred_username: preferred_username?,
            scope: scope?,
            refresh_token_lifetime: minutes
                .map(|minutes| Duration { seconds: minutes.saturating_mul(60), nanos: 0 }),
        })
    });
    problems.none_or(request)
}
