//! A first values file for a Helm chart, made of the configuration of DIRAC: what DIRAC knows is filled in, the rest
//! says `FILL ME`. The keys are those of DiracX's chart, which administrators know.

use base64::{Engine as _, prelude::BASE64_URL_SAFE};
use diracx_core::cfg::{self, CfgError, Section};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::write;

/// What only people know.
const FILL_ME: &str = "FILL ME";

/// The databases of an installation. DIRAC has an `AuthDB` of its own, so ours has another name there.
const DATABASES: [&str; 7] = [
    "AuthDB",
    "JobDB",
    "JobLoggingDB",
    "PilotAgentsDB",
    "ResourceStatusDB",
    "SandboxMetadataDB",
    "TaskQueueDB",
];
const AUTH_DB: (&str, &str) = ("AuthDB", "DiracXAuthDB");

/// The parts of DiracX's chart that are for trying it out.
const BUNDLED: [&str; 8] = [
    "cert-manager",
    "cert-manager-issuer",
    "developer",
    "dex",
    "mysql",
    "opensearch",
    "rabbitmq",
    "seaweedfs",
];

/// How a legacy API key begins.
const KEY_PREFIX: &str = "diracx:legacy:";

/// What the file says of itself.
const HEAD: &str = "\
# A first values file for an installation beside DIRAC, made of DIRAC's own configuration by
# `dirac internal legacy generate-helm-values`. It is incomplete: look for FILL ME.
#
# It is for a Helm chart with the keys of DiracX's own. This release of DiracX in Rust brings no chart: until one
# does, take the values from here. `diracx.settings` are environment variables of the processes as they stand, and
# each of `diracx.sqlDbs.dbs` is a DIRACX_DB_URL_<NAME>: mysql://user:password@host/internalName.
# There is no `osDbs`, for parameters of jobs are kept in JobDB.
#
# It may hold passwords. Do not commit it.
";

/// Why there is no values file.
#[derive(Debug, thiserror::Error)]
pub enum HelmValuesError {
    /// A file is no CFG.
    #[error("the {which} configuration: {source}")]
    Cfg {
        /// `public` or `secret`.
        which: &'static str,
        /// What is wrong.
        source: CfgError,
    },
    /// An option that must be there.
    #[error("you must have '/{0}' already set{1}")]
    Missing(&'static str, &'static str),
    /// The URL has no host.
    #[error("'/DiracX/URL' is {0:?}, and should be as https://diracx.example.org")]
    Url(String),
    /// The key is none.
    #[error("'/DiracX/LegacyExchangeApiKey' should be {KEY_PREFIX} and URL-safe base64 behind it")]
    Key,
}

/// The text of the file, of the configuration that everybody may read and the one with passwords, if there is one.
pub fn helm_values(public: &str, secret: Option<&str>) -> Result<String, HelmValuesError> {
    let read = |which, text| cfg::parse(text).map_err(|source| HelmValuesError::Cfg { which, source });
    let mut cfg = read("public", public)?;
    if let Some(secret) = secret {
        merge(&mut cfg, read("secret", secret)?);
    }
    let cfg = Value::Object(cfg);
    let option = |path: &str| cfg.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let issuer = option("/DiracX/URL").ok_or(HelmValuesError::Missing("DiracX/URL", ""))?;
    let url = issuer.trim_end_matches('/');
    let host = host(url).ok_or_else(|| HelmValuesError::Url(url.to_owned()))?;
    let key = option("/DiracX/LegacyExchangeApiKey").ok_or(HelmValuesError::Missing(
        "DiracX/LegacyExchangeApiKey",
        ": diracx:legacy: and the URL-safe base64 of random bytes",
    ))?;

    let label = host.split('.').next().unwrap_or(host);
    let mut settings = Map::new();
    let mut set = |name: &str, value: String| {
        settings.insert(name.to_owned(), Value::String(value));
    };
    set("DIRACX_CONFIG_BACKEND_URL", FILL_ME.to_owned());
    set("DIRACX_LEGACY_EXCHANGE_HASHED_API_KEY", hashed(key)?);
    set("DIRACX_SANDBOX_STORE_AUTO_CREATE_BUCKET", "true".to_owned());
    set("DIRACX_SANDBOX_STORE_BUCKET_NAME", format!("{label}-sandboxes"));
    let s3 = ["endpoint_url", "aws_access_key_id", "aws_secret_access_key"];
    let s3: Map<String, Value> = s3.map(|name| (name.to_owned(), json!(FILL_ME))).into_iter().collect();
    set("DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS", Value::Object(s3).to_string());
    let services = "/Systems/WorkloadManagement/Services";
    // the service has another name where it is behind Tornado
    let storage = ["SandboxStore", "TornadoSandboxStore"];
    if let Some(name) = storage.iter().find_map(|service| option(&format!("{services}/{service}/LocalSE"))) {
        set("DIRACX_SANDBOX_STORE_SE_NAME", name.to_owned());
    }
    let redirects = [format!("{url}/api/docs/oauth2-redirect"), format!("{url}/#authentication-callback")];
    set("DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS", json!(redirects).to_string());
    // compared letter by letter, so it stays as it is
    set("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", issuer.to_owned());
    set("DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", "file:///keystore/jwks.json".to_owned());
    set("DIRACX_SERVICE_JOBS_ENABLED", "true".to_owned());
    set("DIRACX_SERVICE_PILOTS_SECRET_PEPPER", FILL_ME.to_owned());

    let mut values = Map::new();
    values.extend(BUNDLED.map(|part| (part.to_owned(), json!({"enabled": false}))));
    values.insert(
        "diracx".to_owned(),
        json!({"hostname": host, "settings": settings, "sqlDbs": databases(&cfg)}),
    );
    values.insert(
        "ingress".to_owned(),
        json!({
            "enabled": true,
            "className": null,
            "tlsSecretName": null,
            "annotations": {
                "haproxy.router.openshift.io/ip_whitelist": "",
                "route.openshift.io/termination": "edge",
            },
        }),
    );
    for (part, enabled) in [("initCs", true), ("initSecrets", true), ("initSql", false)] {
        values.insert(part.to_owned(), json!({"enabled": enabled}));
    }
    values.sort_keys();
    Ok(format!("{HEAD}{}", write::document(&Value::Object(values))))
}

