//! How the processes of a mesh are told what to be: in the words of DiracX's settings.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Database, Process, free_port};
use crate::tokens::{Key, data, identities, random};

type Environment = Vec<(String, String)>;

/// What only the auth service has, when each service is a process of its own.
const KEY_STORE: &str = "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE";

/// The settings under which the recordings were made.
pub(super) async fn environment(
    directory: &Path,
    identity_provider: &str,
    database: &Database,
    key: &Key,
) -> Result<Environment> {
    let identities = identities()?;
    let recorded = |name: &str| -> String {
        let value = &identities["server_settings"][name];
        value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    let key_store = directory.join("keystore.json");
    std::fs::write(&key_store, key.store().to_string())?;
    let repository = configuration(directory, identity_provider).await?;
    let redirects: Value = json!([recorded("allowed redirect")]);
    let auth = [
        ("TOKEN_ISSUER", recorded("token issuer")),
        ("TOKEN_KEYSTORE", key_store.display().to_string()),
        ("STATE_KEY", URL_SAFE.encode(random::<32>()?)),
        ("ALLOWED_REDIRECTS", redirects.to_string()),
        ("DIRAC_CLIENT_ID", recorded("client id")),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", recorded("access token lifetime (minutes)")),
        ("REFRESH_TOKEN_EXPIRE_MINUTES", recorded("refresh token lifetime (minutes)")),
        ("DEVICE_FLOW_EXPIRATION_SECONDS", recorded("device flow expiration (seconds)")),
    ];
    let mut settings: Environment =
        auth.map(|(name, value)| (format!("DIRACX_SERVICE_AUTH_{name}"), value)).to_vec();
    settings.push(("DIRACX_CONFIG_BACKEND_URL".to_owned(), format!("git+file://{repository}")));
    let legacy = recorded("legacy exchange API key (sha256 of the decoded bytes, for the server's settings)");
    settings.push(("DIRACX_LEGACY_EXCHANGE_HASHED_API_KEY".to_owned(), legacy));
    let sandboxes = directory.join("sandboxes").display().to_string();
    settings.push(("DIRACX_SANDBOX_STORE_DIRECTORY".to_owned(), sandboxes));
    settings.push(("DIRACX_SERVICE_PILOTS_SECRET_PEPPER".to_owned(), URL_SAFE.encode(random::<32>()?)));
    // the recordings have pilots that act as users
    for setting in ["JOBS_GENERIC_PILOTS_MANAGE_VO_JOBS", "PILOTS_GENERIC_PILOTS_MANAGE_VO_PILOTS"] {
        settings.push((format!("DIRACX_SERVICE_{setting}"), "true".to_owned()));
    }
    settings.push(("DIRACX_DB_MIGRATE".to_owned(), "true".to_owned()));
    settings.extend(database.environment().await);
    Ok(settings)
}

/// A git repository that holds the configuration of the recordings.
async fn configuration(directory: &Path, identity_provider: &str) -> Result<String> {
    let repository = directory.join("configuration");
    std::fs::create_dir(&repository)?;
    let text = std::fs::read_to_string(data("configuration.yml")).context("configuration.yml")?;
    std::fs::write(repository.join("default.yml"), text.replace("IDP_URL", identity_provider))?;
    let author =
        ["-c", "user.name=tests", "-c", "user.email=tests@diracx.test.invalid", "-c", "commit.gpgsign=false"];
    let steps: [&[&str]; 3] = [
        &["init", "--quiet", "--initial-branch=master"],
        &["add", "."],
        &["commit", "--quiet", "--message=start"],
    ];
    for step in steps {
        let output = Command::new("git").args(author).args(step).current_dir(&repository).output().await;
        let output = output.context("git is not here")?;
        if !output.status.success() {
            bail!("git {}: {}", step.join(" "), String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(repository.display().to_string())
}

/// The one process of the standalone.
pub(super) fn standalone(directory: &Path, address: &str, environment: &Environment) -> Result<Vec<Process>> {
    let data = directory.join("data").display().to_string();
    Ok(vec![Process::start("diracx-standalone", address, &["--data-dir", &data], environment, directory)?])
}

/// The services, in the order in which they start.
const SERVICES: [&str; 5] = ["config", "auth", "jobs", "pilots", "rss"];
/// Those that call others, each with a key of its own with which it proves who it is.
const COMPONENTS: [&str; 2] = ["jobs", "pilots"];

/// The services, each on a port of its own, and the gateway in front of them. Only the auth service has the key store.
pub(super) async fn processes(
    directory: &Path,
    address: &str,
    environment: &Environment,
) -> Result<Vec<Process>> {
    let mut all = environment.clone();
    let mut addresses = Vec::new();
    for service in SERVICES {
        let address = format!("127.0.0.1:{}", free_port()?);
        let name = service.to_uppercase();
        all.push((format!("DIRACX_GATEWAY_{name}_URL"), format!("http://{address}")));
        all.push((format!("DIRACX_{name}_SERVICE_URL"), format!("http://{address}")));
        addresses.push((service, address));
    }
    let mut public = serde_json::Map::new();
    for component in COMPONENTS {
        public.insert(component.to_owned(), public_key(&component_key(directory, component)?)?);
    }
    // a service that there is not to be refuses to start
    let off = |service: &str| format!("DIRACX_SERVICE_{}_ENABLED", service.to_uppercase());
    addresses.retain(|(service, _)| !all.contains(&(off(service), "false".to_owned())));
    let mut running = Vec::new();
    let without_keys: Environment = all.iter().filter(|(name, _)| name != KEY_STORE).cloned().collect();
    for (service, address) in &addresses {
        let mut own = if *service == "auth" { all.clone() } else { without_keys.clone() };
        if *service == "auth" {
            let keys = Value::Object(public.clone()).to_string();
            own.push(("DIRACX_SERVICE_AUTH_COMPONENT_KEYS".to_owned(), keys));
        }
        if COMPONENTS.contains(service) {
            own.push(("DIRACX_COMPONENT_KEY".to_owned(), component_key(directory, service)?));
        }
        let mut process = Process::start(&format!("diracx-{service}"), address, &[], &own, directory)?;
        process.wait_until_listening().await?;
        running.push(process);
    }
    running.push(Process::start("diracx-gateway", address, &[], &without_keys, directory)?);
    Ok(running)
}

/// The file with the private key of a component, made if it is not there.
fn component_key(directory: &Path, component: &str) -> Result<String> {
    let path = directory.join(format!("{component}-key.json"));
    if !path.exists() {
        std::fs::write(&path, Key::generate()?.store().to_string())?;
    }
    Ok(path.display().to_string())
}

/// What the auth service is told about a component's key.
fn public_key(path: &str) -> Result<Value> {
    let mut public: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    if let Some(key) = public["keys"][0].as_object_mut() {
        key.remove("d");
    }
    Ok(public)
}
