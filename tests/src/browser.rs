//! A person with a browser: follows redirects, and says who it is where it is asked.

use anyhow::{Result, bail};

use crate::http::{Answer, send};

/// Visits an address and every one it leads to. `introduce` adds to the address of the identity provider, which
/// is recognised by its path, who logs in.
///
/// # Errors
/// If there is no answer, or no end of redirects.
pub async fn visit(url: &str, introduce: &str) -> Result<Answer> {
    let mut url = url.to_owned();
    for _ in 0..10 {
        if url.split('?').next().is_some_and(|path| path.ends_with("/authorize") && !path.contains("/api/")) {
            url = format!("{url}&{introduce}");
        }
        let answer = send("GET", &url, &[], None).await?;
        match answer.header("location").filter(|_| (300..400).contains(&answer.status)) {
            None => return Ok(answer),
            Some(location) if location.starts_with('/') => {
                let end = url[7..].find(['/', '?']).map_or(url.len(), |at| at + 7);
                url = format!("{}{location}", &url[..end]);
            }
            Some(location) => url = location,
        }
    }
    bail!("redirects without end, the last to {url}")
}
