//! Splitting a command line as a shell would, without a shell: nothing in it is ever executed or expanded.

/// A command line that ends inside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Arguments have a quote that is not closed")]
pub(super) struct UnclosedQuote;

/// The words of a command line. Single quotes keep everything, double quotes all but `\"`, `\\`, `\$` and
/// `` \` ``, a backslash elsewhere keeps the next character.
pub(super) fn split(line: &str) -> Result<Vec<String>, UnclosedQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => single_quoted(&mut rest, word.get_or_insert_default())?,
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => match rest.next() {
                Some('\n') => {}
                Some(kept) => word.get_or_insert_default().push(kept),
                None => word.get_or_insert_default().push('\\'),
            },
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), UnclosedQuote> {
    loop {
        match rest.next().ok_or(UnclosedQuote)? {
            '\'' => return Ok(()),
            kept => word.push(kept),
        }
    }
}

fn double_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), UnclosedQuote> {
    loop {
        match rest.next().ok_or(UnclosedQuote)? {
            '"' => return Ok(()),
            '\\' => match rest.next().ok_or(UnclosedQuote)? {
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                '\n' => {}
                other => word.extend(['\\', other]),
            },
            kept => word.push(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{UnclosedQuote, split};

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        #[track_caller]
        fn check(line: &str, expected: &[&str]) {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
        check("", &[]);
        check("  ", &[]);
        check("one two\tthree\nfour", &["one", "two", "three", "four"]);
        check("-c 'echo \"a b\"; exit 3'", &["-c", "echo \"a b\"; exit 3"]);
        check(r#""a \"b\" \n" c\ d"#, &["a \"b\" \\n", "c d"]);
        check("''", &[""]);
        check("a''b\"c\"", &["abc"]);
        check("$HOME `id` *", &["$HOME", "`id`", "*"]);
        check("tail\\", &["tail\\"]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for line in ["'a", "\"a", "a 'b c", "\"\\"] {
            assert_eq!(split(line), Err(UnclosedQuote), "{line}");
        }
    }
}
