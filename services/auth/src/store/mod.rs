//! `AuthDB`: logins under way, and the refresh tokens given out.
//!
//! Every method is a unit of work. The decisions between reading and writing are made by the logic, from
//! what it read; the writing units check again that nobody was faster, by the number of rows they change.

mod partition_plan;
mod partitions;
mod rows;
mod schema;

/// The store on SQLite.
mod sqlite;

/// The store on MySQL and MariaDB.
mod mysql;

use std::{str::FromStr, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use diracx_db::{DbResult, DbUrl, migrate::Migrations};
use serde_json::Value;
use uuid::Uuid;

use crate::policy::TokenScope;

/// The logical name of the database, in settings and messages.
pub const DATABASE: &str = "AuthDB";

/// How to make or adopt the tables.
pub const MIGRATIONS: Migrations =
    Migrations { database: DATABASE, sqlite: sqlite_migrations, mysql: mysql_migrations };

fn sqlite_migrations() -> EmbeddedMigrations {
    const EMBEDDED: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
    EMBEDDED
}

fn mysql_migrations() -> EmbeddedMigrations {
    const EMBEDDED: EmbeddedMigrations = embed_migrations!("migrations/mysql");
    EMBEDDED
}

/// The whole store.
#[async_trait]
pub(crate) trait AuthStore: DeviceFlows + AuthorizationFlows + RefreshTokens {
    /// Makes the partitions of coming months and drops those that end at `horizon` or before. `None` if the
    /// tokens are not divided into partitions.
    async fn maintain_partitions(
        &self,
        now: DateTime<Utc>,
        horizon: DateTime<Utc>,
    ) -> DbResult<Option<Partitions>>;
    /// Asks the database for a sign of life.
    async fn ping(&self) -> DbResult<()>;
}

/// Device logins.
#[async_trait]
pub(crate) trait DeviceFlows: Send + Sync {
    /// Keeps a login that begins. [`diracx_db::DbError::Duplicate`] if one of its codes is taken.
    async fn insert_device_flow(&self, flow: NewDeviceFlow) -> DbResult<()>;
    /// The login that a person knows by this user code.
    async fn device_flow(&self, user_code: &str) -> DbResult<Option<DeviceFlow>>;
    /// The login that a device knows by the code with this hash.
    async fn device_flow_by_code(&self, hashed_code: &str) -> DbResult<Option<DeviceFlow>>;
    /// Makes a pending login, begun after `begun_after`, ready. False if there is none.
    async fn finish_device_flow(
        &self,
        user_code: &str,
        begun_after: DateTime<Utc>,
        id_token: Value,
    ) -> DbResult<bool>;
    /// Ends a pending login for good: the person does not want it.
    async fn deny_device_flow(&self, user_code: &str) -> DbResult<()>;
    /// Removes at the most `limit` logins begun before `before`; tells how many.
    async fn remove_device_flows(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize>;
    /// Ends a ready login with a refresh token. False, and nothing done, if it is not ready (any more).
    async fn redeem_device_flow(&self, hashed_code: &str, token: NewRefreshToken) -> DbResult<bool>;
}

/// Authorization code logins.
#[async_trait]
pub(crate) trait AuthorizationFlows: Send + Sync {
    /// Keeps a login that begins.
    async fn insert_authorization_flow(&self, flow: NewAuthorizationFlow) -> DbResult<()>;
    /// The login with this id.
    async fn authorization_flow(&self, id: Uuid) -> DbResult<Option<AuthorizationFlow>>;
    /// The newest login begun after `begun_after` whose code has this hash.
    async fn authorization_flow_by_code(
        &self,
        hashed_code: &str,
        begun_after: DateTime<Utc>,
    ) -> DbResult<Option<AuthorizationFlow>>;
    /// Ends a pending login, begun after `begun_after`, without a code. False if there is none.
    async fn deny_authorization_flow(&self, id: Uuid, begun_after: DateTime<Utc>) -> DbResult<bool>;
    /// Makes a pending login, begun after `begun_after`, ready. False if there is none.
    async fn finish_authorization_flow(
        &self,
        id: Uuid,
        begun_after: DateTime<Utc>,
        hashed_code: &str,
        id_token: Value,
    ) -> DbResult<bool>;
    /// Removes at the most `limit` logins begun before `before`; tells how many.
    async fn remove_authorization_flows(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize>;
    /// Ends a ready login with a refresh token. False, and nothing done, if it is not ready (any more).
    async fn redeem_authorization_flow(&self, id: Uuid, token: NewRefreshToken) -> DbResult<bool>;
}

/// Refresh tokens.
#[async_trait]
pub(crate) trait RefreshTokens: Send + Sync {
    /// What is known of a token.
    async fn refresh_token(&self, jti: Uuid) -> DbResult<Option<RefreshToken>>;
    /// Revokes a token and keeps its successor. If it was revoked before, all tokens of the successor's subject are
    /// revoked instead, as by [`revoke_session`](Self::revoke_session).
    async fn rotate_refresh_token(&self, jti: Uuid, successor: NewRefreshToken) -> DbResult<Rotation>;
    /// Revokes a token. False if there is none.
    async fn revoke_refresh_token(&self, jti: Uuid) -> DbResult<bool>;
    /// Tokens in the order of their making, at the most `limit`, that come after `after`.
    async fn refresh_tokens(
        &self,
        scope: TokenScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> DbResult<Vec<StoredToken>>;
    /// Keeps a token that begins a session of a DIRAC server, and that it is one.
    async fn insert_legacy_token(&self, token: NewRefreshToken) -> DbResult<()>;
    /// Forgets of at the most `limit` tokens made before `before` that they are those of DIRAC servers; tells how many.
    async fn forget_legacy_tokens(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize>;
    /// Removes at the most `limit` tokens made before `before`; tells how many.
    async fn remove_refresh_tokens(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize>;
    /// Revokes all tokens of a subject, but for those of DIRAC servers; tells how many that were.
    async fn revoke_session(&self, sub: &str) -> DbResult<usize>;
}

/// How far a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlowStatus {
    /// The person has not finished.
    Pending,
    /// The tokens can be fetched.
    Ready,
    /// The tokens were fetched.
    Done,
    /// Never set by us, nor by DiracX.
    Error,
}

impl FlowStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Done => "DONE",
            Self::Error => "ERROR",
        }
    }
}

impl FromStr for FlowStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Pending, Self::Ready, Self::Done, Self::Error]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no status of a login"))
    }
}

