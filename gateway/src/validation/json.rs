//! Reads JSON, and when that fails says where, as Python's decoder would.

use serde_json::{Value, json};

use super::{Loc, Problems};

/// Reads a text. Nesting is bounded by serde_json, so that no text exhausts the stack.
pub(crate) fn parse(text: &str) -> Result<Value, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        let (position, message) =
            first_error(text).unwrap_or_else(|| (position(text, &error), plain(&error)));
        let mut problems = Problems::default();
        let nothing = json!({});
        let context = json!({ "error": message });
        problems.add_with("json_invalid", &Loc::BODY.index(position), "JSON decode error", &nothing, context);
        problems
    })
}

/// Where serde_json gave up, in characters from the start.
fn position(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let bytes = (before + error.column()).saturating_sub(1);
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

/// serde_json's sentence without its own position.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The first syntax error, with its position in characters. None if Python would read the text.
fn first_error(text: &str) -> Option<(usize, String)> {
    let mut scanner = Scanner { chars: text.chars().collect(), at: 0 };
    scanner.document().err().map(|(at, message)| (at, message.to_owned()))
}

type Found = (usize, &'static str);

const VALUE: &str = "Expecting value";
const COMMA: &str = "Expecting ',' delimiter";
const COLON: &str = "Expecting ':' delimiter";
const NAME: &str = "Expecting property name enclosed in double quotes";

/// Walks a text with its own stack, as deep as it likes.
struct Scanner {
    chars: Vec<char>,
    at: usize,
}

impl Scanner {
    fn document(&mut self) -> Result<(), Found> {
        let mut open: Vec<char> = Vec::new();
        self.blanks();
        'value: loop {
            match self.peek() {
                Some('[') => {
                    self.step();
                    if self.peek() != Some(']') {
                        open.push('[');
                        continue 'value;
                    }
                    self.at += 1;
                }
                Some('{') => {
                    self.step();
                    if self.peek() != Some('}') {
                        open.push('{');
                        self.name()?;
                        continue 'value;
                    }
                    self.at += 1;
                }
                _ => self.scalar()?,
            }
            loop {
                self.blanks();
                match (open.last(), self.peek()) {
                    (None, None) => return Ok(()),
                    (None, Some(_)) => return Err((self.at, "Extra data")),
                    (Some('['), Some(']')) | (Some('{'), Some('}')) => {
                        self.at += 1;
                        open.pop();
                    }
                    (Some(kind), Some(',')) => {
                        let in_object = *kind == '{';
                        self.step();
                        if in_object {
                            self.name()?;
                        }
                        continue 'value;
                    }
                    (Some(_), _) => return Err((self.at, COMMA)),
                }
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    /// Over one character and the blanks behind it.
    fn step(&mut self) {
        self.at += 1;
        self.blanks();
    }

    /// The name of a member and its colon.
    fn name(&mut self) -> Result<(), Found> {
        if self.peek() != Some('"') {
            return Err((self.at, NAME));
        }
        self.string()?;
        self.blanks();
        if self.peek() != Some(':') {
            return Err((self.at, COLON));
        }
        self.step();
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Found> {
        if self.peek() == Some('"') {
            return self.string();
        }
        for word in ["null", "true", "false", "NaN", "Infinity", "-Infinity"] {
            if self.starts_with(word) {
                self.at += word.len();
                return Ok(());
            }
        }
        self.number()
    }

    fn starts_with(&self, word: &str) -> bool {
        word.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    fn digits(&self, from: usize) -> usize {
        self.chars.iter().skip(from).take_while(|c| c.is_ascii_digit()).count()
    }

    /// As much of a number as there is: `1.` is the number 1 with something behind it.
    fn number(&mut self) -> Result<(), Found> {
        let start = self.at + usize::from(self.peek() == Some('-'));
        let mut end = match self.chars.get(start) {
            Some('0') => start + 1,
            Some('1'..='9') => start + self.digits(start),
            _ => return Err((self.at, VALUE)),
        };
        if self.chars.get(end) == Some(&'.') {
            let fraction = self.digits(end + 1);
            if fraction > 0 {
                end += 1 + fraction;
            }
        }
        if matches!(self.chars.get(end), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.chars.get(end + 1), Some('+' | '-')));
            let exponent = self.digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        self.at = end;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Found> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err((start, "Unterminated string starting at")),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('\\') => self.escape(start)?,
                Some(c) if c < ' ' => return Err((self.at, "Invalid control character at")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, start: usize) -> Result<(), Found> {
        match self.chars.get(self.at + 1) {
            None => Err((start, "Unterminated string starting at")),
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
                self.at += 2;
                Ok(())
            }
            Some('u') => {
                let digits = self.chars.iter().skip(self.at + 2).take(4);
                if digits.filter(|c| c.is_ascii_hexdigit()).count() < 4 {
                    return Err((self.at + 1, "Invalid \\uXXXX escape"));
                }
                self.at += 6;
                Ok(())
            }
            Some(_) => Err((self.at, "Invalid \\escape")),
        }
    }
}
