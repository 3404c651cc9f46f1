//! What YAML is accepted, and that no YAML does harm.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fmt::Write, time::Instant};

use diracx_cs::yaml::parse;
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn check(text: &str, expected: &Value) {
    assert_eq!(parse(text).unwrap(), *expected);
}

#[test]
fn the_yaml_of_administrators_is_understood() {
    check(
        "a: {b: [1, 2.5, yes, off, null, ~, text]}",
        &json!({"a": {"b": [1, 2.5, true, false, null, null, "text"]}}),
    );
    check("{\"a\": {\"b\": [1, true]}}", &json!({"a": {"b": [1, true]}}));
    check(
        "a: &x {p: 1}\nb: {<<: *x, q: 2}\nc: *x",
        &json!({"a": {"p": 1}, "b": {"p": 1, "q": 2}, "c": {"p": 1}}),
    );
    check("a: !!set {x, y}", &json!({"a": {"x": null, "y": null}}));
    check("12: one\ntrue: yes", &json!({"12": "one", "true": true}));
    check("a: 1\na: 2", &json!({"a": 2}));
    check("# nothing but a comment", &Value::Null);
    check("z: 1\na: 2\nm: 3", &json!({"z": 1, "a": 2, "m": 3}));
    assert_eq!(parse("z: 1\na: 2\nm: 3").unwrap().to_string(), r#"{"z":1,"a":2,"m":3}"#);
}

#[test]
fn mistakes_are_reported_with_their_line() {
    let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
    assert!(error.line >= 2, "{error}");
    assert!(error.to_string().starts_with("line "), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn a_hundred_vos_may_share_one_anchor() {
    let mut text = "base: &base {Properties: [NormalUser], Users: []}\n".to_owned();
    for vo in 0..100 {
        writeln!(text, "vo{vo}: *base").unwrap();
    }
    assert_eq!(parse(&text).unwrap().as_object().unwrap().len(), 101);
}

#[test]
fn a_billion_laughs_are_refused_quickly() {
    let mut text = "l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for level in 1..12 {
        let below = format!("*l{}, ", level - 1).repeat(10);
        writeln!(text, "l{level}: &l{level} [{}]", below.trim_end_matches(", ")).unwrap();
    }
    let started = Instant::now();
    assert!(parse(&text).is_err());
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn deep_nesting_is_refused() {
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(
        parse(&(0..2_000).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n")).is_err()
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_yaml_like_text_makes_the_parser_panic(text in "[-a-z0-9:{}\\[\\],&*!|>#'\"%@` \n\t]{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn json_is_yaml(number in any::<i32>(), text in "[a-zA-Z ]{0,20}", flag in any::<bool>()) {
        let value = json!({"n": number, "t": text, "f": flag, "l": [number, null]});
        prop_assert_eq!(parse(&value.to_string()).unwrap(), value);
    }
}
