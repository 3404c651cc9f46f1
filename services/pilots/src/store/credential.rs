//! What is kept of secrets and refresh tokens.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_db::Deadline;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::registration::NewPilot;
use crate::error::Result;

/// Who may use a secret; an empty list means anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraints {
    /// Only these pilots.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pilot_stamps: BTreeSet<String>,
    /// Only pilots of these grid sites.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grid_sites: BTreeSet<String>,
    /// Only pilots of these computing elements.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub destination_sites: BTreeSet<String>,
}

/// A secret to be kept, without the secret itself.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// What it is called; the time of its making is in it.
    pub id: Uuid,
    /// Its keyed hash.
    pub hash: String,
    /// The VO it is for.
    pub vo: String,
    /// How often it may be used; nothing: without a limit.
    pub uses: Option<i64>,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
    /// Who may use it.
    pub constraints: Constraints,
    /// Who made it.
    pub created_by: String,
}

/// What is known of a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret {
    /// What it is called.
    pub id: Uuid,
    /// The VO it is for.
    pub vo: String,
    /// How often it may still be used; nothing: without a limit.
    pub uses: Option<i64>,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Who may use it.
    pub constraints: Constraints,
    /// Who made it.
    pub created_by: String,
}

/// What counts of a pilot that wants a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its VO.
    pub vo: String,
    /// Its grid site.
    pub grid_site: String,
    /// Its computing element.
    pub destination_site: String,
    /// Where it is, as DIRAC writes it.
    pub status: String,
}

/// What is known when a pilot shows a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The secret, if it is one.
    pub secret: Option<Secret>,
    /// The pilot, if it is known.
    pub pilot: Option<Holder>,
    /// Since when the pilot gets nothing for secrets that were made before.
    pub barred: Option<DateTime<Utc>>,
}

/// A refresh token to be kept, without the token itself.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its keyed hash.
    pub hash: String,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
}

/// What is known of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its keyed hash.
    pub hash: String,
    /// The secret at the beginning.
    pub secret: Uuid,
    /// The pilot that got it.
    pub stamp: String,
    /// The pilot's VO.
    pub vo: String,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
    /// What became of it.
    pub state: TokenState,
    /// When it was used. One that somebody overtook was never used itself.
    pub used: Option<DateTime<Utc>>,
    /// Whether somebody went on with a token that came of it.
    pub gone_on: bool,
}

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Nothing yet.
    Fresh,
    /// It was used, or somebody went on with another one that came of the same: the next use is a theft, unless the
    /// pilot lost the answer and nobody has gone on.
    Used,
    /// It was taken away.
    Revoked,
}

/// What is known when a pilot shows a refresh token.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownToken {
    /// The token, if it is one.
    pub token: Option<Token>,
    /// Whether the secret at the beginning was revoked.
    pub secret_revoked: bool,
    /// The pilot, if it is known.
    pub pilot: Option<Holder>,
    /// Since when the pilot gets nothing for secrets that were made before.
    pub barred: Option<DateTime<Utc>>,
}

/// A secret is to be exchanged.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// The keyed hashes of the secret, under each pepper that counts.
    pub hashes: Vec<String>,
    /// The pilot.
    pub stamp: PilotStamp,
    /// What the pilot tells about itself, if nobody knows it; the VO is the secret's.
    pub registration: Option<NewPilot>,
    /// What it goes on with.
    pub next: NewToken,
    /// When.
    pub at: DateTime<Utc>,
}

/// A refresh token is to be exchanged.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The keyed hashes of the token, under each pepper that counts.
    pub hashes: Vec<String>,
    /// The pilot.
    pub stamp: PilotStamp,
    /// What it goes on with.
    pub next: NewToken,
    /// When.
    pub at: DateTime<Utc>,
}

/// What to take away; what fits any of the lists.
#[derive(Debug, Clone, Default)]
pub struct Revocation {
    /// Only of this VO.
    pub vo: Option<String>,
    /// These secrets, and what was got with them.
    pub secrets: Vec<Uuid>,
    /// Everything of these pilots.
    pub stamps: Vec<PilotStamp>,
    /// Everything of the pilots of these grid sites.
    pub grid_sites: Vec<String>,
    /// Everything of the pilots of these computing elements.
    pub destination_sites: Vec<String>,
}

/// How much was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Secrets that could still have been used.
    pub secrets: usize,
    /// Refresh tokens that could still have been used.
    pub tokens: usize,
}

/// How secrets and refresh tokens are kept, used and taken away.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Keeps new secrets.
    async fn insert_secrets(&self, deadline: Deadline, secrets: Vec<NewSecret>) -> Result<()>;

    /// The secrets that can still be used, of a VO or of all, oldest first.
    async fn secrets(
        &self,
        deadline: Deadline,
        vo: Option<String>,
        after: Option<Uuid>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Secret>>;

    /// What is known of a secret, and if it is one, of a pilot.
    async fn shown(&self, deadline: Deadline, hashes: Vec<String>, stamp: PilotStamp) -> Result<Shown>;

    /// Takes one use of the secret, makes the pilot known if it is new, and keeps its refresh token: all or nothing,
    /// and only if [`crate::logic::exchange::by_secret`] agrees with what is there at that moment.
    async fn redeem(&self, deadline: Deadline, redemption: Redemption) -> Result<()>;

    /// What is known of a refresh token, and if it is one of this pilot, of the pilot.
    async fn shown_token(
        &self,
        deadline: Deadline,
        hashes: Vec<String>,
        stamp: PilotStamp,
    ) -> Result<ShownToken>;

    /// Puts a refresh token in the place of the one that is shown, if
    /// [`crate::logic::exchange::by_token`] agrees with what is there at that moment. Of several in one place the first
    /// that is used counts.
    async fn rotate(&self, deadline: Deadline, rotation: Rotation) -> Result<()>;

    /// Revokes what a pilot got for a secret, and bars it; tells how many tokens that were.
    async fn revoke_family(
        &self,
        deadline: Deadline,
        secret: Uuid,
        stamp: PilotStamp,
        at: DateTime<Utc>,
    ) -> Result<usize>;

    /// Takes away what fits.
    async fn revoke(&self, deadline: Deadline, revocation: Revocation, at: DateTime<Utc>) -> Result<Revoked>;

    /// Forgets at the most `limit` secrets and `limit` refresh tokens that have expired; tells how many.
    async fn clean_credentials(&self, deadline: Deadline, now: DateTime<Utc>, limit: usize) -> Result<usize>;
}
