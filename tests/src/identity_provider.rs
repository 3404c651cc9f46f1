//! An OpenID provider for the tests: approves at once, or fails in the way it is asked to.
//!
//! Who logs in, and how it goes wrong, stands in the query of `/authorize`: `sub` is the subject, `mode` one of
//! `ok`, `badcode`, `servererror`, `wrongaud` and `expired`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, anyhow};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

use crate::{
    http::form,
    tokens::{data, encode, now},
};

/// Who logs in when nobody is named: alice.
const SUBJECT: &str = "11111111-aaaa-4aaa-8aaa-000000000001";

type Fields = HashMap<String, String>;

/// A running provider; it stops when this value goes.
pub struct IdentityProvider {
    /// Where it listens.
    pub base: String,
    task: JoinHandle<()>,
}

struct Provider {
    base: String,
    key: RsaKeyPair,
    key_id: String,
    /// What each code that was handed out was asked for with.
    codes: Mutex<HashMap<String, Fields>>,
}

impl IdentityProvider {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// If there is no free port, or its key cannot be read.
    pub async fn start() -> Result<Self> {
        let key = std::fs::read(data("identity-provider-key.pk8"))?;
        let key = RsaKeyPair::from_pkcs8(&key).map_err(|why| anyhow!("not a key: {why}"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let key_id = Uuid::new_v4().simple().to_string();
        let provider = Arc::new(Provider { base: base.clone(), key, key_id, codes: Mutex::default() });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider);
        let task = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { base, task })
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let base = &provider.base;
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let public: PublicKeyComponents<Vec<u8>> = PublicKeyComponents::from(provider.key.public_key());
    Json(json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": provider.key_id,
        "n": B64.encode(public.n), "e": B64.encode(public.e),
    }]}))
}

async fn authorize(State(provider): State<Arc<Provider>>, Query(asked): Query<Fields>) -> Response {
    let needed =
        ["redirect_uri", "state", "client_id", "code_challenge", "response_type", "code_challenge_method"];
    if needed.iter().any(|name| !asked.contains_key(*name)) {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let code = Uuid::new_v4().simple().to_string();
    let query = form([("code", code.as_str()), ("state", asked["state"].as_str())]);
    let back = format!("{}?{query}", asked["redirect_uri"]);
    provider.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(code, asked);
    (StatusCode::FOUND, [(LOCATION, back)]).into_response()
}

async fn token(State(provider): State<Arc<Provider>>, Form(given): Form<Fields>) -> Response {
    let field = |name: &str| given.get(name).map_or("", String::as_str);
    let asked = provider.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(field("code"));
    let Some(asked) = asked else { return refuse(StatusCode::BAD_REQUEST, "invalid_grant") };
    let mode = asked.get("mode").map_or("ok", String::as_str);
    if mode == "servererror" {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    }
    let challenge = B64.encode(Sha256::digest(field("code_verifier")));
    if mode == "badcode"
        || field("client_id") != asked["client_id"]
        || field("redirect_uri") != asked["redirect_uri"]
        || challenge != asked["code_challenge"]
    {
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    let subject = asked.get("sub").map_or(SUBJECT, String::as_str);
    let (issued, expires) =
        if mode == "expired" { (now() - 7200, now() - 3600) } else { (now(), now() + 600) };
    let audience = if mode == "wrongaud" { "somebody-else" } else { asked["client_id"].as_str() };
    let claims = json!({
        "iss": provider.base, "sub": subject, "aud": audience, "iat": issued, "exp": expires,
        "preferred_username": format!("idp-{}", subject.get(subject.len().saturating_sub(4)..).unwrap_or(subject)),
    });
    let Some(id_token) = provider.sign(&claims) else {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    };
    let access_token = Uuid::new_v4().simple().to_string();
    Json(json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 600, "id_token": id_token}))
        .into_response()
}

impl Provider {
    fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({"alg": "RS256", "kid": self.key_id, "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", B64.encode(signature)))
    }
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::send;

    async fn log_in(provider: &IdentityProvider, more: &str) -> crate::http::Answer {
        let challenge = B64.encode(Sha256::digest("verifier"));
        let url = format!(
            "{}/authorize?response_type=code&redirect_uri=http://x/&state=s&client_id=c&code_challenge_method=S256\
             &code_challenge={challenge}{more}",
            provider.base
        );
        let back = send("GET", &url, &[], None).await.unwrap().header("location").unwrap();
        let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let body = form([
            ("code", code.as_str()),
            ("client_id", "c"),
            ("redirect_uri", "http://x/"),
            ("code_verifier", "verifier"),
        ]);
        let kind = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        send("POST", &format!("{}/token", provider.base), &kind, Some(body.into_bytes())).await.unwrap()
    }

    #[tokio::test]
    async fn a_code_is_worth_one_token_of_whoever_was_named() {
        let provider = IdentityProvider::start().await.unwrap();
        let answer = log_in(&provider, "&sub=bob-0002").await;
        let token = answer.json().unwrap()["id_token"].as_str().unwrap().to_owned();
        let claims: Value =
            serde_json::from_slice(&B64.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!("bob-0002"), &json!("c")));
    }

    #[tokio::test]
    async fn it_fails_as_it_is_asked_to() {
        let provider = IdentityProvider::start().await.unwrap();
        for (mode, status) in [("ok", 200), ("badcode", 400), ("servererror", 500), ("expired", 200)] {
            assert_eq!(log_in(&provider, &format!("&mode={mode}")).await.status, status, "{mode}");
        }
    }
}
