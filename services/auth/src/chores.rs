//! What an administrator does by hand: `diracx-auth rotate-key`, `delete-key` and `component-keys` with key stores,
//! `clean` with the database.
//!
//! The file of a key store is replaced in one step, readable by its owner only. Running processes notice by themselves.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use clap::Parser;
use diracx_core::{Clock, SystemClock};
use diracx_db::DbUrl;
use diracx_server::{
    settings::{Problems, Secret},
    token::{KeyKind, KeyStore, KeyStoreError, delete_key, rotate_key},
};

use crate::{error::Error, key_file, logic::cleaning::Cleaner, policy, settings::RetentionArgs, store};

/// The words that begin a chore; anything else starts the service.
const CHORES: [&str; 4] = ["rotate-key", "delete-key", "component-keys", "clean"];

/// Looks after the key store and the database.
#[derive(Debug, Parser)]
#[command(name = "diracx-auth", version)]
pub enum Chore {
    /// Puts a fresh signing key in front of the others, which only verify from now on.
    ///
    /// The file is made if it is missing. Processes that have it as their key store notice within a second;
    /// nothing has to be restarted, and tokens signed with the keys of before stay good. Remove those keys once
    /// their tokens have expired.
    RotateKey {
        /// The key store, a JWK set with private keys.
        #[arg(long, env = "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", hide_env_values = true, value_name = "PATH")]
        keystore: PathBuf,
        /// The type of the new key: OKP (signs Ed25519) or EC (signs ES256).
        #[arg(long, default_value = "OKP", value_name = "TYPE")]
        kty: String,
        /// Its curve: Ed25519 for OKP, P-256 for EC.
        #[arg(long, value_name = "CURVE")]
        crv: Option<String>,
        /// The signature algorithms that are allowed where the key is used, as a JSON list of Ed25519, RS256, ES256. A
        /// key that signs with another one is not made: nobody would believe its tokens.
        #[arg(
            long,
            env = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS",
            default_value = r#"["RS256","Ed25519"]"#,
            value_name = "JSON"
        )]
        token_allowed_algorithms: String,
    },
    /// Removes a key: tokens signed with it are refused from now on.
    DeleteKey {
        /// The key store, a JWK set with private keys.
        #[arg(long, env = "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", hide_env_values = true, value_name = "PATH")]
        keystore: PathBuf,
        /// The id of the key.
        #[arg(long, value_name = "ID")]
        kid: String,
    },
    /// Prints the public keys of components, as DIRACX_SERVICE_AUTH_COMPONENT_KEYS takes them.
    ///
    /// A component that has not the key store proves with a private key of its own who it is: `rotate-key` makes one,
    /// and the component's setting DIRACX_COMPONENT_KEY names it. What is printed here is no secret.
    ComponentKeys {
        /// The components and the files of their private keys, such as jobs=/keys/jobs.json.
        #[arg(required = true, value_name = "NAME=PATH", value_parser = named_path)]
        components: Vec<(String, PathBuf)>,
    },
    /// Removes old logins and old refresh tokens from the database, and prepares the partitions of the coming months
    /// where it has them: what DiracX's `cleanup-authdb` does.
    ///
    /// It may run while everything else does, once a day or once a month.
    Clean {
        /// `AuthDB`: `sqlite+aiosqlite:///path` or `mysql+aiomysql://user:password@host:3306/schema`.
        #[arg(long, env = "DIRACX_DB_URL_AUTHDB", hide_env_values = true, value_name = "URL")]
        db_url_authdb: Secret,
        /// How long old rows are kept.
        #[command(flatten)]
        retention: RetentionArgs,
    },
}

fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("must be the name of a component and a path, such as jobs=/keys/jobs.json".to_owned()),
    }
}

