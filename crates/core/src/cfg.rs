//! DIRAC's CFG format: nested sections of options, every value a text.
//!
//! ```text
//! # a comment, on a line of its own
//! Section
//! {
//!   Option = a value, up to the end of the line
//!   Option += and what goes behind it, after a comma
//! }
//! ```
//!
//! Read in one pass, with the place of what is wrong. Where DIRAC's own reader guesses or drops something
//! silently (text that belongs to nothing, a section that begins and holds an option on one line), this one refuses.

use serde_json::{Map, Value};

/// A longer text is refused, bytes. The largest installations have some five million.
pub const MAX_BYTES: usize = 64 << 20;

/// More sections within each other are refused.
pub const MAX_DEPTH: usize = 64;

/// Text that is no CFG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct CfgError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A section: options are texts, sections are objects. In the order of the text.
pub type Section = Map<String, Value>;

/// Reads a CFG.
pub fn parse(text: &str) -> Result<Section, CfgError> {
    let mut reader = Reader { open: vec![Open::default()], name: None, line: 0 };
    if text.len() > MAX_BYTES {
        return Err(reader.error(1, format!("the text is longer than {MAX_BYTES} bytes")));
    }
    for (number, line) in text.split('\n').enumerate() {
        reader.line = number + 1;
        reader.read(line)?;
    }
    reader.finish()
}

/// A section that has begun and not ended.
#[derive(Default)]
struct Open {
    name: String,
    line: usize,
    content: Section,
}

struct Reader {
    /// From the outermost, which has no name, to the innermost.
    open: Vec<Open>,
    /// A name that waits for its brace, and where it stands.
    name: Option<(String, usize, usize)>,
    line: usize,
}

impl Reader {
    fn error(&self, column: usize, message: impl Into<String>) -> CfgError {
        CfgError { line: self.line.max(1), column, message: message.into() }
    }

    fn read(&mut self, line: &str) -> Result<(), CfgError> {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if let Some(equals) = text.find('=') {
            let before = &text[..equals];
            // A brace behind the sign is part of the value.
            if let Some(brace) = before.find(['{', '}']) {
                let column = indent + before[..brace].chars().count() + 1;
                return Err(self.error(column, "an option must have a line to itself"));
            }
            self.no_name_waits()?;
            let value = text[equals + 1..].trim();
            return match before.strip_suffix('+') {
                Some(name) => self.append(name.trim(), value, indent + 1),
                None => self.set(before.trim(), value, indent + 1),
            };
        }
        let mut rest = text;
        let mut column = indent + 1;
        while !rest.is_empty() {
            let end = rest.find(['{', '}']).unwrap_or(rest.len());
            let name = rest[..end].trim();
            if !name.is_empty() {
                self.no_name_waits()?;
                self.name = Some((name.to_owned(), self.line, column));
            }
            column += rest[..end].chars().count();
            match rest[end..].chars().next() {
                Some('{') => self.begin(column)?,
                Some(_) => self.end(column)?,
                None => break,
            }
            column += 1;
            rest = &rest[end + 1..];
        }
        Ok(())
    }

    /// A name must be followed by a brace.
    fn no_name_waits(&self) -> Result<(), CfgError> {
        match &self.name {
            None => Ok(()),
            Some((name, line, column)) => Err(CfgError {
                line: *line,
                column: *column,
                message: format!("{} is followed by neither = nor {{", quote(name)),
            }),
        }
    }

    fn begin(&mut self, column: usize) -> Result<(), CfgError> {
        let Some((name, line, at)) = self.name.take() else {
            return Err(self.error(column, "a section must have a name"));
        };
        if self.open.len() > MAX_DEPTH {
            return Err(self.error(column, format!("sections are nested deeper than {MAX_DEPTH}")));
        }
        let (parent, last) = self.parent(&name, at)?;
        if parent.contains_key(last) {
            return Err(CfgError { line, column: at, message: format!("{} is there already", quote(&name)) });
        }
        self.open.push(Open { name, line, content: Section::new() });
        Ok(())
    }

    fn end(&mut self, column: usize) -> Result<(), CfgError> {
        self.no_name_waits()?;
        if self.open.len() == 1 {
            return Err(self.error(column, "no section is open that could end here"));
        }
        let Some(Open { name, content, .. }) = self.open.pop() else { return Ok(()) };
        let (parent, last) = self.parent(&name, column)?;
        let last = last.to_owned();
        parent.insert(last, Value::Object(content));
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str, column: usize) -> Result<(), CfgError> {
        let section = self.section_of(name, column)?;
        let (parent, last) = section;
        match parent.get_mut(last) {
            Some(Value::Object(_)) => {
                Err(self.error(column, format!("{} is a section already", quote(name))))
            }
            // As in DIRAC the last one counts.
            Some(old) => {
                *old = Value::String(value.to_owned());
                Ok(())
            }
            None => {
                parent.insert(last.to_owned(), Value::String(value.to_owned()));
                Ok(())
            }
        }
    }

