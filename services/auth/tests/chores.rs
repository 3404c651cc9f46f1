//! Looking after the key store by hand, as an administrator does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test that cannot go on says so")]

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use diracx_server::{KeyStore, token::Algorithm};

fn chore(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_diracx-auth"))
        .args(args)
        .env_remove("DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE")
        .output()
        .unwrap()
}

fn done(args: &[&str]) -> String {
    let output = chore(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn kids(path: &Path) -> Vec<String> {
    KeyStore::read(path).unwrap().keys().iter().map(|key| key.kid().to_owned()).collect()
}

#[test]
fn a_key_store_is_made_rotated_and_cleaned() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    let keystore = path.to_str().unwrap();
    done(&["rotate-key", "--keystore", keystore]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = kids(&path);
    let said = done(&["rotate-key", "--keystore", keystore, "--kty", "EC"]);
    let both = kids(&path);
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    assert_eq!(said, format!("{} signs from now on, with ES256\n", both[0]));
    let keys = KeyStore::read(&path).unwrap();
    assert_eq!(keys.signing_key(&[Algorithm::Es256]).unwrap().kid(), both[0]);
    assert!(keys.keys()[1].may_verify() && !keys.keys()[1].may_sign());

    done(&["delete-key", "--keystore", keystore, "--kid", &first[0]]);
    assert_eq!(kids(&path), both[..1]);
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["keystore.json"], "nothing half done lies around");
}

#[test]
fn the_public_keys_of_components_are_printed_without_their_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.json");
    let keystore = path.to_str().unwrap();
    done(&["rotate-key", "--keystore", keystore]);
    let printed = done(&["component-keys", &format!("jobs={keystore}"), &format!("tasks={keystore}")]);
    diracx_auth::ComponentKeys::parse(&printed).expect("what the setting takes");
    assert!(printed.contains(&kids(&path)[0]) && !printed.contains("\"d\""), "{printed}");
    for wrong in ["jobs", "=x", "jobs=/nowhere.json"] {
        assert!(!chore(&["component-keys", wrong]).status.success(), "{wrong}");
    }
}

#[test]
fn what_would_do_harm_is_refused_and_nothing_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    let keystore = path.to_str().unwrap();
    done(&["rotate-key", "--keystore", keystore]);
    let kid = kids(&path).remove(0);
    let before = std::fs::read_to_string(&path).unwrap();
    for (args, why) in [
        (vec!["delete-key", "--keystore", keystore, "--kid", &kid], "is the only key that signs"),
        (vec!["delete-key", "--keystore", keystore, "--kid", "nobody"], "has no key \"nobody\""),
        (vec!["rotate-key", "--keystore", keystore, "--kty", "RSA"], "RSA"),
        (vec!["rotate-key", "--keystore", "/nowhere/keystore.json"], "/nowhere/keystore.json"),
        (vec!["rotate-key"], "--keystore"),
    ] {
        let output = chore(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{args:?}: {said}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    std::fs::write(&path, "no key store").unwrap();
    assert!(!chore(&["rotate-key", "--keystore", keystore]).status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "no key store");
}
