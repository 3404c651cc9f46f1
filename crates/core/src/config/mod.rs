//! The configuration of an installation: its schema, defaults and errors.
//!
//! One document describes all VOs. It is read once into these types, never changed, and served as
//! JSON to services and clients. [`Config::to_document`] and [`Config::from_document`] are inverse.

mod error;
mod legacy;
mod operations;
mod read;
mod registry;
mod resources;
mod section;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

pub use error::{ConfigError, Place, Problem};
pub use legacy::{ConversionError, Converted, convert};
pub use operations::{
    FreeMap, InputDataPolicy, InputDataProtocols, JobDescription, JobMonitoring, JobScheduling, Operations,
    Services,
};
pub use registry::{EmailAddress, Group, IdP, RegistryVo, Support, User};
pub use resources::{Computing, OsCompatibility, Resources};

use read::Reader;
use section::section;

section! {
    /// The whole configuration.
    pub struct Config {
        /// The installation as such.
        "DIRAC" dirac: Dirac;
        /// What each VO tunes; one entry for every VO, [`Operations`] fully expanded.
        "Operations" operations: IndexMap<String, Operations> = IndexMap::new();
        /// The VOs.
        "Registry" registry: IndexMap<String, RegistryVo>;
        /// Where jobs can run.
        "Resources" resources: Resources = Resources::default();
        /// Free; legacy.
        "LocalSite" local_site: Value = Value::Null;
        /// Free; legacy.
        "LogLevel" log_level: Value = Value::Null;
        /// Free; legacy.
        "MCTestingDestination" mc_testing_destination: Value = Value::Null;
        /// Free; legacy.
        "Systems" systems: Value = Value::Null;
        /// Free; legacy.
        "WebApp" web_app: Value = Value::Null;
    }
}

section! {
    /// The installation as such.
    pub struct Dirac {
        /// Legacy.
        "NoSetup" no_setup: bool = false;
    }
}

/// The entry of `Operations` that every VO starts from.
const DEFAULTS: &str = "Defaults";

impl Config {
    /// Reads a configuration as an administrator writes it.
    pub fn from_value(document: Value) -> Result<Self, ConfigError> {
        Reader::document(expand_operations(document))
    }

    /// Reads a configuration as [`Config::to_document`] writes it.
    pub fn from_document(document: &str) -> Result<Self, ConfigError> {
        let value = serde_json::from_str(document)
            .map_err(|error| ConfigError::whole(format!("is not JSON: {error}")))?;
        Self::from_value(value)
    }

    /// The whole configuration as JSON: defaults and nulls included, sets as sorted lists, in the order
    /// of the schema, and of the document below it.
    pub fn to_document(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable_json())
    }

    /// A VO of the registry.
    pub fn vo(&self, vo: &str) -> Option<&RegistryVo> {
        self.registry.get(vo)
    }

    /// What a VO tunes.
    pub fn operations(&self, vo: &str) -> Option<&Operations> {
        self.operations.get(vo)
    }

    /// A group of a VO.
    pub fn group(&self, vo: &str, group: &str) -> Option<&Group> {
        self.vo(vo)?.group(group)
    }

    /// A user of a VO, by subject.
    pub fn user(&self, vo: &str, sub: &str) -> Option<&User> {
        self.vo(vo)?.user(sub)
    }

    /// Everything that the groups of a user together allow. Empty for a user whom the VO does not know.
    pub fn user_properties(&self, vo: &str, sub: &str) -> BTreeSet<&str> {
        self.vo(vo)
            .into_iter()
            .flat_map(|registry| registry.groups_of(sub))
            .flat_map(|(_, group)| group.properties.iter().map(String::as_str))
            .collect()
    }

    /// Which platforms run the jobs of which.
    pub fn os_compatibility(&self) -> &OsCompatibility {
        &self.resources.computing.os_compatibility
    }
}

/// Our types hold nothing that JSON cannot: keys are text and numbers are finite.
fn unreachable_json() -> String {
    debug_assert!(false, "a configuration is always JSON");
    "{}".to_owned()
}

/// Gives every VO of the registry its own entry in `Operations`, laid over the defaults.
///
/// Anything of the wrong type is left as it is, for the reader to complain about.
fn expand_operations(mut document: Value) -> Value {
    let Some(top) = document.as_object_mut() else { return document };
    let vos: Vec<String> = ["Registry", "registry"]
        .iter()
        .find_map(|name| top.get(*name)?.as_object())
        .map(|registry| registry.keys().cloned().collect())
        .unwrap_or_default();
    let name = if top.contains_key("operations") { "operations" } else { "Operations" };
    let operations = top.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if operations.is_null() {
        *operations = Value::Object(Map::new());
    }
    let Some(operations) = operations.as_object_mut() else { return document };

    let defaults = operations.shift_remove(DEFAULTS).unwrap_or_default();
    for vo in vos {
        let own = operations.get_mut(&vo).map(Value::take).unwrap_or_default();
        let own = if own.is_null() { Value::Object(Map::new()) } else { own };
        operations.insert(vo, operations::merge(defaults.clone(), own));
    }
    document
}
