//! The settings of tokens: whose are believed, and with which keys our own are signed.
//!
//! The auth service has the key store ([`TokenArgs`]). Others need none ([`TrustArgs`]): they fetch the published
//! keys from the auth service, and prove who they are with a key of their own ([`ComponentArgs`]).

use std::sync::Arc;

use diracx_core::Clock;

use super::{Environment, Problems, Resolve, Secret};
use crate::token::{
    ASSERTION_ALGORITHMS, Algorithm, DEFAULT_ALGORITHMS, FetchJwks, JwksSource, KeySource, KeyStore, Keyring,
    TokenMinter, TokenVerifier,
};

const KEYSTORE: &str = "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE";
const ISSUER: &str = "DIRACX_SERVICE_AUTH_TOKEN_ISSUER";
const ALGORITHMS: &str = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS";
const COMPONENT_KEY: &str = "DIRACX_COMPONENT_KEY";

/// What the key store is to the auth service.
const KEYSTORE_HELP: &str =
    "The key store: a JWK set with private keys, as a path, a file:// URL, or inline JSON. Required";

/// Whose tokens are believed, and with which keys our own are signed: [`TrustArgs`] with a key store.
#[derive(Debug, Clone, clap::Args)]
#[command(mut_arg("token_keystore", |keystore| keystore.help(KEYSTORE_HELP)))]
pub struct TokenArgs {
    #[command(flatten)]
    trust: TrustArgs,
}

/// See [`TokenArgs`].
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// The keys.
    pub keys: Keyring,
    /// The issuer.
    pub issuer: String,
    /// The algorithms.
    pub algorithms: Vec<Algorithm>,
}

impl TokenSettings {
    /// Keys, an issuer, and the algorithms allowed by default.
    pub fn new(keys: impl Into<Keyring>, issuer: impl Into<String>) -> Self {
        Self { keys: keys.into(), issuer: issuer.into(), algorithms: DEFAULT_ALGORITHMS.to_vec() }
    }

    /// A verifier that uses the key store.
    pub fn verifier(&self, clock: Arc<dyn Clock>) -> TokenVerifier {
        self.verifier_with(self.keys.clone(), clock)
    }

    /// A verifier that uses other keys, such as those that the auth service publishes.
    pub fn verifier_with(&self, keys: impl Into<KeySource>, clock: Arc<dyn Clock>) -> TokenVerifier {
        TokenVerifier::new(self.issuer.clone(), self.algorithms.clone(), keys, clock)
    }

    /// A minter that uses the key store.
    pub fn minter(&self, clock: Arc<dyn Clock>) -> Result<TokenMinter, crate::token::KeyStoreError> {
        TokenMinter::new(self.keys.clone(), &self.issuer, &self.algorithms, clock)
    }
}

impl Resolve for TokenArgs {
    type Settings = TokenSettings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<TokenSettings> {
        if !self.trust.has_keystore() {
            problems.note(KEYSTORE, "is required");
        }
        let TrustSettings { keys, issuer, algorithms } = self.trust.resolve(environment, problems)?;
        Some(TokenSettings { keys: keys?, issuer, algorithms })
    }
}

/// Whose tokens are believed, by a process that needs no key store.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Tokens")]
pub struct TrustArgs {
    /// The key store, if this process shares it: a JWK set with private keys, as a path, a file:// URL, or inline
    /// JSON. Without it the auth service is asked for its public keys.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", hide_env_values = true, value_name = "JWKS")]
    pub token_keystore: Option<Secret>,
    /// The issuer that tokens name, compared letter by letter. Required.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_TOKEN_ISSUER", value_name = "URL")]
    pub token_issuer: Option<String>,
    /// The signature algorithms that are allowed, as a JSON list of Ed25519, RS256, ES256.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS",
        default_value = r#"["RS256","Ed25519"]"#,
        value_name = "JSON"
    )]
    pub token_allowed_algorithms: String,
}

/// See [`TrustArgs`].
#[derive(Debug, Clone)]
pub struct TrustSettings {
    /// The key store, if there is one.
    pub keys: Option<Keyring>,
    /// The issuer.
    pub issuer: String,
    /// The algorithms.
    pub algorithms: Vec<Algorithm>,
}

impl TrustSettings {
    /// A verifier that uses the key store, or else the keys that `published` fetches from the auth service.
    pub fn verifier(&self, published: FetchJwks, clock: Arc<dyn Clock>) -> TokenVerifier {
        let keys = match &self.keys {
            Some(keys) => KeySource::Store(keys.clone()),
            None => JwksSource::new(published, clock.clone()).into(),
        };
        TokenVerifier::new(self.issuer.clone(), self.algorithms.clone(), keys, clock)
    }
}

impl TrustArgs {
    fn has_keystore(&self) -> bool {
        self.token_keystore.as_ref().is_some_and(|keystore| !keystore.expose().trim().is_empty())
    }
}

impl Resolve for TrustArgs {
    type Settings = TrustSettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<TrustSettings> {
        let keystore = if self.has_keystore() { self.token_keystore } else { None };
        // without algorithms nothing can be said about keys but whether they can be read
        let readable = match keystore {
            None => Some(None),
            Some(keystore) => {
                problems.check(KEYSTORE, KeyStore::load(keystore.expose())).map(|_| Some(keystore))
            }
        };
        let issuer = self.token_issuer.filter(|issuer| !issuer.is_empty());
        let issuer = problems.required(ISSUER, issuer);
        let names: Option<Vec<String>> = problems.json(ALGORITHMS, &self.token_allowed_algorithms);
        let algorithms = names.and_then(|names| {
            let parsed: Vec<_> = names.iter().map(|name| problems.parse(ALGORITHMS, name)).collect();
            parsed.into_iter().collect::<Option<Vec<Algorithm>>>()
        });
        let (keystore, algorithms) = (readable?, algorithms?);
        let keys = match keystore {
            None => None,
            Some(keystore) => Some(problems.check(KEYSTORE, Keyring::open(keystore.expose(), &algorithms))?),
        };
        Some(TrustSettings { keys, issuer: issuer?, algorithms })
    }
}

/// With which key a component proves who it is to the auth service.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Tokens")]
pub struct ComponentArgs {
    /// The private key with which this process proves who it is to the auth service: a JWK set, as a path, a
    /// file:// URL, or inline JSON. `diracx-auth rotate-key` makes one; its public part belongs into
    /// DIRACX_SERVICE_AUTH_COMPONENT_KEYS of the auth service. Required without the key store.
    #[arg(long, env = "DIRACX_COMPONENT_KEY", hide_env_values = true, value_name = "JWKS")]
    pub component_key: Option<Secret>,
}

impl ComponentArgs {
    /// The key, if it is given; the outer option is whether all is well. `trust` tells whether it is needed.
    pub fn resolve(self, trust: Option<&TrustSettings>, problems: &mut Problems) -> Option<Option<Keyring>> {
        match self.component_key.filter(|key| !key.expose().trim().is_empty()) {
            Some(key) => {
                problems.check(COMPONENT_KEY, Keyring::open(key.expose(), &ASSERTION_ALGORITHMS)).map(Some)
            }
            None if trust.is_some_and(|trust| trust.keys.is_none()) => {
                problems.note(COMPONENT_KEY, format_args!("is required without {KEYSTORE}"));
                None
            }
            None => Some(None),
        }
    }
}
