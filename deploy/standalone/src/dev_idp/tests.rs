//! A login from end to end, and everything that is refused.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use diracx_client::ConfigFollower;
use diracx_core::{SystemClock, config::Config};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::*;

const ISSUER: &str = "http://127.0.0.1:8000/dev-idp";
const CALLBACK: &str = "http://127.0.0.1:8000/api/auth/device/complete";
const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-everybody";

struct Idp {
    router: Router,
}

impl Idp {
    fn start() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = diracx_config::yaml::parse(&crate::dev_config::new(ISSUER)).unwrap();
        let config = ConfigFollower::fixed(Config::from_value(config).unwrap());
        let people = People::new(config, ISSUER.to_owned());
        let router = DevIdp::new(ISSUER.to_owned(), people, clock).unwrap().router();
        Self { router }
    }

    async fn get(&self, path: &str, headers: &[(header::HeaderName, &str)]) -> Response<Body> {
        let mut request = Request::get(format!("{PATH}{path}"));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The code that alice brings back to DiracX.
    async fn code(&self) -> String {
        let answer = self.get(&format!("{}&login_hint=alice", authorize_path()), &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let location = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
        let (callback, query) = location.split_once('?').unwrap();
        assert_eq!(callback, CALLBACK);
        let (code, state) = query.strip_prefix("code=").unwrap().split_once("&state=").unwrap();
        assert_eq!(state, "gAAA%3D%3D", "the state comes back as it was");
        code.to_owned()
    }

    async fn redeem(&self, code: &str, change: (&str, &str)) -> (StatusCode, Value) {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "diracx-dev"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", CALLBACK),
        ];
        for (name, value) in &mut form {
            if *name == change.0 {
                *value = change.1;
            }
        }
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", page::percent_encoded(value))).collect();
        let request = Request::post(format!("{PATH}/token"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.join("&")))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        (answer.status(), serde_json::from_str(&text(answer).await).unwrap())
    }
}

async fn text(answer: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The request that DiracX sends browsers with, every time the same.
fn authorize_path() -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    format!(
        "/authorize?response_type=code&code_challenge={challenge}&code_challenge_method=S256\
         &client_id=diracx-dev&redirect_uri={CALLBACK}&scope=openid%20profile&state=gAAA%3D%3D"
    )
}

#[tokio::test]
async fn discovery_names_everything_below_the_issuer() {
    let idp = Idp::start();
    let discovery = text(idp.get("/.well-known/openid-configuration", &[]).await).await;
    let discovery: Value = serde_json::from_str(&discovery).unwrap();
    assert_eq!(discovery["issuer"], ISSUER);
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        assert!(discovery[endpoint].as_str().unwrap().starts_with(ISSUER), "{endpoint}");
    }
}

#[tokio::test]
async fn a_person_chooses_a_name_on_a_page() {
    let idp = Idp::start();
    let answer = idp.get(&authorize_path(), &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = text(answer).await;
    for name in ["alice", "bob", "carol"] {
        assert!(page.contains(&format!("<button name=\"login_hint\" value=\"{name}\">{name}</button>")));
    }
    assert!(page.contains("name=\"state\" value=\"gAAA==\""), "the page asks the same again: {page}");
}

#[tokio::test]
async fn a_code_becomes_an_id_token_that_the_published_key_signed() {
    let idp = Idp::start();
    let (status, tokens) = idp.redeem(&idp.code().await, ("", "")).await;
    assert_eq!(status, StatusCode::OK);

    let keys = KeyStore::parse(&text(idp.get("/jwks", &[]).await).await).unwrap();
    let payload = keys.verify(tokens["id_token"].as_str().unwrap(), &DEFAULT_ALGORITHMS).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&Value::from(ISSUER), &Value::from("diracx-dev")));
    assert_eq!(
        (&claims["sub"], &claims["preferred_username"]),
        (&Value::from("alice"), &Value::from("alice"))
    );
    assert!(claims["exp"].as_i64().unwrap() > claims["iat"].as_i64().unwrap());
}

#[tokio::test]
async fn a_code_is_good_once_and_only_for_its_own_login() {
    let idp = Idp::start();
    let code = idp.code().await;
    assert_eq!(idp.redeem(&code, ("", "")).await.0, StatusCode::OK);
    assert_eq!(idp.redeem(&code, ("", "")).await.1["error"], "invalid_grant");
    for change in [("client_id", "other"), ("code_verifier", "wrong"), ("redirect_uri", "http://127.0.0.1/")]
    {
        let (status, answer) = idp.redeem(&idp.code().await, change).await;
        assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &Value::from("invalid_grant")));
    }
    let (_, answer) = idp.redeem(&idp.code().await, ("grant_type", "password")).await;
    assert_eq!(answer["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn a_script_names_itself_as_the_user_of_basic_authentication() {
    let idp = Idp::start();
    // "carol:"
    let answer = idp.get(&authorize_path(), &[(header::AUTHORIZATION, "Basic Y2Fyb2w6")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    // "mallory:" is nobody here
    let answer = idp.get(&authorize_path(), &[(header::AUTHORIZATION, "Basic bWFsbG9yeTo=")]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_login_that_is_not_ours_is_refused_without_sending_anybody_anywhere() {
    let idp = Idp::start();
    for (from, to) in [
        ("client_id=diracx-dev", "client_id=other"),
        ("response_type=code", "response_type=token"),
        ("S256", "plain"),
        ("redirect_uri=http://127.0.0.1:8000", "redirect_uri=http://evil.example"),
        ("scope=openid%20profile", "scope=profile"),
    ] {
        let path = authorize_path().replace(from, to) + "&login_hint=alice";
        let answer = idp.get(&path, &[]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{to}");
        assert!(!answer.headers().contains_key(header::LOCATION));
    }
    assert_eq!(idp.get("/authorize", &[]).await.status(), StatusCode::BAD_REQUEST);
}
