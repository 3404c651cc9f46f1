//! A person with a plain web browser: it follows redirects, keeps cookies, and sends forms.

use anyhow::{Context as _, Result, bail};
use regex::Regex;

use crate::http::{form, send};

/// A browser and its cookies.
#[derive(Default)]
pub struct Person {
    cookies: Vec<Cookie>,
}

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

/// What is on the screen.
#[derive(Debug)]
pub struct Page {
    /// The status it came with.
    pub status: u16,
    /// The address it came from.
    pub url: String,
    /// The kind of content.
    pub kind: String,
    /// The document.
    pub text: String,
}

impl Page {
    /// Checks what a person reads here: an HTML page with this status and text.
    ///
    /// # Panics
    /// If it is something else.
    pub fn says(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.kind.starts_with("text/html") && self.text.contains(text), "no {text:?} in {self:?}");
    }
}

impl Person {
    /// Opens an address and follows where it leads. An address that starts with `stop_at` is not opened: its page is
    /// empty.
    ///
    /// # Errors
    /// If there is no answer, or no end of redirects.
    pub async fn open_until(&mut self, url: &str, stop_at: &str) -> Result<Page> {
        self.fetch("GET", url, None, Some(stop_at)).await
    }

    /// Opens an address and follows where it leads.
    ///
    /// # Errors
    /// If there is no answer, or no end of redirects.
    pub async fn open(&mut self, url: &str) -> Result<Page> {
        self.fetch("GET", url, None, None).await
    }

    /// Sends the form that has the button with this id, filled in.
    ///
    /// # Errors
    /// If there is no such button, or no answer.
    pub async fn press(&mut self, page: &Page, button: &str, fields: &[(&str, &str)]) -> Result<Page> {
        self.press_until(page, button, fields, None).await
    }

    /// As [`press`](Self::press), but an address that starts with `stop_at` is not opened.
    ///
    /// # Errors
    /// If there is no such button, or no answer.
    pub async fn press_until(
        &mut self,
        page: &Page,
        button: &str,
        fields: &[(&str, &str)],
        stop_at: Option<&str>,
    ) -> Result<Page> {
        let pattern = format!(r#"(?s)action="([^"]*)">(?:[^<]|<[^/]|</[^f])*id="{}""#, regex::escape(button));
        let action = Regex::new(&pattern)?.captures(&page.text).map(|found| found[1].to_owned());
        let action = action.with_context(|| format!("no button {button} on {page:?}"))?;
        let body = form(fields.iter().copied()).into_bytes();
        self.fetch("POST", &absolute(&page.url, &action), Some(body), stop_at).await
    }

    /// Logs in at the provider of the tests, whose login page this is, and allows what it asks to allow.
    ///
    /// # Errors
    /// If the provider does not show the pages it should.
    pub async fn log_in(&mut self, page: &Page, account: &str, stop_at: Option<&str>) -> Result<Page> {
        let fields = [("account", account), ("password", account)];
        let consent = self.press(page, "login", &fields).await?;
        self.press_until(&consent, "allow", &[], stop_at).await
    }

    async fn fetch(
        &mut self,
        method: &str,
        url: &str,
        body: Option<Vec<u8>>,
        stop_at: Option<&str>,
    ) -> Result<Page> {
        let (mut method, mut url, mut body) = (method, url.to_owned(), body);
        for _ in 0..20 {
            if stop_at.is_some_and(|end| url.starts_with(end)) {
                return Ok(Page { status: 0, url, kind: String::new(), text: String::new() });
            }
            let mut headers =
                vec![("Accept".to_owned(), "text/html,application/xhtml+xml,*/*;q=0.8".to_owned())];
            headers.extend(self.cookies_for(&url).map(|cookies| ("Cookie".to_owned(), cookies)));
            if body.is_some() {
                headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
            }
            let answer = send(method, &url, &headers, body.clone()).await?;
            for cookie in answer.headers.get_all("set-cookie") {
                self.keep(&url, &String::from_utf8_lossy(cookie.as_bytes()));
            }
            let Some(location) = answer.header("location").filter(|_| (300..400).contains(&answer.status))
            else {
                let kind = answer.header("content-type").unwrap_or_default();
                return Ok(Page { status: answer.status, url, kind, text: answer.text });
            };
            url = absolute(&url, &location);
            if answer.status == 303 || answer.status == 302 {
                (method, body) = ("GET", None);
            }
        }
        bail!("redirects without end, the last to {url}")
    }

    fn cookies_for(&self, url: &str) -> Option<String> {
        let (host, path) = parts(url);
        let fitting =
            self.cookies.iter().filter(|cookie| cookie.host == host && path.starts_with(&cookie.path));
        let all: Vec<String> = fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn keep(&mut self, url: &str, header: &str) {
        let mut attributes = header.split(';').map(str::trim);
        let Some((name, value)) = attributes.next().and_then(|pair| pair.split_once('=')) else { return };
        let path = attributes.find_map(|attribute| attribute.strip_prefix("path=")).unwrap_or("/");
        let host = parts(url).0.to_owned();
        self.cookies
            .retain(|other| (other.name.as_str(), other.path.as_str()) != (name, path) || other.host != host);
        if !value.is_empty() {
            let (path, name, value) = (path.to_owned(), name.to_owned(), value.to_owned());
            self.cookies.push(Cookie { host, path, name, value });
        }
    }
}

/// Host with port, and path with query.
fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

fn absolute(base: &str, reference: &str) -> String {
    if reference.starts_with('/') {
        format!("http://{}{reference}", parts(base).0)
    } else {
        reference.to_owned()
    }
}
