//! What an administrator does to the key store by hand: `diracx-auth rotate-key`, `delete-key` and
//! `component-keys`.
//!
//! The file is replaced in one step, readable by its owner only. Running processes notice by themselves.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use clap::Parser;
use diracx_core::{Clock, SystemClock};
use diracx_server::token::{KeyKind, KeyStore, KeyStoreError, delete_key, rotate_key};

use crate::key_file;

/// The words that begin a chore; anything else starts the service.
const CHORES: [&str; 3] = ["rotate-key", "delete-key", "component-keys"];

/// Looks after the key store.
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
        /// The type of the new key: OKP (signs Ed25519) or EC (signs ES256, which the setting
        /// DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS must allow).
        #[arg(long, default_value = "OKP", value_name = "TYPE")]
        kty: String,
        /// Its curve: Ed25519 for OKP, P-256 for EC.
        #[arg(long, value_name = "CURVE")]
        crv: Option<String>,
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
            Self::RotateKey { keystore, kty, crv } => {
                let crv = crv.unwrap_or_else(|| if kty == "EC" { "P-256" } else { "Ed25519" }.to_owned());
                rotate(&keystore, KeyKind::from_names(&kty, &crv)?)
            }
            Self::DeleteKey { keystore, kid } => delete(&keystore, &kid),
            Self::ComponentKeys { components } => component_keys(components),
        }
    }
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
