//! No text makes the reader of CFGs, or the conversion of what it reads, panic.

use diracx_core::{cfg::parse, config::convert};
use proptest::prelude::*;

/// A configuration that can be converted, but for what a test does to it.
const OLD: &str = "DIRAC\n{\n}\nDiracX\n{\n  CsSync\n  {\n    VOs\n    {\n      a\n      {\n        DefaultGroup = u\n        IdP\n        {\n          URL = x\n          ClientID = y\n        }\n        UserSubjects\n        {\n          alice = s1\n        }\n      }\n    }\n  }\n}\nRegistry\n{\n  VO\n  {\n    a\n    {\n    }\n  }\n  Groups\n  {\n    u\n    {\n      VO = a\n      Users = alice\n      Properties = NormalUser\n    }\n  }\n  Users\n  {\n    alice\n    {\n      Suspended =\n    }\n  }\n}\n";

#[test]
fn the_text_that_is_changed_below_can_be_converted() {
    let converted = convert(parse(OLD).unwrap()).unwrap();
    assert_eq!(converted.document["Registry"]["a"]["Users"]["s1"]["PreferedUsername"], "alice");
}

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_text_of_cfg(text in "[ab/ {}=+#\n\r\t]{0,200}") {
        if let Ok(section) = parse(&text) {
            let _ = convert(section);
        }
    }

    #[test]
    fn a_configuration_with_any_line_changed(line in 0..45_usize, new in "[A-Za-z /{}=+#\n]{0,12}") {
        let mut lines: Vec<&str> = OLD.lines().collect();
        let line = line % lines.len();
        lines[line] = &new;
        if let Ok(section) = parse(&lines.join("\n")) {
            let _ = convert(section);
        }
    }
}
