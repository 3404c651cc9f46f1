//! Making the document that is served of what administrators write, VO by VO: a large configuration is never in memory
//! as anything but text.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::{
    Config, ConfigError, REGISTRY, RegistryVo,
    operations::{self, SharedOperations},
    read::{Read as _, Reader, Step},
};

/// A configuration as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// What [`Config::to_document`] writes.
    pub document: String,
    /// How many VOs it has.
    pub vos: usize,
}

/// Why there is nothing to serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GradualError {
    /// It is no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is one, and too much of it.
    #[error("with all defaults filled in it has more than {most} bytes, the most that can be sent")]
    TooLarge {
        /// Bytes.
        most: usize,
    },
}

/// A configuration that is being read. Every VO is checked and written as soon as it comes.
pub struct Gradual {
    reader: Reader,
    /// `None` where something is wrong, which the reader has noted.
    vos: IndexMap<String, Option<Box<str>>>,
    /// The bytes of all VOs so far.
    bytes: usize,
    most: usize,
    /// Where each VO is written first, so that what is kept of it is no larger than it is.
    scratch: Vec<u8>,
}

impl Gradual {
    /// For a document of at most so many bytes, as it is served.
    pub fn new(most: usize) -> Self {
        Self { reader: Reader::default(), vos: IndexMap::new(), bytes: 0, most, scratch: Vec::new() }
    }

    /// The VOs begin; what came before counts no more.
    pub fn begin(&mut self) {
        *self = Self::new(self.most);
    }

    /// The next VO. Of several with one name the last counts.
    pub fn vo(&mut self, name: String, value: Value) {
        if self.vos.contains_key(&name) {
            self.reader.forget(&[REGISTRY, &name]);
        }
        let (name, vo) =
            self.reader.at(Step::Name(REGISTRY), |reader| reader.entry::<RegistryVo>(name, value));
        let text = vo.map(|vo| self.write(&vo));
        self.bytes += text.as_ref().map_or(0, |text| text.len());
        // What is too much is checked, and not kept.
        let text = if self.bytes > self.most { text.map(|_| Box::default()) } else { text };
        self.vos.insert(name, text);
    }

    fn write(&mut self, vo: &RegistryVo) -> Box<str> {
        self.scratch.clear();
        match serde_json::to_writer(&mut self.scratch, vo) {
            Ok(()) => String::from_utf8_lossy(&self.scratch).into(),
            Err(_) => super::unreachable_json().into(),
        }
    }

    /// The rest of the document.
    pub fn finish(self, mut rest: Value) -> Result<Served, GradualError> {
        let Self { mut reader, mut vos, bytes, most, .. } = self;
        let operations = operations::take(&mut rest);
        if let Some(Value::Object(merged)) = rest.get_mut(REGISTRY) {
            // What a VO is merged with counts only where there is no such VO.
            merged.retain(|name, _| !vos.contains_key(name));
        }
        let names: Vec<String> = vos.keys().cloned().chain(super::vo_names(&rest)).collect();
        let config = Config::read(&mut reader, rest);
        let mut frame = match &config {
            Some(config) => Frame::of(config, most),
            None => Frame::default(),
        };
        frame.is_full |= bytes > most;
        operations::expand(&mut reader, operations, &names, |vo, operations| {
            frame.operations(&vo, operations);
        });
        let config = reader.end(config)?;
        vos.extend(config.registry.iter().map(|(name, vo)| (name.clone(), Some(json(vo).into()))));
        let count = vos.len();
        frame.make_room(
            vos.iter().map(|(name, text)| name.len() + text.as_ref().map_or(0, |text| text.len())).sum(),
        );
        let document = frame.fill(vos.into_iter().filter_map(|(name, text)| Some((name, text?))));
        document.map(|document| Served { document, vos: count }).ok_or(GradualError::TooLarge { most })
    }
}

/// The document with two gaps: for what VOs tune, and for the VOs themselves.
#[derive(Default)]
struct Frame {
    text: String,
    /// What comes behind the VOs.
    tail: String,
    most: usize,
    is_full: bool,
    /// What was written last, as many VOs tune nothing.
    last: Option<(SharedOperations, String)>,
}

impl Frame {
    const GAPS: &str = r#""Operations":{},"Registry":{}"#;

    /// Of everything that is left when VOs and what they tune are taken out.
    fn of(config: &Config, most: usize) -> Self {
        let rest = Config {
            dirac: config.dirac.clone(),
            operations: IndexMap::new(),
            registry: IndexMap::new(),
            resources: config.resources.clone(),
            local_site: config.local_site.clone(),
            log_level: config.log_level.clone(),
            mc_testing_destination: config.mc_testing_destination.clone(),
            systems: config.systems.clone(),
            web_app: config.web_app.clone(),
        };
        let text = json(&rest);
        // The first section is of fixed keys, so this is where the gaps are.
        let (head, tail) = text.split_once(Self::GAPS).unwrap_or((&text, ""));
        Self {
            text: format!(r#"{head}"Operations":{{"#),
            tail: tail.to_owned(),
            most,
            is_full: text.len() > most,
            last: None,
        }
    }

    fn operations(&mut self, vo: &str, operations: SharedOperations) {
        if self.last.as_ref().is_none_or(|(last, _)| !last.is_same(&operations)) {
            let text = json(&*operations);
            self.last = Some((operations, text));
        }
        if let Some((operations, text)) = self.last.take() {
            self.entry(vo, &text);
            self.last = Some((operations, text));
        }
    }

    /// At once for VOs of so many bytes: a text that grows is in memory twice whenever it moves.
    fn make_room(&mut self, vos: usize) {
        if vos <= self.most {
            self.text.reserve_exact(vos + vos / 64 + self.tail.len() + Self::GAPS.len());
        }
    }

    /// The whole document; `None` if it is too much.
    fn fill(mut self, vos: impl Iterator<Item = (String, Box<str>)>) -> Option<String> {
        self.close();
        self.text.push_str(r#","Registry":{"#);
        for (name, text) in vos {
            self.entry(&name, &text);
        }
        self.close();
        self.text.push_str(&self.tail);
        (!self.is_full && self.text.len() <= self.most).then_some(self.text)
    }

    fn entry(&mut self, name: &str, text: &str) {
        self.is_full |= self.text.len() + text.len() > self.most;
        if !self.is_full {
            self.text.push_str(&json(name));
            self.text.push(':');
            self.text.push_str(text);
            self.text.push(',');
        }
    }

    fn close(&mut self) {
        if self.text.ends_with(',') {
            self.text.pop();
        }
        self.text.push('}');
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| super::unreachable_json())
}
