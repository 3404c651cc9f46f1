//! An identity provider that does as a test tells it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diracx_core::Clock;
use diracx_testkit::MockClock;
use reqwest::Url;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

/// What the provider knows of everybody.
pub(crate) const EMAIL: &str = "somebody@private.invalid";

/// How the provider behaves after somebody has approved a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Good,
    BadCode,
    ServerError,
    WrongAudience,
    WrongIssuer,
    Expired,
    Nested(usize),
    FromTheFuture,
    OtherKey,
    NoAlgorithm,
    NoIdToken,
    NoJson,
    Huge,
    Slow,
}

/// A provider on a port of its own.
#[derive(Clone)]
pub(crate) struct TestIdp {
    pub(crate) base: String,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    base: String,
    clock: MockClock,
    key: SigningKey,
    codes: HashMap<String, Approval>,
    down: bool,
    discovered: Value,
    discoveries: usize,
    key_fetches: usize,
    /// Verifiers that were shown, and ID tokens that were given: what nobody should find anywhere.
    secrets: Vec<String>,
}

struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
}

struct Approval {
    query: HashMap<String, String>,
    subject: String,
    mode: Mode,
}

/// What the browser brings back.
pub(crate) struct Visit {
    pub(crate) code: String,
    pub(crate) state: String,
}

impl SigningKey {
    fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { kid: kid.to_owned(), pair }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        })
    }

    fn sign(&self, alg: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": alg, "kid": self.kid})), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl TestIdp {
    pub(crate) async fn start(clock: MockClock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            base: base.clone(),
            clock,
            key: SigningKey::new("first"),
            codes: HashMap::new(),
            down: false,
            discovered: json!({}),
            discoveries: 0,
            key_fetches: 0,
            secrets: Vec::new(),
        };
        let idp = Self { base, inner: Arc::new(Mutex::new(inner)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(idp.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        idp
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The person logs in at the address the browser was sent to.
    pub(crate) fn approve(&self, authorization_url: &str, subject: &str, mode: Mode) -> Visit {
        let url = Url::parse(authorization_url).unwrap();
        assert_eq!(url.path(), "/authorize");
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["scope"], "openid profile");
        let mut inner = self.inner();
        let code = format!("code {}&{subject}", inner.codes.len());
        let state = query["state"].clone();
        inner.codes.insert(code.clone(), Approval { query, subject: subject.to_owned(), mode });
        Visit { code, state }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.inner().down = down;
    }

    /// The discovery document says something else from now on.
    pub(crate) fn announce(&self, members: Value) {
        self.inner().discovered = members;
    }

    /// The provider changes its key; the new one may go by the old id.
    pub(crate) fn change_key(&self, kid: &str) {
        self.inner().key = SigningKey::new(kid);
    }

    /// The verifiers and ID tokens that went to and fro.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.inner().secrets.clone()
    }

    /// How often discovery and keys were asked for.
    pub(crate) fn fetches(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.discoveries, inner.key_fetches)
    }
}

async fn discovery(State(idp): State<TestIdp>) -> Response {
    let mut inner = idp.inner();
    inner.discoveries += 1;
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let base = &inner.base;
    let mut document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"),
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    for (name, value) in inner.discovered.as_object().unwrap() {
        document[name] = value.clone();
    }
    Json(document).into_response()
}

async fn jwks(State(idp): State<TestIdp>) -> Json<Value> {
    let mut inner = idp.inner();
    inner.key_fetches += 1;
    Json(json!({"keys": [inner.key.jwk()]}))
}

async fn token(State(idp): State<TestIdp>, Form(form): Form<HashMap<String, String>>) -> Response {
    let refused = (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    let approval = idp.inner().codes.remove(&form["code"]);
    let Some(approval) = approval else { return refused.into_response() };
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
    let query = &approval.query;
    let right = form["grant_type"] == "authorization_code"
        && form["client_id"] == query["client_id"]
        && form["redirect_uri"] == query["redirect_uri"]
        && challenge == query["code_challenge"];
    if !right || approval.mode == Mode::BadCode {
        return refused.into_response();
    }
    if approval.mode == Mode::Slow {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let mut inner = idp.inner();
    let now = inner.clock.now().timestamp();
    let mut claims = json!({
        "iss": inner.base, "sub": approval.subject, "aud": query["client_id"], "iat": now, "exp": now + 600,
        "email": EMAIL,
    });
    match approval.mode {
        Mode::ServerError => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mode::NoJson => return "<html>".into_response(),
        Mode::Huge => return " ".repeat(2 << 20).into_response(),
        Mode::NoIdToken => return Json(json!({"access_token": "x"})).into_response(),
        Mode::WrongAudience => claims["aud"] = json!("somebody-else"),
        Mode::WrongIssuer => claims["iss"] = json!("https://elsewhere.invalid"),
        Mode::Expired => claims["exp"] = json!(now),
        Mode::Nested(levels) => claims["deep"] = (0..levels).fold(json!(1), |inner, _| json!([inner])),
        Mode::FromTheFuture => claims["iat"] = json!(now + 3600),
        Mode::Good | Mode::BadCode | Mode::OtherKey | Mode::NoAlgorithm | Mode::Slow => {}
    }
    let id_token = match approval.mode {
        Mode::OtherKey => SigningKey::new("first").sign("ES256", &claims),
        Mode::NoAlgorithm => inner.key.sign("none", &claims),
        _ => inner.key.sign("ES256", &claims),
    };
    inner.secrets.extend([form["code_verifier"].clone(), id_token.clone()]);
    Json(json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token})).into_response()
}
