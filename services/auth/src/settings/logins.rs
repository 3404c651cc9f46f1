//! The rules of logins: who may begin one, how long things last, and who else is believed.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;
use diracx_core::property::SecurityProperty;
use diracx_server::settings::{Environment, Problems, Resolve, Secret};

use super::{
    retention::{FLOWS, RetentionArgs},
    values::{component_keys, is_sha256, is_uri, lifetime},
};
use crate::{
    logic::{cleaning::Retention, component::ComponentKeys},
    state::StateKey,
};

/// The rules of logins.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logins")]
pub struct AuthArgs {
    /// The client id that logins must name.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_DIRAC_CLIENT_ID",
        default_value = "myDIRACClientID",
        value_name = "ID"
    )]
    pub dirac_client_id: String,
    /// Where browsers may be sent after a login, letter by letter, as a JSON list.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS", default_value = "[]", value_name = "JSON")]
    pub allowed_redirects: String,
    /// How long a device login may take, in seconds.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_DEVICE_FLOW_EXPIRATION_SECONDS",
        default_value = "600",
        value_name = "SECONDS"
    )]
    pub device_flow_expiration_seconds: String,
    /// How long an authorization code login may take, in seconds.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_AUTHORIZATION_FLOW_EXPIRATION_SECONDS",
        default_value = "300",
        value_name = "SECONDS"
    )]
    pub authorization_flow_expiration_seconds: String,
    /// How long old rows are kept.
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// What seals the state of logins: 32 bytes in base64, as `openssl rand -base64 32` makes. Required.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_STATE_KEY", hide_env_values = true, value_name = "KEY")]
    pub state_key: Option<Secret>,
    /// How long an access token is good, in minutes.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
        default_value = "20",
        value_name = "MINUTES"
    )]
    pub access_token_expire_minutes: String,
    /// How long a session lasts, in minutes.
    #[arg(
        long,
        env = "DIRACX_SERVICE_AUTH_REFRESH_TOKEN_EXPIRE_MINUTES",
        default_value = "60",
        value_name = "MINUTES"
    )]
    pub refresh_token_expire_minutes: String,
    /// The properties that the discovery document tells, as a JSON list; all unless given.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_AVAILABLE_PROPERTIES", value_name = "JSON")]
    pub available_properties: Option<String>,
    /// The SHA-256 of the key with which DIRAC servers get tokens for their users, in hexadecimal digits; they
    /// get none unless given.
    #[arg(
        long,
        env = "DIRACX_LEGACY_EXCHANGE_HASHED_API_KEY",
        hide_env_values = true,
        value_name = "SHA256"
    )]
    pub legacy_exchange_hashed_api_key: Option<Secret>,
    /// The public keys with which components of the system prove who they are, as a JSON object with a JWK set
    /// for each, inline or as a path; components that have the key store need none.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_COMPONENT_KEYS", value_name = "JSON")]
    pub component_keys: Option<String>,
    /// Whom to tell about a vulnerability, as a URI (mailto: or https:); the support addresses of the VOs
    /// unless given.
    #[arg(long, env = "DIRACX_SERVICE_AUTH_SECURITY_CONTACT", value_name = "URI")]
    pub security_contact: Option<String>,
}

/// See [`AuthArgs`].
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// The only client there is.
    pub client_id: String,
    /// Where browsers may be sent after a login, letter by letter.
    pub allowed_redirects: Vec<String>,
    /// How long a device login may take.
    pub device_flow_lifetime: Duration,
    /// How long an authorization code login may take.
    pub authorization_flow_lifetime: Duration,
    /// How long logins are kept.
    pub completed_flow_retention: Duration,
    /// What seals the state of logins.
    pub state_key: StateKey,
    /// How long an access token is good.
    pub access_token_lifetime: Duration,
    /// How long a session lasts.
    pub refresh_token_lifetime: Duration,
    /// How long refresh tokens are kept, in months.
    pub refresh_token_retention_months: u32,
    /// The SHA-256 of the key of DIRAC servers, in lower-case hexadecimal digits; without it they get no tokens.
    pub legacy_exchange_key: Option<Secret>,
    /// With which components prove who they are.
    pub component_keys: Arc<ComponentKeys>,
    /// The properties that discovery tells. Others may be asked for all the same, if they are known.
    pub advertised_properties: Vec<SecurityProperty>,
    /// The properties that scopes may name.
    pub known_properties: BTreeSet<SecurityProperty>,
    /// Whom to tell about a vulnerability; the supports of the VOs if nobody is named.
    pub security_contact: Option<String>,
}

