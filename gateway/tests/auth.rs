//! Logins and tokens on REST: what is asked of the auth service, and what is made of its answers.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod common;

use common::{Behind, Running, ok, script};
use diracx_core::{Explanation, Reason};
use diracx_proto::auth::v1::{
    ExchangeLegacyTokenRequest, ExchangeLegacyTokenResponse, FinishAuthorizationRequest,
    FinishAuthorizationResponse, ListRefreshTokensRequest, ListRefreshTokensResponse, RefreshToken,
    RefreshTokenStatus, RevokeRefreshTokenRequest, RevokeRefreshTokenResponse, StartAuthorizationRequest,
    StartAuthorizationResponse,
};
use diracx_server::status::from_explanation;
use prost::Message;
use serde_json::json;

const ASK: &str = "/api/auth/authorize?response_type=code&code_challenge=x&code_challenge_method=S256&client_id=c\
                   &redirect_uri=http://web/cb&scope=vo:alpha&state=s";

async fn service() -> Running {
    let auth = script(|path, _, message| match path.rsplit('/').next().unwrap() {
        "StartAuthorization" => {
            let asked = StartAuthorizationRequest::decode(message).unwrap();
            assert_eq!(asked.callback_url, "http://gateway.test/api/auth/authorize/complete");
            ok(&StartAuthorizationResponse { authorization_url: "http://idp/authorize?x=1".into() })
        }
        "FinishAuthorization" => {
            let asked = FinishAuthorizationRequest::decode(message).unwrap();
            let redirect_url =
                format!("http://web/cb?code={}&state={}{}", asked.code, asked.state, asked.error);
            ok(&FinishAuthorizationResponse { redirect_url })
        }
        "ListRefreshTokens" => {
            let asked = ListRefreshTokensRequest::decode(message).unwrap();
            let (jti, next_page_token) = if asked.page_token.is_empty() { ("1", "1") } else { ("2", "") };
            let token = RefreshToken {
                jti: jti.into(),
                status: RefreshTokenStatus::Revoked.into(),
                scope: "vo:alpha".into(),
                sub: "alpha:1".into(),
                creation_time: None,
            };
            ok(&ListRefreshTokensResponse {
                refresh_tokens: vec![token],
                next_page_token: next_page_token.into(),
            })
        }
        "RevokeRefreshToken" => {
            let asked = RevokeRefreshTokenRequest::decode(message).unwrap();
            if asked.jti == "good" {
                return ok(&RevokeRefreshTokenResponse {});
            }
            let why = Explanation::not_found(Reason::InvalidGrant);
            Err(from_explanation(&why, &format!("Token {} not found", asked.jti)))
        }
        "ExchangeLegacyToken" => {
            let asked = ExchangeLegacyTokenRequest::decode(message).unwrap();
            if asked.authorization == "off" {
                let why = Explanation::unavailable(Reason::LegacyExchangeDisabled);
                return Err(from_explanation(&why, "Legacy exchange is not enabled"));
            }
            if asked.authorization == "wrong" {
                let why = Explanation::unauthenticated(Reason::InvalidClient);
                return Err(from_explanation(&why, "Invalid credentials"));
            }
            let seconds = asked.refresh_token_lifetime.map(|lifetime| lifetime.seconds);
            ok(&ExchangeLegacyTokenResponse {
                access_token: "a".into(),
                expires_in: Some(diracx_proto::time::seconds(1200)),
                token_type: "Bearer".into(),
                refresh_token: format!("{seconds:?}"),
            })
        }
        other => panic!("{other} is not asked here"),
    });
    Behind { auth, ..Behind::default() }.start().await
}

#[tokio::test]
async fn a_browser_goes_to_the_provider_and_back_to_the_program() {
    let gateway = service().await;
    let there = gateway.get(ASK, "").await;
    assert_eq!((there.status, there.header("location")), (307, Some("http://idp/authorize?x=1")));
    let back = gateway.get("/api/auth/authorize/complete?code=c&state=s", "").await;
    assert_eq!((back.status, back.header("location")), (307, Some("http://web/cb?code=c&state=s")));
    let denied = gateway.get("/api/auth/authorize/complete?error=access_denied&state=s", "").await;
    assert_eq!(denied.header("location"), Some("http://web/cb?code=&state=saccess_denied"));
    assert_eq!(gateway.get("/api/auth/authorize/complete?state=s", "").await.status, 422);
}

#[tokio::test]
async fn a_question_that_is_none_is_told_apart_piece_by_piece() {
    let gateway = service().await;
    let wrong = gateway.get(&ASK.replace("=code&", "=token&").replace("&state=s", ""), "").await;
    let expected = json!({ "detail": [
        { "type": "literal_error", "loc": ["query", "response_type"], "msg": "Input should be 'code'",
          "input": "token", "ctx": { "expected": "'code'" } },
        { "type": "missing", "loc": ["query", "state"], "msg": "Field required", "input": null },
    ] });
    assert_eq!((wrong.status, wrong.json()), (422, expected));
}

#[tokio::test]
async fn refresh_tokens_have_the_form_of_diracx_and_all_pages_are_read() {
    let gateway = service().await;
    assert_eq!(gateway.get("/api/auth/refresh-tokens", "").await.status, 401);
    let answer = gateway.get("/api/auth/refresh-tokens", &gateway.alice()).await;
    let token = |jti: &str| json!({ "JTI": jti, "Status": 2, "Scope": "vo:alpha", "Sub": "alpha:1" });
    assert_eq!((answer.status, answer.json()), (200, json!([token("1"), token("2")])));
}

#[tokio::test]
async fn a_refresh_token_is_revoked_by_its_id() {
    let gateway = service().await;
    let path = "/api/auth/refresh-tokens/good";
    assert_eq!(gateway.send("DELETE", path, "", b"").await.status, 401);
    let done = gateway.send("DELETE", path, &gateway.alice(), b"").await;
    assert_eq!((done.status, done.json()), (200, json!("Refresh token revoked")));
    let unknown = gateway.send("DELETE", "/api/auth/refresh-tokens/5", &gateway.alice(), b"").await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "detail": "Token 5 not found" })));
    assert_eq!(gateway.get(path, &gateway.alice()).await.header("allow"), Some("DELETE"));
}

#[tokio::test]
async fn a_dirac_server_exchanges_its_key_for_tokens() {
    let gateway = service().await;
    let path = "/api/auth/legacy-exchange?preferred_username=alice&scope=vo:alpha";
    let ask = async |query: &str, key: &str| {
        gateway.get(&format!("{path}{query}"), &format!("Authorization: {key}\r\n")).await
    };
    let tokens = ask("&expires_minutes=2", "good").await;
    let expected = json!({ "access_token": "a", "expires_in": 1200, "token_type": "Bearer", "refresh_token": "Some(120)" });
    assert_eq!((tokens.status, tokens.json()), (200, expected));
    assert_eq!(ask("", "good").await.json()["refresh_token"], "None");

    let off = ask("", "off").await;
    assert_eq!((off.status, off.json()), (503, json!({ "detail": "Legacy exchange is not enabled" })));
    let wrong = ask("", "wrong").await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, Some("Bearer")));
    let missing = gateway.get("/api/auth/legacy-exchange?scope=x&expires_minutes=soon", "").await;
    let problems = missing.json();
    let places: Vec<_> =
        problems["detail"].as_array().unwrap().iter().map(|problem| &problem["loc"]).collect();
    assert_eq!(missing.status, 422);
    assert_eq!(
        places,
        [
            &json!(["query", "preferred_username"]),
            &json!(["query", "expires_minutes"]),
            &json!(["header", "authorization"])
        ]
    );
}
