//! Tests of client versions.

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn versions_are_ordered_as_python_orders_them() {
    let ascending = [
        "1.0.dev456",
        "1.0a1.dev3",
        "1.0a1",
        "1.0a2.dev456",
        "1.0a12.dev456",
        "1.0a12",
        "1.0b1.dev456",
        "1.0b2",
        "1.0b2.post345.dev456",
        "1.0b2.post345",
        "1.0rc1.dev456",
        "1.0rc1",
        "1.0",
        "1.0+abc.5",
        "1.0+abc.7",
        "1.0+5",
        "1.0+5.1",
        "1.0.post456.dev34",
        "1.0.post456",
        "1.0.15",
        "1.1.dev1",
        "1.10",
        "2024.1",
        "99999999999999999999999999999999999999999999",
        "1!0.0.0",
        "1!1.0",
    ];
    for (at, left) in ascending.iter().enumerate() {
        for (other, right) in ascending.iter().enumerate() {
            assert_eq!(version(left).cmp(&version(right)), at.cmp(&other), "{left} and {right}");
        }
    }
}

#[test]
fn every_spelling_is_normalised() {
    for (written, normal) in [
        ("1.0", "1.0"),
        ("v1.0", "1.0"),
        ("V1.0", "1.0"),
        (" 1.0\n", "1.0"),
        ("01.002", "1.2"),
        ("0!1.0", "1.0"),
        ("2!1.0", "2!1.0"),
        ("1.0ALPHA", "1.0a0"),
        ("1.0.a.1", "1.0a1"),
        ("1.0-alpha.1", "1.0a1"),
        ("1.0_beta_2", "1.0b2"),
        ("1.0c1", "1.0rc1"),
        ("1.0pre1", "1.0rc1"),
        ("1.0preview", "1.0rc0"),
        ("1.0RC1", "1.0rc1"),
        ("1.0a-", "1.0a0"),
        ("1.0a--1", "1.0a0.post1"),
        ("1.0-1", "1.0.post1"),
        ("1.0-r4", "1.0.post4"),
        ("1.0rev", "1.0.post0"),
        ("1.0post-1", "1.0.post1"),
        ("1.0-dev", "1.0.dev0"),
        ("1.0dev1", "1.0.dev1"),
        ("1.0a1.post2.dev3+Ubuntu-01_x", "1.0a1.post2.dev3+ubuntu.1.x"),
    ] {
        assert_eq!(version(written).to_string(), normal, "{written}");
    }
}

#[test]
fn zeros_at_the_end_and_a_missing_local_part_are_told_apart_only_where_python_does() {
    assert_eq!(version("1.0"), version("1.0.0.0"));
    assert_eq!(version("0"), version("0.0"));
    assert_ne!(version("1.0"), version("1.0+0"));
    assert_eq!(version("1.0+ubuntu.1"), version("1.0+ubuntu-01"));
}

#[test]
fn texts_that_are_no_versions_are_refused() {
    let long = "1".repeat(MAX_LENGTH + 1);
    for text in [
        "",
        " ",
        "-1",
        "1.",
        "1..0",
        "1.0-",
        "1.0+",
        "1.0+a+b",
        "1.0+a_",
        "1.0x",
        "not-a-version",
        "Unknown",
        "!1",
        "1!",
        "1.0-nightly",
        "1.2.3-nightly",
        "1.0dev1a1",
        "1.0post--1",
        "1.0 1",
        "١.٠",
        &long,
    ] {
        assert!(text.parse::<Version>().is_err(), "{text:?} was taken for a version");
    }
}

#[test]
fn a_client_too_old_is_told_what_to_do() {
    let minimum = version("0.0.1a1");
    for text in ["", "0.0.1a1", "0.0.1", "0.3.0", "0.0.1a1+local", "0.0.1a2.dev3", "v0.1.0", "1!0.0.0"] {
        assert_eq!(check_client_version(text, &minimum), Ok(()), "{text}");
    }
    for text in ["0.0.0", "0.0.1a0", "0.0.1.dev5", "0.0.1a1.dev3", "v0.0.0"] {
        let error = check_client_version(text, &minimum).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "Client version {text} is not compatible with the server. \
                 Upgrade to a version >= 0.0.1a1."
            )
        );
        assert_eq!(error.explain().reason, Reason::ClientVersionUnsupported);
        assert_eq!(error.explain().variables["minimum"], "0.0.1a1");
    }
    let error = check_client_version("not-a-version", &minimum).unwrap_err();
    assert_eq!(error.to_string(), "Invalid version string: 'not-a-version'");
    assert_eq!(error.explain().reason, Reason::ClientVersionInvalid);
    assert!(check_client_version(" ", &minimum).is_err());
}

#[test]
fn a_huge_text_is_not_repeated_in_full() {
    let error = "é".repeat(100_000).parse::<Version>().unwrap_err();
    assert!(error.to_string().len() < 1000);
}

/// Texts that look like versions, right or almost.
fn almost() -> impl Strategy<Value = String> {
    "[vV]?([0-9]{1,3}!)?[0-9]{1,3}(\\.[0-9]{1,2}){0,3}([-_.]?(a|b|rc|alpha|pre)[-_.]?[0-9]{0,2})?\
     (-[0-9]|[-_.]?(post|r)[-_.]?[0-9]?)?([-_.]?dev[-_.]?[0-9]?)?(\\+[a-z0-9]{1,3}([-_.][a-z0-9]{1,2}){0,2})?"
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        let _ = text.parse::<Version>();
    }

    #[test]
    fn a_normalised_version_reads_back_as_itself(text in almost()) {
        let read = version(&text);
        let again = version(&read.to_string());
        prop_assert_eq!(&read, &again);
        prop_assert_eq!(read.to_string(), again.to_string());
    }

    #[test]
    fn the_order_is_total(a in almost(), b in almost(), c in almost()) {
        let (a, b, c) = (version(&a), version(&b), version(&c));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
    }
}
