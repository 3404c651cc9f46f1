//! Regular expressions that every database understands, in one way.
//!
//! SQLite has Rust's engine here, MariaDB has PCRE, MySQL has ICU. What is written differently for one of them, or means
//! something else there, is refused before it is asked.

use regex::Regex;
use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassSetBinaryOp, ClassSetItem, Flag, Flags, FlagsItemKind, GroupKind,
    HexLiteralKind, Literal, LiteralKind, Repetition, RepetitionKind, RepetitionRange, Span,
    SpecialLiteralKind, Visitor, parse::Parser, visit,
};

use super::SearchError;

/// How often something may be repeated by number; PCRE and ICU have limits too.
const MOST_REPETITIONS: u32 = 1_000;

/// Checks a pattern.
pub(super) fn check(pattern: &str) -> Result<(), SearchError> {
    let invalid = |_| SearchError::InvalidRegex(pattern.to_owned());
    let written = Parser::new().parse(pattern).map_err(|error| invalid(error.to_string()))?;
    visit(&written, Common(pattern)).map_err(|span| SearchError::ForeignRegex {
        value: pattern.to_owned(),
        part: pattern[span.start.offset..span.end.offset].to_owned(),
    })?;
    // What is written well may still be too large.
    Regex::new(pattern).map(drop).map_err(|error| invalid(error.to_string()))
}

/// Finds what is not common to the engines.
struct Common<'p>(&'p str);

impl Visitor for Common<'_> {
    type Output = ();
    type Err = Span;

    fn finish(self) -> Result<(), Span> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Span> {
        let common = match ast {
            Ast::Flags(set) => flags(&set.flags),
            Ast::Literal(literal) => is_common(literal),
            Ast::Assertion(assertion) => assertion_is_common(assertion),
            Ast::Repetition(repetition) => self.repetition(repetition),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(set) => flags(set),
                GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => true,
            },
            Ast::ClassUnicode(_) => false,
            Ast::Empty(_)
            | Ast::Dot(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => true,
        };
        if common { Ok(()) } else { Err(*ast.span()) }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Span> {
        let common = match item {
            ClassSetItem::Literal(literal) => is_common(literal),
            ClassSetItem::Range(range) => is_common(&range.start) && is_common(&range.end),
            ClassSetItem::Unicode(_) | ClassSetItem::Bracketed(_) => false,
            ClassSetItem::Empty(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Union(_) => true,
        };
        if common { Ok(()) } else { Err(*item.span()) }
    }

    fn visit_class_set_binary_op_pre(&mut self, operation: &ClassSetBinaryOp) -> Result<(), Span> {
        Err(operation.span)
    }
}

impl Common<'_> {
    fn repetition(&self, repetition: &Repetition) -> bool {
        // Behind a repetition, `+` means "possessive" elsewhere; and not everything can be repeated there.
        let of_something = !matches!(
            *repetition.ast,
            Ast::Repetition(_) | Ast::Assertion(_) | Ast::Empty(_) | Ast::Flags(_)
        );
        let operator = &repetition.op;
        let bounded = match &operator.kind {
            RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => {
                *n <= MOST_REPETITIONS
            }
            RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n <= MOST_REPETITIONS,
            RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => true,
        };
        // `{,3}` is text elsewhere.
        of_something && bounded && !self.0[operator.span.start.offset..].starts_with("{,")
    }
}

fn is_common(literal: &Literal) -> bool {
    match &literal.kind {
        LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous => true,
        LiteralKind::HexFixed(kind) | LiteralKind::HexBrace(kind) => *kind == HexLiteralKind::X,
        LiteralKind::Special(kind) => *kind != SpecialLiteralKind::VerticalTab,
        LiteralKind::Octal => false,
    }
}

fn assertion_is_common(assertion: &Assertion) -> bool {
    use AssertionKind::{EndLine, EndText, NotWordBoundary, StartLine, StartText, WordBoundary};
    matches!(assertion.kind, StartLine | EndLine | StartText | EndText | WordBoundary | NotWordBoundary)
}

fn flags(flags: &Flags) -> bool {
    flags.items.iter().all(|item| match item.kind {
        FlagsItemKind::Negation => true,
        FlagsItemKind::Flag(flag) => {
            matches!(flag, Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_read_differently_is_refused_where_it_stands() {
        let part = |pattern: &str| match check(pattern) {
            Err(SearchError::ForeignRegex { part, .. }) => part,
            other => panic!("{pattern}: {other:?}"),
        };
        for (pattern, expected) in [
            ("(?u)a", "(?u)"),
            ("x(?x: a)", "(?x: a)"),
            (r"a\u0061", r"\u0061"),
            (r"\U00000061", r"\U00000061"),
            (r"\x{61}\v", r"\v"),
            (r"\p{Greek}+", r"\p{Greek}"),
            (r"[a\pL]", r"\pL"),
            ("[a-z&&b]", "a-z&&b"),
            ("[a[bc]]", "[bc]"),
            (r"[a-\u0062]", r"a-\u0062"),
            ("a**", "a**"),
            ("a*+", "a*+"),
            ("^*", "^*"),
            ("a{1001}", "a{1001}"),
            (r"\<a", r"\<"),
            (r"\b{start}", r"\b{start}"),
        ] {
            assert_eq!(part(pattern), expected, "{pattern}");
        }
        assert!(matches!(check("a{,3}"), Err(SearchError::InvalidRegex(_))));
    }

    #[test]
    fn usual_patterns_are_fine_and_nonsense_is_not() {
        for pattern in [
            "",
            "a",
            "^LCG\\.(CERN|GRIDKA)\\.(ch|de)$",
            "(?i)user",
            "[[:alpha:]]+",
            "a+?b{2,3}",
            "\\d\\s\\w\\x41",
            "(?P<name>a)",
            "(?s-m:.)",
            "[]a-z_-]",
            "\\Aa\\z",
            "\\ba\\B",
            "ä|ö|",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
        for pattern in
            ["(", "[", "a{2", "*", "(?<=a)b", r"(a)\1", "(?>a)", "[b-a]", "((((a{900}){900}){900}){900})"]
        {
            assert_eq!(check(pattern), Err(SearchError::InvalidRegex(pattern.to_owned())));
        }
    }
}
