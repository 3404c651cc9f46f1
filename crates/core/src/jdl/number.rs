//! Numbers as DIRAC has always read and written them, which is as Python does: with underscores,
//! surrounding blanks and the digits of any script.

/// The zeros of the decimal digits of every script; the other nine follow each of them.
const ZEROS: [u32; 66] = [
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30,
    0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
    0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC,
    0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// Longer digit strings are no numbers, neither here nor in Python.
const MAX_DIGITS: usize = 4300;

/// Whether `c` counts as a blank at the ends of keys and values.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Without blanks at both ends.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// The value of a decimal digit of any script, as an ASCII digit.
pub(super) fn ascii_digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let code = u32::from(c);
    let last = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    char::from_digit(code - ZEROS[last], 10)
}

/// `text` in plain ASCII, without underscores; nothing if an underscore stands anywhere but between digits.
fn plain(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut after_digit = false;
    let mut after_underscore = false;
    for c in strip(text).chars() {
        let digit = ascii_digit(c);
        if c == '_' {
            if !after_digit {
                return None;
            }
        } else {
            if after_underscore && digit.is_none() {
                return None;
            }
            plain.push(digit.unwrap_or(c));
        }
        after_underscore = c == '_';
        after_digit = digit.is_some();
    }
    (!after_underscore).then_some(plain)
}

/// The whole number that `text` writes, in plain decimal: no `+`, no leading zeros, of any size.
pub(super) fn int(text: &str) -> Option<String> {
    let plain = plain(text)?;
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some(match (negative, digits) {
        (_, "") => "0".to_owned(),
        (true, digits) => format!("-{digits}"),
        (false, digits) => digits.to_owned(),
    })
}

/// The number that `text` writes; `nan` and `inf` are numbers.
pub(super) fn float(text: &str) -> Option<f64> {
    // most texts are no numbers, and show it at once
    let begins = |c: char| !c.is_ascii() || c.is_ascii_digit() || "+-.iInN".contains(c);
    if !strip(text).starts_with(begins) {
        return None;
    }
    plain(text)?.parse().ok()
}

/// `value` as few digits as tell it apart, with `.0` if it is whole and an exponent if it is far from 1.
#[expect(clippy::cast_possible_truncation, reason = "the exponent of a float has four digits at most")]
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    // log10 may be off by one at powers of ten; the digits themselves tell
    let scientific = format!("{value:e}");
    let exponent = scientific.rsplit_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(exponent);
    if (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let mantissa = scientific.split('e').next().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_with_signs_underscores_blanks_and_foreign_digits() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(int(text).as_deref(), expected, "{text:?}");
        check("1_000", Some("1000"));
        check("+400", Some("400"));
        check(" 300 ", Some("300"));
        check("-007", Some("-7"));
        check("-0", Some("0"));
        check("٣٠٠", Some("300"));
        check("", None);
        check("1__0", None);
        check("_1", None);
        check("1_", None);
        check("1.0", None);
        check("1e3", None);
        check("½", None);
        check(&"9".repeat(4301), None);
    }

    #[test]
    fn numbers_are_told_from_texts() {
        for number in
            ["1e5", "-4.5", "nan", "Infinity", "-inf", "1_000", " 300 ", "٥", ".5", "5.", "1_0.0_1e1_0"]
        {
            assert!(float(number).is_some(), "{number}");
        }
        for text in ["", "0x10", "1_.5", "1e", "infinite", "1 2", ".", "__1", "--1"] {
            assert!(float(text).is_none(), "{text}");
        }
    }

    #[test]
    fn floats_are_written_short_and_with_a_point() {
        let check = |value: f64, expected: &str| assert_eq!(float_text(value), expected);
        check(3.0, "3.0");
        check(0.1 + 0.2, "0.30000000000000004");
        check(1e10, "10000000000.0");
        check(1e15, "1000000000000000.0");
        check(1e16, "1e+16");
        check(1e20, "1e+20");
        check(1.5e-5, "1.5e-05");
        check(0.0001, "0.0001");
        check(-0.0, "-0.0");
        check(f64::NEG_INFINITY, "-inf");
    }
}
