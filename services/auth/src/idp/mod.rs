//! The identity providers of the VOs: where a browser logs in, and what it proves when it comes back.
//!
//! DIRAC is a public client of each of them: no secret, PKCE instead. What goes wrong there is never our
//! fault, and is told apart: a provider that is down, one that refuses, and one whose word proves nothing.

mod error;
mod id_token;
mod keys;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use diracx_core::{Clock, config::IdP};
use moka::future::Cache;
use serde::{Deserialize, de::DeserializeOwned};

pub use error::{Cause, IdpError};
pub(crate) use id_token::Claims;
use id_token::{Expected, Unverified};
use keys::Keys;

/// How long a discovery document and the keys of a provider are believed.
const CACHED_FOR: Duration = Duration::from_secs(3600);
/// Providers known at a time.
const MOST_PROVIDERS: u64 = 1024;
/// How long a provider may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);
/// As long as an answer may be.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// As much of a wrong issuer as goes into the log.
const MAX_ISSUER: usize = 200;

/// The discovery document of a provider, as far as we need it.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default = "rs256")]
    id_token_signing_alg_values_supported: Vec<String>,
    /// Whether it tells with every answer who it is (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// The member that should be a web address and is none: browsers are sent there, and so are our requests.
    fn bad_address(&self) -> Option<&'static str> {
        let members = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("jwks_uri", &self.jwks_uri),
        ];
        members.into_iter().find(|(_, address)| !is_web_address(address)).map(|(member, _)| member)
    }
}

/// Absolute, with a host, and without anything that could end a header or be read in two ways.
fn is_web_address(text: &str) -> bool {
    // what reads addresses forgives much, such as line breaks and blanks
    let clean = text.bytes().all(|byte| byte.is_ascii_graphic());
    let url = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    clean && url.is_some_and(|url| url.has_host())
}

fn rs256() -> Vec<String> {
    vec!["RS256".to_owned()]
}

#[derive(Deserialize)]
struct TokenResponse {
    id_token: Option<String>,
}

/// What the browser takes along to the provider.
pub(crate) struct LoginRequest<'a> {
    pub(crate) callback_url: &'a str,
    pub(crate) code_challenge: &'a str,
    pub(crate) state: &'a str,
}

/// What the browser brings back from the provider.
pub(crate) struct LoginAnswer<'a> {
    pub(crate) code: &'a str,
    pub(crate) code_verifier: &'a str,
    pub(crate) callback_url: &'a str,
}

/// Talks to identity providers. Cheap to clone.
#[derive(Clone)]
pub struct IdentityProviders {
    clock: Arc<dyn Clock>,
    /// Made when first needed: reading the root certificates takes a while.
    http: Arc<OnceLock<reqwest::Client>>,
    metadata: Cache<String, Arc<Metadata>>,
    keys: Cache<String, Arc<Keys>>,
}

