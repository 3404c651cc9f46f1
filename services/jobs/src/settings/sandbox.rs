//! The settings of the store of sandboxes, with DiracX's names.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use diracx_core::{Clock, sandbox::is_bucket};
use diracx_server::settings::{Environment, Problems, Resolve, Secret};

use crate::bytes::{ByteStore, Directory, S3, S3Credentials};

/// Where sandboxes are kept.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sandboxes")]
pub struct SandboxArgs {
    /// Keep sandboxes in S3: {"endpoint_url": "https://…", "aws_access_key_id": "…", "aws_secret_access_key": "…"}.
    #[arg(long, env = "DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS", hide_env_values = true, value_name = "JSON")]
    pub sandbox_store_s3_client_kwargs: Option<Secret>,
    /// Keep sandboxes in this directory, unless they are kept in S3; made if it is missing.
    #[arg(long, env = "DIRACX_SANDBOX_STORE_DIRECTORY", value_name = "DIR")]
    pub sandbox_store_directory: Option<PathBuf>,
    /// The bucket of the sandboxes. Required with S3; else it is but a part of their names.
    #[arg(long, env = "DIRACX_SANDBOX_STORE_BUCKET_NAME", value_name = "NAME")]
    pub sandbox_store_bucket_name: Option<String>,
    /// Make the bucket if it is missing.
    #[arg(
        long,
        env = "DIRACX_SANDBOX_STORE_AUTO_CREATE_BUCKET",
        default_value = "false",
        value_name = "BOOL"
    )]
    pub sandbox_store_auto_create_bucket: String,
    /// How long an upload or a download may begin after it was asked for, in seconds.
    #[arg(
        long,
        env = "DIRACX_SANDBOX_STORE_URL_VALIDITY_SECONDS",
        default_value = "300",
        value_name = "SECONDS"
    )]
    pub sandbox_store_url_validity_seconds: String,
    /// The name of the storage element of the sandboxes; letters only.
    #[arg(long, env = "DIRACX_SANDBOX_STORE_SE_NAME", default_value = "SandboxSE", value_name = "NAME")]
    pub sandbox_store_se_name: String,
    /// Connections to S3 that are kept, and removals from it at the same time, at the most.
    #[arg(
        long,
        env = "DIRACX_SANDBOX_STORE_S3_MAX_POOL_CONNECTIONS",
        default_value = "50",
        value_name = "COUNT"
    )]
    pub sandbox_store_s3_max_pool_connections: String,
    /// Sandboxes that one call to clean may look at, at the most.
    #[arg(
        long,
        env = "DIRACX_SANDBOX_STORE_CLEAN_BATCH_SIZE",
        default_value = "50000",
        value_name = "COUNT"
    )]
    pub sandbox_store_clean_batch_size: String,
    /// Rows that one statement of the cleaning deletes, at the most.
    #[arg(
        long,
        env = "DIRACX_SANDBOX_STORE_CLEAN_DELETE_CHUNK_SIZE",
        default_value = "1000",
        value_name = "COUNT"
    )]
    pub sandbox_store_clean_delete_chunk_size: String,
    /// Such statements at the same time, at the most.
    #[arg(
        long,
        env = "DIRACX_SANDBOX_STORE_CLEAN_MAX_CONCURRENT_DB_DELETES",
        default_value = "10",
        value_name = "COUNT"
    )]
    pub sandbox_store_clean_max_concurrent_db_deletes: String,
}

/// Which kind of store.
#[derive(Debug, Clone)]
pub enum StoreKind {
    /// S3, and whether to make the bucket.
    S3 {
        /// Where and who.
        credentials: S3Credentials,
        /// Whether to make the bucket if it is missing.
        create_bucket: bool,
        /// Connections that are kept.
        connections: usize,
    },
    /// A directory.
    Directory(PathBuf),
}

/// See [`SandboxArgs`].
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Where the bytes are.
    pub kind: StoreKind,
    /// The bucket in the names.
    pub bucket: String,
    /// The storage element in the names.
    pub storage_element: String,
    /// How long uploads and downloads may begin.
    pub url_validity: Duration,
    /// Sandboxes that one call to clean may look at.
    pub clean_batch_size: i64,
    /// Rows that one statement deletes.
    pub clean_delete_chunk_size: usize,
    /// Such statements at the same time.
    pub clean_max_concurrent_db_deletes: usize,
}

impl SandboxSettings {
    /// A directory, and all else as it is by default.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            kind: StoreKind::Directory(directory.into()),
            bucket: BUCKET.to_owned(),
            storage_element: "SandboxSE".to_owned(),
            url_validity: Duration::from_secs(300),
            clean_batch_size: 50_000,
            clean_delete_chunk_size: 1_000,
            clean_max_concurrent_db_deletes: 10,
        }
    }

    /// Opens the store. That S3 cannot be reached is no obstacle; that it has no such bucket is one.
    ///
    /// # Errors
    /// The directory or the bucket cannot be used.
    pub async fn open(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn ByteStore>> {
        match &self.kind {
            StoreKind::Directory(path) => {
                let opened = Directory::open(path);
                Ok(Arc::new(opened.with_context(|| format!("cannot keep sandboxes in {}", path.display()))?))
            }
            StoreKind::S3 { credentials, create_bucket, connections } => {
                let store =
                    S3::new(credentials, &self.bucket, *connections, clock).context("no client for S3")?;
                store.prepare(*create_bucket).await?;
                Ok(Arc::new(store))
            }
        }
    }
}