/// How to reach the databases: as DIRAC does, those of which it says something of their own with that.
fn databases(cfg: &Value) -> Value {
    let known = |section: &Value, option: &str| -> Option<String> {
        section.get(option).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let systems = cfg.get("Systems").and_then(Value::as_object).cloned().unwrap_or_default();
    let default = systems.get("Databases").cloned().unwrap_or_default();
    let or_fill_me = |value: Option<String>| value.unwrap_or_else(|| FILL_ME.to_owned());
    let (host, port) = (or_fill_me(known(&default, "Host")), or_fill_me(known(&default, "Port")));
    let of_database = |name: &str| {
        systems.values().filter_map(|system| system.get("Databases")?.get(name)).next_back().cloned()
    };
    let mut all = Map::new();
    for name in DATABASES {
        let own = if name == AUTH_DB.0 { None } else { of_database(name) }.unwrap_or_default();
        let mut said = Map::new();
        if name == AUTH_DB.0 {
            said.insert("internalName".to_owned(), json!(AUTH_DB.1));
        }
        if let Some(other) = known(&own, "DBName").filter(|other| other != name) {
            said.insert("internalName".to_owned(), json!(other));
        }
        for (key, option) in [("user", "User"), ("password", "Password")] {
            said.extend(known(&own, option).map(|value| (key.to_owned(), json!(value))));
        }
        let (own_host, own_port) = (known(&own, "Host"), known(&own, "Port"));
        if own_host.is_some() || own_port.is_some() {
            let (host, port) =
                (own_host.unwrap_or_else(|| host.clone()), own_port.unwrap_or_else(|| port.clone()));
            said.insert("host".to_owned(), json!(format!("{host}:{port}")));
        }
        all.insert(name.to_owned(), if said.is_empty() { Value::Null } else { Value::Object(said) });
    }
    json!({
        "dbs": all,
        "default": {
            "host": format!("{host}:{port}"),
            "password": or_fill_me(known(&default, "Password")),
            "rootPassword": FILL_ME,
            "rootUser": FILL_ME,
            "user": or_fill_me(known(&default, "User")),
        },
    })
}

/// What the server compares a legacy API key with.
fn hashed(key: &str) -> Result<String, HelmValuesError> {
    let encoded = key.strip_prefix(KEY_PREFIX).ok_or(HelmValuesError::Key)?;
    let bytes = BASE64_URL_SAFE.decode(encoded).map_err(|_| HelmValuesError::Key)?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The host of a URL, without its port.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let host = authority.split(':').next()?;
    (!host.is_empty()).then_some(host)
}

/// Lays `over` on `section`: sections are merged, options replaced.
fn merge(section: &mut Section, over: Section) {
    for (name, value) in over {
        match (section.get_mut(&name), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (_, value) => {
                section.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "\
DiracX
{
  URL = https://diracx.example.org:8443/
}
Systems
{
  Databases
  {
    Host = db.example.org
    Port = 3306
  }
  Framework
  {
    Databases
    {
      AuthDB
      {
        DBName = AuthDB
        Host = elsewhere
      }
    }
  }
  WorkloadManagement
  {
    Databases
    {
      JobDB
      {
        DBName = JobDB_of_2012
        Host = jobs.example.org
      }
      TaskQueueDB
      {
        DBName = TaskQueueDB
      }
    }
    Services
    {
      SandboxStore
      {
        LocalSE = ProductionSandboxSE
      }
    }
  }
}
";
    const SECRET: &str = "\
DiracX
{
  LegacyExchangeApiKey = diracx:legacy:c2VjcmV0IG9mIGRpcmFj
}
Systems
{
  Databases
  {
    User = Dirac
    Password = of the database
  }
  WorkloadManagement
  {
    Databases
    {
      JobDB
      {
        User = jobs
        Port = 3307
      }
    }
  }
}
";

    fn values(public: &str, secret: Option<&str>) -> Value {
        crate::yaml::parse(&helm_values(public, secret).unwrap()).unwrap()
    }

    #[test]
    fn what_dirac_knows_is_filled_in_and_the_rest_is_marked() {
        let values = values(PUBLIC, Some(SECRET));
        let diracx = &values["diracx"];
        assert_eq!(diracx["hostname"], "diracx.example.org");
        let settings = &diracx["settings"];
        assert_eq!(settings["DIRACX_SERVICE_AUTH_TOKEN_ISSUER"], "https://diracx.example.org:8443/");
        assert_eq!(
            settings["DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS"],
            r#"["https://diracx.example.org:8443/api/docs/oauth2-redirect","https://diracx.example.org:8443/#authentication-callback"]"#
        );
        assert_eq!(
            settings["DIRACX_LEGACY_EXCHANGE_HASHED_API_KEY"],
            // sha256 of "secret of dirac"
            "c5c353aaf44a998075ab236351402f5d356e3044efa5e604ad08f46cb7b31d09"
        );
        assert_eq!(settings["DIRACX_SANDBOX_STORE_BUCKET_NAME"], "diracx-sandboxes");
        assert_eq!(settings["DIRACX_SANDBOX_STORE_SE_NAME"], "ProductionSandboxSE");
        assert_eq!(settings["DIRACX_CONFIG_BACKEND_URL"], FILL_ME);
        assert!(settings["DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS"].as_str().unwrap().contains(FILL_ME));
        let databases = &diracx["sqlDbs"];
        assert_eq!(
            databases["default"],
            json!({"host": "db.example.org:3306", "user": "Dirac", "password": "of the database",
                   "rootUser": FILL_ME, "rootPassword": FILL_ME})
        );
        for part in BUNDLED {
            assert_eq!(values[part], json!({"enabled": false}), "{part}");
        }
    }

    #[test]
    fn a_database_with_another_name_user_or_place_has_them_in_its_own_entry() {
        let values = values(PUBLIC, Some(SECRET));
        let databases = &values["diracx"]["sqlDbs"]["dbs"];
        assert_eq!(
            databases["JobDB"],
            json!({"internalName": "JobDB_of_2012", "user": "jobs", "host": "jobs.example.org:3307"})
        );
        assert_eq!(databases["AuthDB"], json!({"internalName": "DiracXAuthDB"}), "DIRAC's is another one");
        assert_eq!((&databases["TaskQueueDB"], &databases["PilotAgentsDB"]), (&Value::Null, &Value::Null));
        assert_eq!(databases.as_object().unwrap().len(), DATABASES.len());
    }

    #[test]
    fn what_is_missing_or_makes_no_sense_is_told() {
        let check = |public: &str, secret: Option<&str>, expected: &str| {
            let error = helm_values(public, secret).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(PUBLIC, None, "you must have '/DiracX/LegacyExchangeApiKey' already set");
        check(&PUBLIC.replace("URL", "Url"), Some(SECRET), "you must have '/DiracX/URL' already set");
        check(&PUBLIC.replace("https://diracx", "diracx"), Some(SECRET), "should be as https://");
        check(PUBLIC, Some(&SECRET.replace("diracx:legacy:", "")), "diracx:legacy: and URL-safe base64");
        check(PUBLIC, Some("Systems\n{\n"), "the secret configuration: line ");
        let little = "DiracX\n{\n  URL = http://x\n  LegacyExchangeApiKey = diracx:legacy:AAAA\n}\n";
        let default = &values(little, None)["diracx"]["sqlDbs"]["default"];
        assert_eq!((&default["host"], &default["user"]), (&json!("FILL ME:FILL ME"), &json!(FILL_ME)));
    }
}