impl IdentityProviders {
    /// Knows no provider yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        fn cache<T: Send + Sync + 'static>() -> Cache<String, Arc<T>> {
            Cache::builder().max_capacity(MOST_PROVIDERS).time_to_live(CACHED_FOR).build()
        }
        Self { clock, http: Arc::default(), metadata: cache(), keys: cache() }
    }

    /// Where the browser logs in.
    pub(crate) async fn authorization_url(
        &self,
        idp: &IdP,
        login: &LoginRequest<'_>,
    ) -> Result<String, Arc<IdpError>> {
        let metadata = self.metadata(idp).await?;
        let endpoint = &metadata.authorization_endpoint;
        Ok(format!(
            "{endpoint}{}response_type=code&code_challenge={}&code_challenge_method=S256&client_id={}\
             &redirect_uri={}&scope=openid%20profile&state={}",
            if endpoint.contains('?') { '&' } else { '?' },
            in_query(login.code_challenge),
            in_query(&idp.client_id),
            in_query(login.callback_url),
            in_query(login.state),
        ))
    }

    /// Whether the browser comes back from this provider, as far as it says: `issuer` is what it brings along, or
    /// empty. A provider that announces to say it must.
    pub(crate) async fn check_answer(&self, idp: &IdP, issuer: &str) -> Result<(), Arc<IdpError>> {
        let metadata = self.metadata(idp).await?;
        if issuer.is_empty() && metadata.authorization_response_iss_parameter_supported {
            return Err(IdpError::MixedUp("it does not say who it is").into());
        }
        if !issuer.is_empty() && issuer != metadata.issuer {
            return Err(IdpError::MixedUp("it is from another issuer").into());
        }
        Ok(())
    }

    /// Gives the code to the provider, and tells what its ID token says.
    pub(crate) async fn finish_login(
        &self,
        idp: &IdP,
        answer: &LoginAnswer<'_>,
    ) -> Result<Claims, Arc<IdpError>> {
        let metadata = self.metadata(idp).await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &idp.client_id),
            ("code", answer.code),
            ("code_verifier", answer.code_verifier),
            ("redirect_uri", answer.callback_url),
        ];
        let request = self.http().map_err(IdpError::Failed)?.post(&metadata.token_endpoint).form(&form);
        let response = match self.json::<TokenResponse>(request, "token response").await {
            Ok(response) => response,
            Err(cause @ Cause::Status { status: 400..=499, .. }) => {
                return Err(IdpError::CodeRefused(cause).into());
            }
            Err(cause) => return Err(IdpError::Failed(cause).into()),
        };
        let token = response.id_token.ok_or(IdpError::IdToken("the provider sent none"))?;
        let token = Unverified::parse(&token)?;
        if !self.is_genuine(&token, &metadata.jwks_uri).await? {
            return Err(IdpError::IdToken("its signature is not the provider's").into());
        }
        let expected = Expected {
            issuer: &metadata.issuer,
            client_id: &idp.client_id,
            algorithms: &metadata.id_token_signing_alg_values_supported,
            now: self.clock.now(),
        };
        Ok(token.claims(&expected)?)
    }

    /// Whether the provider signed it. Keys that do not fit are fetched anew, once: providers change them.
    async fn is_genuine(&self, token: &Unverified<'_>, jwks_uri: &str) -> Result<bool, Arc<IdpError>> {
        if let Some(keys) = self.keys.get(jwks_uri).await {
            if token.is_signed_by(&keys) {
                return Ok(true);
            }
            self.keys.invalidate(jwks_uri).await;
        }
        let keys = self
            .keys
            .try_get_with(jwks_uri.to_owned(), async {
                let request = self.http().map_err(IdpError::Failed)?.get(jwks_uri);
                self.json(request, "JWK set").await.map(Arc::new).map_err(IdpError::Failed)
            })
            .await?;
        Ok(token.is_signed_by(&keys))
    }

    async fn metadata(&self, idp: &IdP) -> Result<Arc<Metadata>, Arc<IdpError>> {
        // as OpenID Connect Discovery has it: without the slash that the issuer may end with
        let url = format!("{}/.well-known/openid-configuration", idp.url.trim_end_matches('/'));
        self.metadata
            .try_get_with(url.clone(), async {
                let request = self.http().map_err(IdpError::Metadata)?.get(&url);
                let metadata = self.json::<Metadata>(request, "discovery document").await;
                let metadata = metadata.map_err(IdpError::Metadata)?;
                if !is_same_issuer(&metadata.issuer, &idp.url) {
                    let issuer = metadata.issuer.chars().take(MAX_ISSUER).collect();
                    return Err(IdpError::OtherIssuer(Cause::Issuer { url: idp.url.clone(), issuer }));
                }
                if let Some(member) = metadata.bad_address() {
                    return Err(IdpError::Metadata(Cause::Address { url: url.clone(), member }));
                }
                Ok(Arc::new(metadata))
            })
            .await
    }

    async fn json<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        expected: &'static str,
    ) -> Result<T, Cause> {
        let mut response = request.header("accept", "application/json").send().await?;
        let url = response.url().to_string();
        if !response.status().is_success() {
            return Err(Cause::Status { url, status: response.status().as_u16() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Cause::TooLarge { url, limit: MAX_BODY_BYTES });
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| Cause::Nonsense { url, expected })
    }

    fn http(&self) -> Result<&reqwest::Client, Cause> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        // whoever installs a provider first wins, and all of ours are the same
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("diracx/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(self.http.get_or_init(|| client))
    }
}

/// OpenID Connect wants them equal. The slash at the end is forgiven: it is written in configurations by habit.
fn is_same_issuer(issuer: &str, configured: &str) -> bool {
    let (issuer, configured) = (issuer.strip_suffix('/').unwrap_or(issuer), configured.trim_end_matches('/'));
    issuer == configured
}

/// A value for a query. What a URL consists of stays readable, since providers compare redirect URIs and
/// people read addresses; only what would end or change the value is encoded.
fn in_query(value: &str) -> String {
    encoded(value, b"-._~:/?=@!$'()*,;[]")
}

/// A value for a query, encoded as forms are.
pub(crate) fn in_query_value(value: &str) -> String {
    encoded(value, b"-._~")
}

fn encoded(value: &str, plain: &[u8]) -> String {
    use std::fmt::Write;
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{in_query, is_same_issuer, is_web_address};

    #[test]
    fn a_web_address_is_absolute_and_on_one_line() {
        for good in ["https://idp.example/token", "http://127.0.0.1:8000/a?b=c&d=%20", "https://[::1]/"] {
            assert!(is_web_address(good), "{good}");
        }
        for bad in [
            "",
            "/token",
            "//idp.example/token",
            "idp.example",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://idp.example/",
            "https://",
            "https://idp.example/\r\nX: y",
            "https://idp.example/a b",
            "https://idp.example/\u{e9}",
            " https://idp.example/",
            "https://idp.example/\n",
        ] {
            assert!(!is_web_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_provider_is_the_one_configured_but_for_a_slash_at_the_end() {
        for (issuer, configured, same) in [
            ("https://idp.example", "https://idp.example", true),
            ("https://idp.example/", "https://idp.example", true),
            ("https://idp.example", "https://idp.example/", true),
            ("https://idp.example/realms/a", "https://idp.example/realms/a/", true),
            ("https://idp.example/realms/b", "https://idp.example/realms/a", false),
            ("https://idp.example.evil", "https://idp.example", false),
            ("http://idp.example", "https://idp.example", false),
            ("", "https://idp.example", false),
        ] {
            assert_eq!(is_same_issuer(issuer, configured), same, "{issuer} {configured}");
        }
    }

    #[test]
    fn an_ordinary_url_stays_as_it_is_and_nothing_leaks_into_the_query() {
        assert_eq!(in_query("http://127.0.0.1:8000/api/auth"), "http://127.0.0.1:8000/api/auth");
        assert_eq!(in_query("a&state=b#c d+e%2F"), "a%26state=b%23c%20d%2Be%252F");
        assert_eq!(in_query("é"), "%C3%A9");
    }
}