/// The bucket in the names of a directory's sandboxes.
const BUCKET: &str = "sandboxes";
const KWARGS: &str = "DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS";
const NAME: &str = "DIRACX_SANDBOX_STORE_BUCKET_NAME";

impl Resolve for SandboxArgs {
    type Settings = SandboxSettings;

    fn resolve(self, _: &Environment, problems: &mut Problems) -> Option<SandboxSettings> {
        let kwargs = self.sandbox_store_s3_client_kwargs.filter(|raw| !raw.expose().trim().is_empty());
        let directory = self.sandbox_store_directory.filter(|path| !path.as_os_str().is_empty());
        let create_bucket = problems
            .boolean("DIRACX_SANDBOX_STORE_AUTO_CREATE_BUCKET", &self.sandbox_store_auto_create_bucket);
        let connections = count(
            problems,
            "DIRACX_SANDBOX_STORE_S3_MAX_POOL_CONNECTIONS",
            &self.sandbox_store_s3_max_pool_connections,
        );
        let bucket = bucket(problems, self.sandbox_store_bucket_name, kwargs.is_some());
        let kind = match (kwargs, directory) {
            (Some(kwargs), _) => credentials(problems, kwargs.expose()).and_then(|credentials| {
                Some(StoreKind::S3 { credentials, create_bucket: create_bucket?, connections: connections? })
            }),
            (None, Some(directory)) => Some(StoreKind::Directory(directory)),
            (None, None) => {
                problems.note(KWARGS, "or DIRACX_SANDBOX_STORE_DIRECTORY is required");
                None
            }
        };
        let validity = problems
            .seconds("DIRACX_SANDBOX_STORE_URL_VALIDITY_SECONDS", &self.sandbox_store_url_validity_seconds);
        let url_validity = validity.filter(|validity| {
            let fits = (1..=604_800).contains(&validity.as_secs());
            if !fits {
                problems.note("DIRACX_SANDBOX_STORE_URL_VALIDITY_SECONDS", "must be 1 second to 7 days");
            }
            fits
        });
        let storage_element = Some(self.sandbox_store_se_name).filter(|name| {
            let fits = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphabetic());
            if !fits {
                problems.note(
                    "DIRACX_SANDBOX_STORE_SE_NAME",
                    format_args!("must be 1 to 64 letters, which is all that clients accept, not {name:?}"),
                );
            }
            fits
        });
        let mut counted = |name, raw: &str| count(problems, name, raw);
        let batch = counted("DIRACX_SANDBOX_STORE_CLEAN_BATCH_SIZE", &self.sandbox_store_clean_batch_size);
        let chunk = counted(
            "DIRACX_SANDBOX_STORE_CLEAN_DELETE_CHUNK_SIZE",
            &self.sandbox_store_clean_delete_chunk_size,
        );
        let deletes = counted(
            "DIRACX_SANDBOX_STORE_CLEAN_MAX_CONCURRENT_DB_DELETES",
            &self.sandbox_store_clean_max_concurrent_db_deletes,
        );
        Some(SandboxSettings {
            kind: kind?,
            bucket: bucket?,
            storage_element: storage_element?,
            url_validity: url_validity?,
            clean_batch_size: i64::try_from(batch?).unwrap_or(i64::MAX),
            // What a statement can bind is limited.
            clean_delete_chunk_size: chunk?.min(10_000),
            clean_max_concurrent_db_deletes: deletes?,
        })
    }
}

fn bucket(problems: &mut Problems, given: Option<String>, required: bool) -> Option<String> {
    let given = given.filter(|name| !name.trim().is_empty());
    let name =
        if required { problems.required(NAME, given)? } else { given.unwrap_or_else(|| BUCKET.to_owned()) };
    let name = name.trim().to_owned();
    if !is_bucket(&name) {
        problems.note(
            NAME,
            format_args!("must be 3 to 63 lower-case letters, digits, dots and dashes, not {name:?}"),
        );
        return None;
    }
    Some(name)
}

fn count(problems: &mut Problems, name: &str, raw: &str) -> Option<usize> {
    let number: usize = problems.parse(name, raw)?;
    if number == 0 {
        problems.note(name, "must be more than 0");
    }
    (number > 0).then_some(number)
}

/// What of the arguments of DiracX's S3 client has a meaning. Values stay out of the problems: they may be secrets.
fn credentials(problems: &mut Problems, raw: &str) -> Option<S3Credentials> {
    let mut given: BTreeMap<String, String> = problems.json(KWARGS, raw)?;
    let mut take = |name: &str| {
        let value = given.remove(name).filter(|value| !value.is_empty());
        if value.is_none() {
            problems.note(KWARGS, format_args!("{name} is required"));
        }
        value
    };
    let (endpoint, key_id, secret) =
        (take("endpoint_url"), take("aws_access_key_id"), take("aws_secret_access_key"));
    for name in given.keys() {
        problems.note(KWARGS, format_args!("{name} has no meaning here"));
    }
    let endpoint = endpoint.and_then(|text| {
        let url = reqwest::Url::parse(&text).ok();
        let url = url.filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none()
        });
        if url.is_none() {
            problems.note(KWARGS, "endpoint_url must be http or https with a host, without a path");
        }
        url
    });
    if !given.is_empty() {
        return None;
    }
    Some(S3Credentials { endpoint: endpoint?, key_id: key_id?, secret: Secret::from(secret?) })
}
