//! Where in a request a problem is.

use serde::Serialize;

/// A place in a request: `body`, then names and positions. Lives on the stack while the request is taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loc<'a> {
    parent: Option<&'a Loc<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// One step of a place, as the answer shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Segment {
    /// A member of an object, or a parameter.
    Name(String),
    /// A position in a list, or in the text.
    Index(usize),
}

impl<'a> Loc<'a> {
    /// The body itself.
    pub(crate) const BODY: Loc<'static> = Loc { parent: None, step: Step::Name("body") };
    /// The headers.
    pub(crate) const HEADER: Loc<'static> = Loc { parent: None, step: Step::Name("header") };
    /// The path.
    pub(crate) const PATH: Loc<'static> = Loc { parent: None, step: Step::Name("path") };
    /// The query.
    pub(crate) const QUERY: Loc<'static> = Loc { parent: None, step: Step::Name("query") };

    /// A member below here.
    pub(crate) fn field(&'a self, name: &'a str) -> Loc<'a> {
        Loc { parent: Some(self), step: Step::Name(name) }
    }

    /// A position below here.
    pub(crate) fn index(&'a self, index: usize) -> Loc<'a> {
        Loc { parent: Some(self), step: Step::Index(index) }
    }

    /// The whole way down to here.
    pub(crate) fn path(&self) -> Vec<Segment> {
        let mut path = Vec::with_capacity(6);
        let mut here = Some(self);
        while let Some(loc) = here {
            path.push(match loc.step {
                Step::Name(name) => Segment::Name(name.to_owned()),
                Step::Index(index) => Segment::Index(index),
            });
            here = loc.parent;
        }
        path.reverse();
        path
    }
}
