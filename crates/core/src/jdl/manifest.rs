//! The manifest: the options of a job with the meaning of their values, in order.

use super::{
    MAX_TEXT_BYTES,
    error::{Located, Position, Problem},
    number::strip,
    record::{Entry, OrderedMap, Value},
    value::{Written, clean, write},
};

/// An option or a section of options.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// One text; a list is a text with commas.
    Option { text: String, at: Option<Position> },
    /// Options of their own.
    Section(Manifest),
}

/// Options by name. A name with slashes leads through sections.
#[derive(Debug, Clone, Default)]
pub(super) struct Manifest {
    nodes: OrderedMap<Node>,
}

impl Manifest {
    /// The manifest that `entries` describe.
    pub(super) fn from_record(entries: Vec<Entry>) -> Result<Self, Located> {
        let mut manifest = Self::default();
        for Entry { key, at, value } in entries {
            let placed = |problem| Located::at(problem, at);
            match value {
                Value::Text(written) => {
                    let text = clean(&key, &written).map_err(placed)?;
                    manifest.set_at(&key, text, Some(at)).map_err(placed)?;
                }
                Value::Record(entries) => {
                    let section = Self::from_record(entries)?;
                    manifest.add_section(&key, section).map_err(placed)?;
                }
            }
        }
        Ok(manifest)
    }

    /// Sets an option of the outermost level, where it is or at the end.
    pub(super) fn set(&mut self, key: &str, text: impl Into<String>) {
        self.nodes.set(key, Node::Option { text: text.into(), at: None });
    }

    fn set_at(&mut self, path: &str, text: String, at: Option<Position>) -> Result<(), Problem> {
        if let Some((parent, name)) = self.parent(path)? {
            parent.nodes.set(name, Node::Option { text, at });
        }
        Ok(())
    }

    fn add_section(&mut self, path: &str, section: Self) -> Result<(), Problem> {
        let Some((parent, name)) = self.parent(path)? else { return Ok(()) };
        if parent.nodes.contains(name) {
            return Err(Problem::KeyExists(name.to_owned()));
        }
        parent.nodes.set(name, Node::Section(section));
        Ok(())
    }

    /// The section that `path` leads to, and the last name of it. Nothing if a section on the way
    /// does not exist: DIRAC drops such options without a word, and jobs rely on being accepted.
    fn parent<'a, 'p>(&'a mut self, path: &'p str) -> Result<Option<(&'a mut Self, &'p str)>, Problem> {
        let mut names = path.split('/').map(strip).filter(|name| !name.is_empty()).peekable();
        let mut section = self;
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return Ok(Some((section, name)));
            }
            section = match section.nodes.get_mut(name) {
                Some(Node::Section(inner)) => inner,
                Some(Node::Option { .. }) => return Err(Problem::NotASection(name.to_owned())),
                None => return Ok(None),
            };
        }
        Ok(None)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.nodes.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter()
    }

    /// How many options there are, with those of sections.
    pub(super) fn options(&self) -> usize {
        let inside = |node: &Node| match node {
            Node::Option { .. } => 1,
            Node::Section(section) => 1 + section.options(),
        };
        self.iter().map(|(_, node)| inside(node)).sum()
    }

    /// The text of an option; nothing if there is none, a problem if it is a section.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<&str>, Problem> {
        match self.get(key) {
            None => Ok(None),
            Some(Node::Option { text, .. }) => Ok(Some(text)),
            Some(Node::Section(_)) => Err(Problem::NotAValue(key)),
        }
    }

    /// Where the option was written.
    pub(super) fn position(&self, key: &str) -> Option<Position> {
        match self.get(key) {
            Some(Node::Option { at, .. }) => *at,
            _ => None,
        }
    }

    /// The manifest as JDL, in its own order.
    pub(super) fn print(&self) -> Result<String, Problem> {
        let mut out = String::new();
        self.print_to(&mut out, 0)?;
        Ok(out)
    }

    fn print_to(&self, out: &mut String, level: usize) -> Result<(), Problem> {
        let (outer, inner) = ("  ".repeat(level), "  ".repeat(level + 1));
        out.push_str(&outer);
        out.push_str("[\n");
        for (key, node) in self.iter() {
            for part in [&inner, key, " ="] {
                out.push_str(part);
            }
            print_node(out, key, node, level + 1)?;
            out.push_str(";\n");
            if out.len() > MAX_TEXT_BYTES {
                return Err(Problem::TooLong);
            }
        }
        out.push_str(&outer);
        out.push(']');
        Ok(())
    }
}

/// What stands between `=` and `;`.
fn print_node(out: &mut String, key: &str, node: &Node, level: usize) -> Result<(), Problem> {
    match node {
        Node::Section(section) => {
            out.push('\n');
            section.print_to(out, level)
        }
        Node::Option { text, .. } => {
            match write(key, text) {
                Written::Scalar(item) => {
                    out.push(' ');
                    out.push_str(&item);
                }
                Written::List(items) => {
                    let indent = "  ".repeat(level);
                    let inner = format!("\n{indent}  ");
                    out.push('\n');
                    out.push_str(&indent);
                    out.push('{');
                    for (i, item) in items.iter().enumerate() {
                        out.push_str(if i == 0 { "" } else { "," });
                        out.push_str(&inner);
                        out.push_str(item);
                        if out.len() > MAX_TEXT_BYTES {
                            return Err(Problem::TooLong);
                        }
                    }
                    out.push('\n');
                    out.push_str(&indent);
                    out.push('}');
                }
            }
            Ok(())
        }
    }
}

/// The value of `key` as written by [`Manifest::print`], on one line.
pub(super) fn written_on_one_line(key: &str, node: &Node) -> Result<String, Problem> {
    let mut out = String::new();
    print_node(&mut out, key, node, 1)?;
    Ok(strip(&out).replace('\n', ""))
}