impl AuthSettings {
    /// What DiracX has by default.
    pub fn new(state_key: StateKey) -> Self {
        Self {
            client_id: "myDIRACClientID".to_owned(),
            allowed_redirects: Vec::new(),
            device_flow_lifetime: Duration::seconds(600),
            authorization_flow_lifetime: Duration::seconds(300),
            completed_flow_retention: Duration::minutes(60),
            state_key,
            access_token_lifetime: Duration::minutes(20),
            refresh_token_lifetime: Duration::minutes(60),
            refresh_token_retention_months: 6,
            legacy_exchange_key: None,
            component_keys: Arc::default(),
            advertised_properties: SecurityProperty::BUILT_IN.to_vec(),
            known_properties: SecurityProperty::BUILT_IN.iter().cloned().collect(),
            security_contact: None,
        }
    }

    pub(crate) fn retention(&self) -> Retention {
        Retention { flows: self.completed_flow_retention, tokens_months: self.refresh_token_retention_months }
    }
}

impl Resolve for AuthArgs {
    type Settings = AuthSettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<AuthSettings> {
        const REDIRECTS: &str = "DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS";
        const DEVICE: &str = "DIRACX_SERVICE_AUTH_DEVICE_FLOW_EXPIRATION_SECONDS";
        const AUTHORIZATION: &str = "DIRACX_SERVICE_AUTH_AUTHORIZATION_FLOW_EXPIRATION_SECONDS";
        const STATE_KEY: &str = "DIRACX_SERVICE_AUTH_STATE_KEY";
        const ACCESS: &str = "DIRACX_SERVICE_AUTH_ACCESS_TOKEN_EXPIRE_MINUTES";
        const REFRESH: &str = "DIRACX_SERVICE_AUTH_REFRESH_TOKEN_EXPIRE_MINUTES";
        const PROPERTIES: &str = "DIRACX_SERVICE_AUTH_AVAILABLE_PROPERTIES";
        const LEGACY: &str = "DIRACX_LEGACY_EXCHANGE_HASHED_API_KEY";
        const COMPONENTS: &str = "DIRACX_SERVICE_AUTH_COMPONENT_KEYS";
        const CONTACT: &str = "DIRACX_SERVICE_AUTH_SECURITY_CONTACT";

        let allowed_redirects = problems.json(REDIRECTS, &self.allowed_redirects);
        let device = lifetime(problems, DEVICE, &self.device_flow_expiration_seconds, 1);
        let authorization = lifetime(problems, AUTHORIZATION, &self.authorization_flow_expiration_seconds, 1);
        let retention = self.retention.read(problems);
        let access = lifetime(problems, ACCESS, &self.access_token_expire_minutes, 60);
        let refresh = lifetime(problems, REFRESH, &self.refresh_token_expire_minutes, 60);
        let state_key = self.state_key.filter(|key| !key.expose().trim().is_empty());
        let state_key = problems.required(STATE_KEY, state_key);
        let state_key = state_key.and_then(|key| problems.check(STATE_KEY, StateKey::parse(key.expose())));
        let legacy_exchange_key = self
            .legacy_exchange_hashed_api_key
            .map(|key| key.expose().trim().to_ascii_lowercase())
            .filter(|key| !key.is_empty());
        if legacy_exchange_key.as_ref().is_some_and(|key| !is_sha256(key)) {
            problems.note(LEGACY, "must be 64 hexadecimal digits: the SHA-256 of the key");
        }
        let component_keys = match self.component_keys.as_deref().map(str::trim) {
            None | Some("") => Some(ComponentKeys::default()),
            Some(setting) => component_keys(problems, COMPONENTS, setting),
        };
        let advertised_properties = match self.available_properties.as_deref() {
            None | Some("") => Some(SecurityProperty::BUILT_IN.to_vec()),
            Some(list) => problems.json(PROPERTIES, list),
        };
        let security_contact = self.security_contact.filter(|contact| !contact.is_empty());
        if security_contact.as_ref().is_some_and(|contact| !is_uri(contact)) {
            problems.note(CONTACT, "must be a URI, such as mailto:security@example.org");
        }
        let (device, authorization, retention) = (device?, authorization?, retention?);
        if retention.flows <= device || retention.flows <= authorization {
            problems.note(FLOWS, "must be longer than any login may take");
            return None;
        }
        Some(AuthSettings {
            client_id: self.dirac_client_id,
            allowed_redirects: allowed_redirects?,
            device_flow_lifetime: device,
            authorization_flow_lifetime: authorization,
            completed_flow_retention: retention.flows,
            access_token_lifetime: access?,
            refresh_token_lifetime: refresh?,
            refresh_token_retention_months: retention.tokens_months,
            legacy_exchange_key: legacy_exchange_key.map(|key| Secret::from(key.as_str())),
            component_keys: Arc::new(component_keys?),
            advertised_properties: advertised_properties?,
            security_contact,
            ..AuthSettings::new(state_key?)
        })
    }
}
