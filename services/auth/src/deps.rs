//! What the auth service works with.

use std::sync::Arc;

use diracx_client::ConfigFollower;
use diracx_core::{Clock, config::Config, scope::Scope};
use diracx_db::{DbResult, DbUrl};
use diracx_server::{
    settings::TokenSettings,
    token::{KeyStoreError, TokenMinter, TokenVerifier},
};

use crate::{
    enrichment::TokenPolicies,
    error::Result,
    idp::IdentityProviders,
    logic::{attempts::Attempts, cleaning::Cleaner},
    settings::AuthSettings,
    store::{self, AuthStore},
};

/// `AuthDB`, opened.
#[derive(Clone)]
pub struct AuthDb(pub(crate) Arc<dyn AuthStore>);

impl AuthDb {
    /// Makes the tables that are missing, before the database is opened; those that are there are adopted as they are.
    pub async fn migrate(url: &DbUrl) -> DbResult<()> {
        store::migrate(url).await
    }

    /// Opens the database; `connections` at the most, on MySQL.
    pub async fn open(url: &DbUrl, connections: u32) -> DbResult<Self> {
        store::open(url, connections).await.map(Self)
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> DbResult<()> {
        self.0.ping().await
    }
}

/// Everything the service needs. Cheap to clone.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub db: AuthDb,
    /// The configuration.
    pub config: ConfigFollower,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The rules of logins.
    pub settings: Arc<AuthSettings>,
    /// The keys, and what may be done with them.
    pub token: TokenSettings,
    /// Makes tokens.
    pub minter: TokenMinter,
    /// Believes refresh tokens, or not.
    pub verifier: TokenVerifier,
    /// The identity providers of the VOs.
    pub identity_providers: IdentityProviders,
    /// What has something to say in tokens; nothing, unless an extension sets it.
    pub token_policies: TokenPolicies,
    pub(crate) attempts: Attempts,
}

impl Deps {
    /// What follows from the settings.
    pub fn new(
        db: AuthDb,
        config: ConfigFollower,
        clock: Arc<dyn Clock>,
        settings: AuthSettings,
        token: TokenSettings,
    ) -> Result<Self, KeyStoreError> {
        Ok(Self {
            db,
            config,
            settings: Arc::new(settings),
            minter: token.minter(clock.clone())?,
            verifier: token.verifier(clock.clone()),
            identity_providers: IdentityProviders::new(clock.clone()),
            token_policies: TokenPolicies::default(),
            attempts: Attempts::default(),
            token,
            clock,
        })
    }

    pub(crate) fn config(&self) -> Result<Arc<Config>> {
        Ok(self.config.current()?)
    }

    pub(crate) fn scope(&self, text: &str, config: &Config) -> Result<Scope> {
        Ok(Scope::parse(text, config, &self.settings.known_properties)?)
    }

    pub(crate) fn store(&self) -> &dyn AuthStore {
        &*self.db.0
    }

    pub(crate) fn cleaner(&self) -> Cleaner<'_> {
        Cleaner { store: self.store(), retention: self.settings.retention(), now: self.clock.now() }
    }
}
