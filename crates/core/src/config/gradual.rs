//! Reading a configuration whose VOs come one by one, so that a large one is never in memory as a whole twice.

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Config, ConfigError, RegistryVo, expand_operations,
    read::{Read, Reader},
};

/// The key under which the VOs are.
const REGISTRY: &str = "Registry";

/// A configuration that is being read.
#[derive(Default)]
pub struct Gradual {
    reader: Reader,
    /// `None` where something is wrong, which the reader has noted.
    vos: IndexMap<String, Option<RegistryVo>>,
}

impl Gradual {
    /// The VOs begin; what came before counts no more.
    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// The next VO. Of several with one name the last counts.
    pub fn vo(&mut self, name: String, value: Value) {
        if self.vos.contains_key(&name) {
            self.reader.forget(&[REGISTRY, &name]);
        }
        let vo = self
            .reader
            .at(REGISTRY, |reader| reader.at(name.clone(), |reader| RegistryVo::read(reader, value)));
        self.vos.insert(name, vo);
    }

    /// The rest of the document.
    pub fn finish(mut self, rest: Value) -> Result<Config, ConfigError> {
        let mut rest = expand_operations(rest, self.vos.keys());
        if let Some(Value::Object(merged)) = rest.get_mut(REGISTRY) {
            // What a VO is merged with counts only where there is no such VO.
            merged.retain(|name, _| !self.vos.contains_key(name));
        }
        let config = Config::read(&mut self.reader, rest);
        let vos = self.vos;
        self.reader.end(config.map(|mut config| {
            let merged = std::mem::take(&mut config.registry);
            config.registry = vos.into_iter().filter_map(|(name, vo)| Some((name, vo?))).collect();
            for (name, vo) in merged {
                config.registry.entry(name).or_insert(vo);
            }
            config
        }))
    }
}