/// A device login that begins. No login is `Debug`: they hold codes, and what a provider says about people.
#[derive(Clone)]
pub(crate) struct NewDeviceFlow {
    pub(crate) user_code: String,
    pub(crate) hashed_device_code: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) creation_time: DateTime<Utc>,
}

/// A device login.
#[derive(Clone)]
pub(crate) struct DeviceFlow {
    pub(crate) status: FlowStatus,
    pub(crate) creation_time: DateTime<Utc>,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) id_token: Option<Value>,
}

/// An authorization code login that begins.
#[derive(Clone)]
pub(crate) struct NewAuthorizationFlow {
    pub(crate) id: Uuid,
    pub(crate) client_id: String,
    pub(crate) creation_time: DateTime<Utc>,
    pub(crate) scope: String,
    pub(crate) code_challenge: String,
    pub(crate) redirect_uri: String,
}

/// An authorization code login.
#[derive(Clone)]
pub(crate) struct AuthorizationFlow {
    pub(crate) id: Uuid,
    pub(crate) status: FlowStatus,
    pub(crate) client_id: String,
    pub(crate) creation_time: DateTime<Utc>,
    pub(crate) scope: String,
    pub(crate) code_challenge: String,
    pub(crate) redirect_uri: String,
    pub(crate) id_token: Option<Value>,
}

/// A refresh token to keep. The token itself is not kept.
#[derive(Debug, Clone)]
pub(crate) struct NewRefreshToken {
    pub(crate) jti: Uuid,
    pub(crate) scope: String,
    pub(crate) sub: String,
}

/// A refresh token that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) revoked: bool,
    pub(crate) scope: String,
    pub(crate) sub: String,
}

/// What became of a token and its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// The successor is kept.
    Done,
    /// Somebody was faster.
    Reused {
        /// So many tokens of the subject were revoked.
        closed: usize,
    },
}

/// A refresh token with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredToken {
    pub(crate) jti: Uuid,
    pub(crate) token: RefreshToken,
}

/// What was done with partitions, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partitions {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

/// How long the present call may still take.
fn deadline() -> diracx_db::Deadline {
    diracx_db::Deadline(diracx_server::Deadline::current().map(|deadline| deadline.at().into_std()))
}

/// Makes the tables that are missing; those that are there are adopted as they are.
pub(crate) async fn migrate(url: &DbUrl) -> DbResult<()> {
    diracx_db::migrate::migrate(url, MIGRATIONS).await?;
    if let DbUrl::MySql(url) = url {
        mysql::Store::new(mysql_databases(url, 1).await?).prepare_partitions().await;
    }
    Ok(())
}

/// Opens the store. `connections` counts for MySQL only.
pub(crate) async fn open(url: &DbUrl, connections: u32) -> DbResult<Arc<dyn AuthStore>> {
    Ok(match url {
        DbUrl::Sqlite(path) => {
            Arc::new(sqlite::Store::new(diracx_db::sqlite::Databases::open(&[(DATABASE, path.clone())])?))
        }
        DbUrl::MySql(url) => Arc::new(mysql::Store::new(mysql_databases(url, connections).await?)),
    })
}

async fn mysql_databases(url: &str, connections: u32) -> DbResult<diracx_db::mysql::Databases> {
    diracx_db::mysql::Databases::open(&[(DATABASE, url.to_owned())], connections).await
}
