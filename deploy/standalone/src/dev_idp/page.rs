//! The pages that a person sees.

use std::fmt::Write;

use axum::response::Html;

use super::{authorize::Login, people::Person};

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fafafa}button{display:block;width:100%;margin:.5rem 0;padding:.8rem;font:inherit;\
border:1px solid #8a8a8a;border-radius:.4rem;background:#fff;cursor:pointer;text-align:left}\
button:hover,button:focus{background:#e6f0ff;border-color:#2458a6}p.note{color:#555;font-size:.9rem}";

/// One button per person; a click logs in.
pub(super) fn choose(login: &Login, people: &[Person]) -> Html<String> {
    let mut body = "<h1>Who are you?</h1>\n<form method=\"get\" action=\"authorize\">\n".to_owned();
    for (name, value) in login.parameters() {
        let _ = writeln!(body, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value));
    }
    for person in people {
        let name = escaped(&person.name);
        let _ = writeln!(body, "<button name=\"login_hint\" value=\"{name}\">{name}</button>");
    }
    body.push_str(
        "</form>\n<p class=\"note\">This is the development identity provider of diracx-standalone. It asks for \
         no password and serves this machine only.</p>\n",
    );
    document("Log in", &body)
}

/// Why nobody can log in this way.
pub(super) fn refusal(problem: &str) -> Html<String> {
    document("Cannot log in", &format!("<h1>Cannot log in</h1>\n<p>{}</p>\n", escaped(problem)))
}

fn document(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} - DiracX</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\n\
         <body>\n{body}</body></html>\n"
    ))
}

/// Text inside HTML, also inside a quoted attribute.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

/// Text inside a query.
pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::{escaped, percent_encoded};

    #[test]
    fn text_from_outside_stays_text() {
        assert_eq!(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
        assert_eq!(percent_encoded("gAAA==&x=ü"), "gAAA%3D%3D%26x%3D%C3%BC");
    }
}
