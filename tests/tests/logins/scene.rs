//! A standalone whose people log in at a real OpenID provider.
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use diracx_tests::{
    http::{Answer, form, send},
    mesh::{Mesh, free_port},
    openid_provider::OpenIdProvider,
    tools,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const CLIENT: &str = "myDIRACClientID";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Where web programs get their codes.
pub(crate) const REDIRECT: &str = "http://diracx.test.invalid:8000/api/docs/oauth2-redirect";
/// The secret of their PKCE.
pub(crate) const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";

/// Provider and standalone.
pub(crate) struct Scene {
    pub(crate) provider: OpenIdProvider,
    pub(crate) mesh: Mesh,
}

/// A device login that has begun.
pub(crate) struct Begun {
    /// What the person opens.
    pub(crate) address: String,
    device_code: String,
}

impl Scene {
    /// Nothing where there is no provider, and the test is to be skipped.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let modules = tools::openid_provider()?;
        let port = free_port().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let provider = OpenIdProvider::start(&modules, &base).await.expect("a provider");
        let mesh = Mesh::start_at(port, &provider.base, settings).await.expect("a mesh");
        Some(Self { provider, mesh })
    }

    /// A program begins a device login.
    pub(crate) async fn begin(&self) -> Begun {
        let query = form([("client_id", CLIENT), ("scope", "vo:alpha")]);
        let answer = send("POST", &format!("{}/api/auth/device?{query}", self.mesh.base), &[], None).await;
        let flow = answer.unwrap().json().expect("a login");
        let text =
            |name: &str| flow[name].as_str().unwrap_or_else(|| panic!("no {name} in {flow}")).to_owned();
        Begun { address: text("verification_uri_complete"), device_code: text("device_code") }
    }

    /// The program asks whether the person is done.
    pub(crate) async fn poll(&self, login: &Begun) -> Answer {
        let fields =
            [("grant_type", DEVICE_CODE), ("device_code", &login.device_code), ("client_id", CLIENT)];
        self.token(&fields).await
    }

    /// The program asks until it hears something else than to wait.
    pub(crate) async fn poll_until_over(&self, login: &Begun) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.poll(login).await;
            if !answer.text.contains("authorization_pending") || Instant::now() > deadline {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Where a web program sends the browser.
    pub(crate) fn authorize(&self, state: &str) -> String {
        let query = form([
            ("response_type", "code"),
            ("code_challenge", &B64.encode(Sha256::digest(VERIFIER))),
            ("code_challenge_method", "S256"),
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("scope", "vo:alpha group:alpha_user"),
            ("state", state),
        ]);
        format!("{}/api/auth/authorize?{query}", self.mesh.base)
    }

    /// The web program asks for its tokens.
    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
            ("client_id", CLIENT),
        ])
        .await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let kind = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        let body = form(fields.iter().copied()).into_bytes();
        send("POST", &format!("{}/api/auth/token", self.mesh.base), &kind, Some(body)).await.unwrap()
    }

    /// Whose tokens these are.
    pub(crate) async fn who(&self, tokens: &Value) -> Value {
        let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token in {tokens}"));
        let headers = [("Authorization".to_owned(), format!("Bearer {token}"))];
        let answer = send("GET", &format!("{}/api/auth/userinfo", self.mesh.base), &headers, None).await;
        answer.unwrap().json().expect("somebody")
    }
}
