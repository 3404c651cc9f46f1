//! Page tokens: a few texts, opaque to clients.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Between the texts; no name has it.
const BETWEEN: char = '\u{1f}';

/// The token of these texts.
pub(super) fn write(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(parts.join(&BETWEEN.to_string()))
}

/// The texts of a token; none if it was not made here.
pub(super) fn read<const N: usize>(token: &str) -> Option<[String; N]> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let parts: Vec<String> = text.split(BETWEEN).map(str::to_owned).collect();
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_ours_are_read() {
        assert_eq!(read(&write(&["Site", "", "x y"])), Some(["Site", "", "x y"].map(str::to_owned)));
        assert_eq!(read::<2>(&write(&["Site"])), None);
        assert_eq!(read::<1>("!"), None);
    }
}
