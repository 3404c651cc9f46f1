//! The configuration of an installation: its schema, defaults and errors.
//!
//! One document describes all VOs. It is read once into these types, never changed, and served as
//! JSON to services and clients. [`Config::to_document`] and [`Config::from_document`] are inverse.

mod document;
mod error;
mod gradual;
mod legacy;
mod operations;
mod read;
mod registry;
mod resources;
mod section;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

pub use error::{ConfigError, Place, Problem};
pub use gradual::{Gradual, GradualError, Served};
pub use legacy::{ConversionError, Converted, convert};
pub use operations::{
    FreeMap, InputDataPolicy, InputDataProtocols, JobDescription, JobMonitoring, JobScheduling, Operations,
    Services, SharedOperations,
};
pub use registry::{EmailAddress, Group, IdP, RegistryVo, Support, User};
pub use resources::{Computing, OsCompatibility, Resources};
pub use subject::{Subject, Subjects};

use read::{Read as _, Reader};
use section::section;

section! {
    /// The whole configuration.
    pub struct Config {
        /// The installation as such.
        "DIRAC" dirac: Dirac;
        /// What each VO tunes; one entry for every VO, [`Operations`] fully expanded.
        "Operations" operations: IndexMap<String, SharedOperations> = IndexMap::new();
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

/// The section of what VOs tune.
const OPERATIONS: &str = "Operations";
/// The section of the VOs.
const REGISTRY: &str = "Registry";

impl Config {
    /// Reads a configuration as an administrator writes it.
    pub fn from_value(mut document: Value) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        let operations = operations::take(&mut document);
        let vos: Vec<String> = vo_names(&document).collect();
        let config = Self::read(&mut reader, document);
        let mut expanded = IndexMap::new();
        operations::expand(&mut reader, operations, &vos, |vo, operations| {
            expanded.insert(vo, operations);
        });
        let config = config.map(|config| Self { operations: expanded, ..config });
        reader.end(config)
    }

    /// Reads a configuration as [`Config::to_document`] writes it.
    pub fn from_document(document: &str) -> Result<Self, ConfigError> {
        document::read(document)
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
        self.operations.get(vo).map(|operations| &**operations)
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

/// The names of the VOs in a document that is not read yet.
fn vo_names(document: &Value) -> impl Iterator<Item = String> {
    let registry = document.get(REGISTRY).or_else(|| document.get("registry"));
    registry.and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned()
}