/// Why a chore was not done.
#[derive(Debug, thiserror::Error)]
pub enum ChoreError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key store is none, or the key cannot be made.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// There is no such key.
    #[error("{} has no key {kid:?}; it has {}", path.display(), known.join(", "))]
    NoSuchKey {
        /// The key store.
        path: PathBuf,
        /// What was asked for.
        kid: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Nobody would believe the tokens of such a key.
    #[error("{0} is not among the allowed algorithms (DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS)")]
    NotAllowed(&'static str),
    /// Values cannot be used.
    #[error("{0}")]
    Settings(Problems),
    /// The database cannot be cleaned.
    #[error("AuthDB cannot be cleaned: {0}")]
    Database(#[source] Box<Error>),
    /// The machine has no threads left.
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    /// Without a key to sign with no token could be made.
    #[error("{kid} is the only key that signs; make another one first, with rotate-key")]
    LastSigningKey {
        /// The key.
        kid: String,
    },
}

impl Chore {
    /// The chore that a command line asks for; `None` if it starts the service.
    ///
    /// # Errors
    /// If it begins like a chore and is none; also for `--help`.
    pub fn asked_for(args: impl IntoIterator<Item = OsString>) -> Option<Result<Self, clap::Error>> {
        let args: Vec<OsString> = args.into_iter().collect();
        let first = args.get(1)?.to_str()?;
        CHORES.contains(&first).then(|| Self::try_parse_from(args))
    }

    /// Does it, and tells what was done.
    ///
    /// # Errors
    /// If the key store stays as it was.
    pub fn run(self) -> Result<String, ChoreError> {
        match self {
            Self::RotateKey { keystore, kty, crv, token_allowed_algorithms } => {
                let crv = crv.unwrap_or_else(|| if kty == "EC" { "P-256" } else { "Ed25519" }.to_owned());
                let kind = KeyKind::from_names(&kty, &crv)?;
                must_be_allowed(kind, &token_allowed_algorithms)?;
                rotate(&keystore, kind)
            }
            Self::DeleteKey { keystore, kid } => delete(&keystore, &kid),
            Self::ComponentKeys { components } => component_keys(components),
            Self::Clean { db_url_authdb, retention } => clean(&db_url_authdb, &retention),
        }
    }
}

fn must_be_allowed(kind: KeyKind, allowed: &str) -> Result<(), ChoreError> {
    const ALLOWED: &str = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS";
    let mut problems = Problems::default();
    let allowed: Vec<String> =
        problems.json(ALLOWED, allowed).ok_or_else(|| ChoreError::Settings(std::mem::take(&mut problems)))?;
    let algorithm = kind.algorithm().as_str();
    if allowed.iter().any(|name| name == algorithm) { Ok(()) } else { Err(ChoreError::NotAllowed(algorithm)) }
}

fn rotate(path: &Path, kind: KeyKind) -> Result<String, ChoreError> {
    change(path, |before| {
        let after = rotate_key(before, kind, SystemClock.now())?;
        let keys = KeyStore::parse(&after)?;
        let new = &keys.keys()[0];
        let done = format!("{} signs from now on, with {}", new.kid(), new.algorithm().as_str());
        Ok((Some(after), done))
    })
}

fn delete(path: &Path, kid: &str) -> Result<String, ChoreError> {
    change(path, |before| {
        let before = before.ok_or_else(|| Problem::File(io::ErrorKind::NotFound.into()))?;
        let keys = KeyStore::parse(before)?;
        if !keys.knows(kid) {
            let known = keys.keys().iter().map(|key| key.kid().to_owned()).collect();
            return Err(ChoreError::NoSuchKey { path: path.to_owned(), kid: kid.to_owned(), known }.into());
        }
        if !keys.keys().iter().any(|key| key.kid() != kid && key.may_sign()) {
            return Err(ChoreError::LastSigningKey { kid: kid.to_owned() }.into());
        }
        let done = format!("{kid} is gone: its tokens are refused from now on");
        Ok((Some(delete_key(before, kid)?), done))
    })
}

fn component_keys(components: Vec<(String, PathBuf)>) -> Result<String, ChoreError> {
    let public = components.into_iter().map(|(name, path)| Ok((name, KeyStore::read(&path)?.public_jwks())));
    let public: serde_json::Map<String, serde_json::Value> = public.collect::<Result<_, KeyStoreError>>()?;
    Ok(serde_json::Value::Object(public).to_string())
}

fn clean(url: &Secret, retention: &RetentionArgs) -> Result<String, ChoreError> {
    let mut problems = Problems::default();
    let url: Option<DbUrl> = problems.check("DIRACX_DB_URL_AUTHDB", url.expose().trim().parse());
    let (Some(url), Some(retention)) = (url, retention.read(&mut problems)) else {
        return Err(ChoreError::Settings(problems));
    };
    let work = async {
        let store = store::open(&url, 1).await?;
        let cleaner = Cleaner { store: &*store, retention, now: SystemClock.now() };
        cleaner.everything(&policy::clean_by_hand()).await
    };
    let runtime = tokio::runtime::Runtime::new().map_err(ChoreError::Runtime)?;
    let (flows, tokens) = runtime.block_on(work).map_err(|error| ChoreError::Database(Box::new(error)))?;
    let mut done = format!(
        "removed {} device logins, {} authorization code logins and {} refresh tokens",
        flows.device, flows.authorization, tokens.rows
    );
    for (what, partitions) in [("added", tokens.partitions.added), ("removed", tokens.partitions.removed)] {
        if !partitions.is_empty() {
            done = format!("{done}\n{what} the partitions {}", partitions.join(", "));
        }
    }
    Ok(done)
}

/// What happens on the way, before it is known which file it happened to.
enum Problem {
    File(io::Error),
    Chore(ChoreError),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<KeyStoreError> for Problem {
    fn from(error: KeyStoreError) -> Self {
        Self::Chore(error.into())
    }
}

impl From<ChoreError> for Problem {
    fn from(error: ChoreError) -> Self {
        Self::Chore(error)
    }
}

fn change(
    path: &Path,
    with: impl FnOnce(Option<&str>) -> Result<(Option<String>, String), Problem>,
) -> Result<String, ChoreError> {
    key_file::change(path, with).map_err(|problem| match problem {
        Problem::File(source) => ChoreError::File { path: path.to_owned(), source },
        Problem::Chore(error) => error,
    })
}
