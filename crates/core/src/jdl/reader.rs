//! The one reader of JDL: text in, records out, in a single pass.
//!
//! `;` ends an option, `=` its key, `[ ]` enclose a record, and quotes protect all of them inside
//! a value. There are no comments and no escapes. Text after the closing bracket is ignored, as
//! DIRAC does; an option whose quote never closes is dropped with all that follows, as DIRAC does.

use super::{
    MAX_DEPTH, MAX_TEXT_BYTES,
    error::{Located, Position, Problem},
    number::{is_blank, strip},
    record::{Entry, Value},
};

/// A description in brackets, and where its first character stood in the text it came from.
#[derive(Debug, Clone)]
pub(super) struct Wrapped {
    pub(super) text: String,
    start: Position,
}

impl Wrapped {
    /// Trims `text` and puts it in brackets, unless it begins and ends with one.
    pub(super) fn new(text: &str) -> Result<Self, Located> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Problem::TooLong.into());
        }
        let mut start = Position { line: 1, column: 1 };
        for c in text.chars().take_while(|c| is_blank(*c)) {
            start = after(start, c);
        }
        let trimmed = strip(text);
        if trimmed.len() >= 2 && trimmed.starts_with('[') && trimmed.ends_with(']') {
            return Ok(Self { text: trimmed.to_owned(), start });
        }
        // our own bracket stands before the first character, so positions keep pointing into `text`
        start.column -= 1;
        Ok(Self { text: format!("[{trimmed}]"), start })
    }

    /// Reads the record.
    pub(super) fn read(&self) -> Result<Vec<Entry>, Located> {
        Reader::default().read(&self.text, self.start)
    }
}

fn after(at: Position, c: char) -> Position {
    if c == '\n' {
        Position { line: at.line.saturating_add(1), column: 1 }
    } else {
        Position { line: at.line, column: at.column.saturating_add(1) }
    }
}

/// A record that is open, and the key it will be stored under.
struct Open {
    key: String,
    at: Position,
    entries: Vec<Entry>,
}

/// What is being read right now.
#[derive(Default)]
struct Reader {
    outer: Vec<Open>,
    entries: Vec<Entry>,
    key: String,
    key_at: Option<Position>,
    value: String,
    in_value: bool,
    in_quotes: bool,
    ended: Option<String>,
}

impl Reader {
    fn read(mut self, text: &str, start: Position) -> Result<Vec<Entry>, Located> {
        let mut at = start;
        let mut chars = text.chars();
        if chars.next() == Some('[') {
            at = after(at, '[');
        } else {
            chars = text.chars();
        }
        for c in chars {
            if self.ended.is_some() && c != ';' && c != ']' {
                let key = self.ended.take().unwrap_or_default();
                return Err(Located::at(Problem::RecordNotEnded(key), at));
            }
            self.ended = None;
            match c {
                _ if self.in_quotes => {
                    self.value.push(c);
                    self.in_quotes = c != '"';
                }
                ';' => self.end_option(at)?,
                '[' => self.open_record(at)?,
                ']' => {
                    self.end_option(at)?;
                    if !self.close_record() {
                        return Ok(self.entries);
                    }
                }
                '=' if !self.in_value => self.in_value = true,
                _ if self.in_value => {
                    self.value.push(c);
                    self.in_quotes = c == '"';
                }
                _ => {
                    if self.key_at.is_none() && !is_blank(c) {
                        self.key_at = Some(at);
                    }
                    self.key.push(c);
                }
            }
            at = after(at, c);
        }
        if !self.in_quotes {
            let at = self.outer.last().map_or(start, |open| open.at);
            return Err(Located::at(Problem::BracketNotClosed, at));
        }
        while self.close_record() {}
        Ok(self.entries)
    }

    fn end_option(&mut self, at: Position) -> Result<(), Located> {
        let at = self.key_at.take().unwrap_or(at);
        let key = strip(&self.key);
        let value = strip(&self.value);
        if !key.is_empty() {
            if value.is_empty() {
                return Err(Located::at(Problem::NoValue(key.to_owned()), at));
            }
            self.entries.push(Entry { key: key.to_owned(), at, value: Value::Text(value.to_owned()) });
        }
        self.clear();
        Ok(())
    }

    fn open_record(&mut self, at: Position) -> Result<(), Located> {
        let key = strip(&self.key).to_owned();
        if key.is_empty() {
            return Err(Located::at(Problem::RecordWithoutKey, at));
        }
        if !strip(&self.value).is_empty() {
            return Err(Located::at(Problem::ValueBeforeRecord(key), at));
        }
        if self.outer.len() + 1 >= MAX_DEPTH {
            return Err(Located::at(Problem::TooDeep, at));
        }
        let at = self.key_at.take().unwrap_or(at);
        self.clear();
        self.outer.push(Open { key, at, entries: std::mem::take(&mut self.entries) });
        Ok(())
    }

    /// Stores the innermost record under its key; false if it was the outermost.
    fn close_record(&mut self) -> bool {
        let Some(Open { key, at, entries }) = self.outer.pop() else { return false };
        let record = std::mem::replace(&mut self.entries, entries);
        self.entries.push(Entry { key: key.clone(), at, value: Value::Record(record) });
        self.ended = Some(key);
        true
    }

    fn clear(&mut self) {
        self.key.clear();
        self.key_at = None;
        self.value.clear();
        self.in_value = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (Problem, Option<(u32, u32)>) {
        let located = Wrapped::new(text).and_then(|w| w.read()).expect_err(text);
        (located.problem, located.at.map(|at| (at.line, at.column)))
    }

    fn keys(text: &str) -> Vec<String> {
        let entries = Wrapped::new(text).and_then(|w| w.read()).expect(text);
        entries.into_iter().map(|e| e.key).collect()
    }

    #[test]
    fn quotes_protect_everything_inside_a_value() {
        assert_eq!(keys(r#"Arguments = "x; y = [1]"; B = 1;"#), ["Arguments", "B"]);
    }

    #[test]
    fn a_quote_that_never_closes_drops_its_option_and_the_rest() {
        assert_eq!(keys(r#"A = 1; Executable = "a; B = 2;"#), ["A"]);
    }

    #[test]
    fn problems_point_into_the_text_as_it_was_submitted() {
        assert_eq!(problem("garbage"), (Problem::NoValue("garbage".into()), Some((1, 1))));
        assert_eq!(problem("\n  A = 1;\n  B = ;"), (Problem::NoValue("B".into()), Some((3, 3))));
        assert_eq!(problem("[A = 1;\n= [B = 1;];]"), (Problem::RecordWithoutKey, Some((2, 3))));
        assert_eq!(problem("A = x [B=1;];"), (Problem::ValueBeforeRecord("A".into()), Some((1, 7))));
    }

    #[test]
    fn records_must_be_closed_and_ended() {
        assert_eq!(problem("A = [B=1;] C=2;"), (Problem::RecordNotEnded("A".into()), Some((1, 11))));
        assert_eq!(problem("A = [B=1;] ;").0, Problem::RecordNotEnded("A".into()));
        assert_eq!(problem("[A = [B=1;]").0, Problem::BracketNotClosed);
        assert_eq!(problem("[a=1;").0, Problem::RecordWithoutKey);
        assert_eq!(keys("[A = [B=1;]]"), ["A"]);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert_eq!(problem(&"a=[".repeat(1000)).0, Problem::TooDeep);
        assert_eq!(problem(&"a=1;".repeat(MAX_TEXT_BYTES / 2)).0, Problem::TooLong);
    }
}
