//! The text of a YAML document as a tree that knows the place of everything in it.
//!
//! [`yaml::parse`](crate::yaml::parse) says what a document means; this says where it says so. It is needed
//! only for messages and for changes of the text, so it is made only then, of texts that `parse` accepted.

use std::ops::Range;

use diracx_core::config::Place;
use serde_saphyr::granit_parser::{Event, Options, Parser, Span, StructureStyle};

/// A part of the document.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where it begins.
    pub(crate) place: Place,
    /// Its text in bytes. Of collections in block style only the beginning means something.
    pub(crate) range: Range<usize>,
    /// Whether it has an anchor or a tag, which would be lost with its text.
    pub(crate) marked: bool,
}

/// What a part of the document is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A text, a number, nothing.
    Scalar(String),
    /// A list.
    Sequence(Style, Vec<Node>),
    /// Keys and values.
    Mapping(Style, Vec<(Node, Node)>),
    /// Something that stands elsewhere.
    Alias,
}

/// How a collection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// By indentation.
    Block,
    /// In brackets.
    Flow,
}

/// A collection that is not complete.
struct Open {
    node: Node,
    /// A key that waits for its value.
    key: Option<Node>,
}

/// The tree of the first document in `text`; `None` if there is none or it cannot be read.
pub(crate) fn read(text: &str) -> Option<Node> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        let finished = match event {
            Event::Scalar(value, _, anchor, tag) => {
                node(Kind::Scalar(value.into_owned()), &span, anchor != 0 || tag.is_some())?
            }
            Event::Alias(_) => node(Kind::Alias, &span, true)?,
            Event::SequenceStart(style, anchor, tag) => {
                let kind = Kind::Sequence(style_of(style), Vec::new());
                open.push(Open { node: node(kind, &span, anchor != 0 || tag.is_some())?, key: None });
                continue;
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = Kind::Mapping(style_of(style), Vec::new());
                open.push(Open { node: node(kind, &span, anchor != 0 || tag.is_some())?, key: None });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let mut node = open.pop()?.node;
                node.range.end = span.end.byte_offset()?.max(node.range.start);
                node
            }
            Event::DocumentEnd | Event::StreamEnd => return None,
            _ => continue,
        };
        let Some(parent) = open.last_mut() else { return Some(finished) };
        match &mut parent.node.kind {
            Kind::Sequence(_, items) => items.push(finished),
            Kind::Mapping(_, entries) => match parent.key.take() {
                None => parent.key = Some(finished),
                Some(key) => entries.push((key, finished)),
            },
            Kind::Scalar(..) | Kind::Alias => return None,
        }
    }
    None
}

fn style_of(style: StructureStyle) -> Style {
    match style {
        StructureStyle::Block => Style::Block,
        StructureStyle::Flow => Style::Flow,
    }
}

fn node(kind: Kind, span: &Span, marked: bool) -> Option<Node> {
    let place = Place { line: span.start.line(), column: span.start.col() + 1 };
    Some(Node { kind, place, range: span.byte_range()?, marked })
}

impl Node {
    /// The key and the value of an entry. As for the reader, the last of several counts.
    pub(crate) fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        let Kind::Mapping(_, entries) = &self.kind else { return None };
        let is_it = |node: &Node| matches!(&node.kind, Kind::Scalar(text) if text == key);
        entries.iter().rev().find(|(name, _)| is_it(name)).map(|(name, value)| (name, value))
    }

    /// Where the text of it ends, however it is written.
    pub(crate) fn end(&self) -> usize {
        match &self.kind {
            Kind::Sequence(Style::Block, items) => items.last().map_or(self.range.start, Node::end),
            Kind::Mapping(Style::Block, entries) => {
                // A value that is not there has no end of its own.
                let end = |(key, value): &(Node, Node)| {
                    if value.range.is_empty() && matches!(value.kind, Kind::Scalar(..)) {
                        key.range.end
                    } else {
                        value.end()
                    }
                };
                entries.last().map_or(self.range.start, end)
            }
            _ => self.range.end,
        }
    }
}