    fn append(&mut self, name: &str, value: &str, column: usize) -> Result<(), CfgError> {
        let (parent, last) = self.section_of(name, column)?;
        match parent.get_mut(last) {
            Some(Value::String(old)) => {
                old.push_str(", ");
                old.push_str(value);
                Ok(())
            }
            _ => Err(self.error(column, format!("there is no option {} to append to", quote(name)))),
        }
    }

    fn section_of<'n>(&mut self, name: &'n str, column: usize) -> Result<(&mut Section, &'n str), CfgError> {
        if name.is_empty() {
            return Err(self.error(column, "an option must have a name"));
        }
        self.parent(name, column)
    }

    /// The section that `name` belongs into, and its last part: `a/b` is `b` in the section `a`.
    fn parent<'n>(&mut self, name: &'n str, column: usize) -> Result<(&mut Section, &'n str), CfgError> {
        let error = self.error(column, format!("there is no section for {}", quote(name)));
        let Some(open) = self.open.last_mut() else { return Err(error) };
        let mut section = &mut open.content;
        let mut parts = name.split('/').map(str::trim).filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return Ok((section, part));
            }
            match section.get_mut(part) {
                Some(Value::Object(inner)) => section = inner,
                _ => return Err(error),
            }
        }
        Err(error)
    }

    fn finish(mut self) -> Result<Section, CfgError> {
        self.no_name_waits()?;
        match self.open.pop() {
            Some(Open { name, line, content }) => {
                if self.open.is_empty() {
                    return Ok(content);
                }
                let message = format!("section {} does not end", quote(&name));
                Err(CfgError { line, column: 1, message })
            }
            None => Ok(Section::new()),
        }
    }
}

/// A name as a message shows it, however long it is.
fn quote(name: &str) -> String {
    const LONGEST: usize = 80;
    let short: String = name.chars().take(LONGEST).collect();
    let dots = if short.len() < name.len() { "…" } else { "" };
    format!("\"{short}{dots}\"")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Value) {
        assert_eq!(Value::Object(parse(text).unwrap()), *expected);
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn sections_options_and_comments_are_read_as_dirac_reads_them() {
        check("", &json!({}));
        check("a = 1\n b=  x = y # no comment \nc =", &json!({"a": "1", "b": "x = y # no comment", "c": ""}));
        check("A\n{\n  # b = 1\n  b = {x}\n}\n", &json!({"A": {"b": "{x}"}}));
        check("A { B { } C\n{\n} }", &json!({"A": {"B": {}, "C": {}}}));
        check("a = 1\na = 2\na += 3\na+=4", &json!({"a": "2, 3, 4"}));
        check("A\n{\n}\nA/b = 1\nA/C\n{\n  d = 2\n}\n", &json!({"A": {"b": "1", "C": {"d": "2"}}}));
        check("A\r\n{\r\n  b = ü\r\n}\r\n", &json!({"A": {"b": "ü"}}));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        refused("A\n{\n  b = 1\n", "line 1, column 1: section \"A\" does not end");
        refused("a = 1\n  }", "line 2, column 3: no section is open that could end here");
        refused("a = 1\n  lonely\n\nb = 2", "line 2, column 3: \"lonely\" is followed by neither = nor {");
        refused("lonely", "line 1, column 1: \"lonely\" is followed by neither = nor {");
        refused("{\n}", "line 1, column 1: a section must have a name");
        refused("  = 1", "line 1, column 3: an option must have a name");
        refused("A { b = 1 }", "line 1, column 3: an option must have a line to itself");
        refused("A\n{\n}\nA\n{\n}", "line 4, column 1: \"A\" is there already");
        refused("A\n{\n}\nA = 1", "line 4, column 1: \"A\" is a section already");
        refused("a += 1", "line 1, column 1: there is no option \"a\" to append to");
        refused("B/c = 1", "line 1, column 1: there is no section for \"B/c\"");
        refused("ü }", "line 1, column 1: \"ü\" is followed by neither = nor {");
    }

    #[test]
    fn what_is_too_deep_is_refused_and_what_is_long_is_read_quickly() {
        assert!(parse(&"a {".repeat(MAX_DEPTH)).unwrap_err().message.contains("does not end"));
        assert!(parse(&"a {".repeat(100_000)).unwrap_err().message.contains("nested deeper"));
        let started = std::time::Instant::now();
        let many: String = (0..100_000).map(|i| format!("o{i} = x\nlist{} = 1\n", i % 7)).collect();
        assert_eq!(parse(&many).unwrap().len(), 100_007);
        let long = format!("a = 1\n{}", "a += 2\n".repeat(100_000));
        assert_eq!(parse(&long).unwrap().len(), 1);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
