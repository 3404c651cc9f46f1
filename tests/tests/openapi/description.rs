//! DiracX's description of its interface.

use diracx_tests::tokens::data;
use serde_json::Value;

/// The whole document.
pub(crate) struct Description(Value);

/// A method of a path.
pub(crate) struct Operation<'d> {
    pub(crate) method: String,
    pub(crate) path: &'d str,
    pub(crate) described: &'d Value,
}

impl Description {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(data("openapi.json")).expect("openapi.json");
        Self(serde_json::from_str(&text).expect("JSON"))
    }

    /// A part of the document.
    pub(crate) fn part(&self, name: &str) -> &Value {
        &self.0[name]
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.iter().map(move |(method, described)| Operation {
                method: method.to_uppercase(),
                path,
                described,
            })
        })
    }

    pub(crate) fn operation(&self, method: &str, path: &str) -> Operation<'_> {
        let found = self.operations().find(|operation| operation.method == method && operation.path == path);
        found.unwrap_or_else(|| panic!("{method} {path} is not described"))
    }

    /// The schema that a schema is, if it only refers to one.
    pub(crate) fn resolve<'d>(&'d self, schema: &'d Value) -> &'d Value {
        match schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
            Some(pointer) => self.0.pointer(pointer).expect("a schema"),
            None => schema,
        }
    }
}

impl Operation<'_> {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn needs_token(&self) -> bool {
        self.described["security"].as_array().is_some_and(|schemes| !schemes.is_empty())
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Value> {
        self.described["parameters"].as_array().into_iter().flatten()
    }

    /// The schema of an answer with this status.
    pub(crate) fn answer(&self, status: u16) -> Option<&Value> {
        self.described["responses"].get(status.to_string())
    }
}
