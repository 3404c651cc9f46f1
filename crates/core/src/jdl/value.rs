//! What a written value means: texts lose their quotes, lists become one text with commas.

use super::{
    error::Problem,
    number::{float, strip},
};

/// The options that are never lists, however many commas they have.
const NEVER_LISTS: [&str; 4] = ["Arguments", "Executable", "StdOutput", "StdError"];

/// The items of a text with commas: trimmed, without empty ones.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(strip).filter(|piece| !piece.is_empty())
}

/// The text that the manifest stores for `written`, the value of `key`.
pub(super) fn clean(key: &str, written: &str) -> Result<String, Problem> {
    let written = strip(written);
    let Some(inside) = written.strip_prefix('{') else { return clean_scalar(key, written) };
    let inside = inside.strip_suffix('}').ok_or_else(|| Problem::ListNotClosed(written.to_owned()))?;
    let items = pieces(inside).map(|piece| clean_scalar(key, piece)).collect::<Result<Vec<_>, _>>()?;
    Ok(items.join(", "))
}

/// Quoted texts are joined; what stands behind the last one is dropped, as DIRAC does.
fn clean_scalar(key: &str, written: &str) -> Result<String, Problem> {
    if !written.starts_with('"') {
        return Ok(written.replace('"', ""));
    }
    let mut parts = written.split('"').skip(1);
    let mut cleaned = String::with_capacity(written.len());
    while let Some(quoted) = parts.next() {
        let Some(between) = parts.next() else { return Err(Problem::QuoteNotClosed(key.to_owned())) };
        cleaned.push_str(quoted);
        if parts.clone().next().is_none() {
            break;
        }
        if strip(between) != "," {
            return Err(Problem::ListWithoutCommas(key.to_owned()));
        }
        cleaned.push_str(", ");
    }
    Ok(cleaned)
}

/// How a stored text is written in a JDL.
pub(super) enum Written {
    /// In one piece.
    Scalar(String),
    /// In braces.
    List(Vec<String>),
}

/// Writes the text stored for `key`: numbers bare, texts in quotes, texts with commas as lists.
pub(super) fn write(key: &str, stored: &str) -> Written {
    let items: Vec<&str> = pieces(stored).collect();
    if items.len() < 2 || NEVER_LISTS.contains(&key) {
        return Written::Scalar(write_item(stored));
    }
    Written::List(items.into_iter().map(write_item).collect())
}

fn write_item(item: &str) -> String {
    if float(item).is_some() { item.to_owned() } else { format!("\"{item}\"") }
}

/// Whether `written` is a list in braces.
pub(super) fn is_list(written: &str) -> bool {
    strip(written).starts_with('{')
}

/// The items of `written`, in braces or not. All blanks are lost; lists in it keep their braces.
pub(super) fn list_items(written: &str) -> Vec<String> {
    let stripped = strip(written);
    let listed = stripped.starts_with('{');
    let inside = match stripped.strip_prefix('{') {
        Some(rest) => rest.strip_suffix(|_: char| true).unwrap_or(rest),
        None => stripped,
    };
    let text: String = inside.chars().filter(|c| !matches!(c, ' ' | '\n')).collect();
    if !listed && !text.contains('{') {
        let text = text.replace('"', "");
        return if text.is_empty() { Vec::new() } else { text.split(',').map(str::to_owned).collect() };
    }
    let mut items = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let item;
        (item, rest) = if rest.starts_with('{') {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            let (item, rest) = rest.split_at(end);
            (item.to_owned(), rest.strip_prefix(',').unwrap_or(rest))
        } else if let Some(quoted) = rest.strip_prefix('"') {
            // a quote without a partner is an empty item, and what follows it is read on
            let (item, rest) = quoted.split_once('"').unwrap_or(("", quoted));
            (item.to_owned(), rest.strip_prefix(',').unwrap_or(rest))
        } else {
            let (item, rest) = rest.split_once(',').unwrap_or((rest, ""));
            (item.replace('"', ""), rest)
        };
        items.push(item);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cleaned() {
        let check = |written: &str, expected: Result<&str, Problem>| {
            assert_eq!(clean("K", written), expected.map(str::to_owned), "{written}");
        };
        check("ls", Ok("ls"));
        check("\"a b\"", Ok("a b"));
        check("\"x\",\"y\"", Ok("x, y"));
        check("\"a\" trailing", Ok("a"));
        check("{\"a\", , \"\", 1}", Ok("a, , 1"));
        check("{}", Ok(""));
        check("\"x\" \"y\"", Err(Problem::ListWithoutCommas("K".into())));
        check("{\"x,y\"}", Err(Problem::QuoteNotClosed("K".into())));
        check("{\"x\"", Err(Problem::ListNotClosed("{\"x\"".into())));
        check("\"a", Err(Problem::QuoteNotClosed("K".into())));
    }

    #[test]
    fn lists_lose_their_blanks() {
        let check = |written: &str, expected: &[&str]| assert_eq!(list_items(written), expected, "{written}");
        check(r#"{"a b", "c"}"#, &["ab", "c"]);
        check("a, b", &["a", "b"]);
        check(r#""x","y""#, &["x", "y"]);
        check(r#"{"a,b", "c"}"#, &["a,b", "c"]);
        check("{{a,b},{c,d}}", &["{a,b}", "{c,d}"]);
        check("{}", &[]);
        check(r#"{"a",""}"#, &["a", ""]);
        check(r#"{"a",}"#, &["a"]);
        check("", &[]);
        check("{{a", &["{"]);
    }
}
