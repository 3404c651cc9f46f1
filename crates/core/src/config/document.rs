//! Reading the document that is served, VO by VO: besides the text there is never more than one VO in memory that is not
//! yet what it becomes.

use std::fmt;

use indexmap::IndexMap;
use serde::{
    Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{
    Config, ConfigError, OPERATIONS, REGISTRY, RegistryVo,
    operations::SharedOperations,
    read::{Read as _, Reader, Step},
};

/// Reads what [`Config::to_document`] writes.
pub(super) fn read(document: &str) -> Result<Config, ConfigError> {
    let mut reader = Reader::default();
    let mut json = serde_json::Deserializer::from_str(document);
    let read = Document(&mut reader).deserialize(&mut json).and_then(|config| json.end().map(|()| config));
    match read {
        Ok(config) => reader.end(config),
        Err(error) if error.is_data() => Err(ConfigError::whole(error.to_string())),
        Err(error) => Err(ConfigError::whole(format!("is not JSON: {error}"))),
    }
}

/// The document as a whole.
struct Document<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Option<Config>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Option<Config>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a section of keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        let mut rest = Map::new();
        let mut registry: IndexMap<String, RegistryVo> = IndexMap::new();
        let mut operations: IndexMap<String, SharedOperations> = IndexMap::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                REGISTRY => {
                    map.next_value_seed(Entries(|name, value| {
                        let (name, vo) = reader.at(Step::Name(REGISTRY), |reader| reader.entry(name, value));
                        registry.extend(vo.map(|mut vo: RegistryVo| {
                            vo.share_subjects();
                            (name, vo)
                        }));
                    }))?;
                    rest.insert(key, Value::Object(Map::new()));
                }
                OPERATIONS => map.next_value_seed(Entries(|name, value| {
                    let (name, own) = reader.at(Step::Name(OPERATIONS), |reader| reader.entry(name, value));
                    // Most VOs have what the one before has.
                    let last = operations.last().map(|(_, last)| last);
                    let own = own.map(|own| SharedOperations::same_as(last, own));
                    operations.extend(own.map(|own| (name, own)));
                }))?,
                _ => {
                    rest.insert(key, map.next_value()?);
                }
            }
        }
        let config = Config::read(reader, Value::Object(rest));
        Ok(config.map(|mut config| {
            let nothing_tuned = SharedOperations::default();
            for vo in registry.keys() {
                if !operations.contains_key(vo) {
                    operations.insert(vo.clone(), nothing_tuned.clone());
                }
            }
            config.registry = registry;
            config.operations = operations;
            config
        }))
    }
}

/// Hands out the entries of a section one by one.
struct Entries<F>(F);

impl<'de, F: FnMut(String, Value)> DeserializeSeed<'de> for Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(String, Value)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a section of keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry()? {
            (self.0)(name, value);
        }
        Ok(())
    }
}
