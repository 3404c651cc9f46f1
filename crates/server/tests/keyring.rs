//! A key store that changes while processes use it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so")]

use std::{path::Path, sync::Arc};

use diracx_core::{Clock, SystemClock};
use diracx_server::{
    KeyStore, TokenMinter, TokenVerifier,
    token::{Algorithm, ComponentClaims, DEFAULT_ALGORITHMS, KeyKind, Keyring, delete_key, rotate_key},
};

const ISSUER: &str = "https://diracx.test.invalid/";

/// A process that signs and verifies with the key store in a file.
struct Process {
    keys: Keyring,
    minter: TokenMinter,
    verifier: TokenVerifier,
}

fn process(path: &Path) -> Process {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = Keyring::open(path.to_str().unwrap(), &DEFAULT_ALGORITHMS).unwrap();
    let minter = TokenMinter::new(keys.clone(), ISSUER, &DEFAULT_ALGORITHMS, clock.clone()).unwrap();
    let verifier = TokenVerifier::new(ISSUER, DEFAULT_ALGORITHMS, keys.clone(), clock);
    Process { keys, minter, verifier }
}

impl Process {
    fn token(&self) -> String {
        let now = SystemClock.now();
        self.minter.mint(&ComponentClaims::new("jobs", ISSUER, now, chrono::Duration::minutes(5))).unwrap()
    }
}

fn rotate(path: &Path, kind: KeyKind) -> String {
    let before = std::fs::read_to_string(path).ok();
    let after = rotate_key(before.as_deref(), kind, SystemClock.now()).unwrap();
    std::fs::write(path, &after).unwrap();
    after
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart_and_old_tokens_stay_good() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    rotate(&path, KeyKind::Ed25519);
    let (one, other) = (process(&path), process(&path));
    let old = one.token();
    other.verifier.verify(&old).await.unwrap();
    let old_kid = one.keys.current().keys()[0].kid().to_owned();

    let document = rotate(&path, KeyKind::Ed25519);
    one.keys.look_now();
    let new = one.token();
    let signing = one.keys.current().signing_key(&DEFAULT_ALGORITHMS).unwrap().kid().to_owned();
    assert_ne!(signing, old_kid);
    // nobody has told the other, but it meets a key that it does not know
    other.verifier.verify(&new).await.expect("it looks at once");
    for process in [&one, &other] {
        process.verifier.verify(&old).await.expect("the key of before still verifies");
    }

    std::fs::write(&path, delete_key(&document, &old_kid).unwrap()).unwrap();
    other.keys.look_now();
    assert!(other.verifier.verify(&old).await.is_err(), "remembered tokens are forgotten with their key");
    other.verifier.verify(&new).await.unwrap();
}

#[tokio::test]
async fn a_key_store_that_is_damaged_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    let good = rotate(&path, KeyKind::Ed25519);
    let process = process(&path);
    let token = process.token();
    let public = KeyStore::parse(&good).unwrap().public_jwks().to_string();
    let not_allowed = rotate_key(Some(&good), KeyKind::P256, SystemClock.now()).unwrap();
    for document in ["", "{", r#"{"keys": []}"#, &public, &not_allowed] {
        std::fs::write(&path, document).unwrap();
        process.keys.look_now();
        process.verifier.verify(&token).await.unwrap();
        process.verifier.verify(&process.token()).await.unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    process.keys.look_now();
    process.verifier.verify(&process.token()).await.unwrap();
    rotate(&path, KeyKind::Ed25519);
    process.keys.look_now();
    assert_ne!(process.keys.current().keys()[0].kid(), KeyStore::parse(&good).unwrap().keys()[0].kid());
}

#[tokio::test]
async fn a_key_store_that_could_not_be_read_is_read_as_soon_as_it_can_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    rotate(&path, KeyKind::Ed25519);
    let process = process(&path);
    let first = process.keys.current().keys()[0].kid().to_owned();
    let good = rotate(&path, KeyKind::Ed25519);

    // a file of the same name, time and length, that makes sense only later, as one that may not be read yet
    let written = std::fs::File::options().write(true).open(&path).unwrap();
    let time = written.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, " ".repeat(good.len())).unwrap();
    written.set_modified(time).unwrap();
    process.keys.look_now();
    assert_eq!(process.keys.current().keys()[0].kid(), first);
    std::fs::write(&path, &good).unwrap();
    written.set_modified(time).unwrap();
    process.keys.look_now();
    assert_eq!(process.keys.current().keys().len(), 2, "it was given up after the first look");
}

#[test]
fn only_a_file_is_followed_and_it_must_be_able_to_sign() {
    let document = rotate_key(None, KeyKind::P256, SystemClock.now()).unwrap();
    assert!(Keyring::open(&document, &[Algorithm::Es256]).unwrap().path().is_none());
    assert!(Keyring::open(&document, &DEFAULT_ALGORITHMS).is_err());
    assert!(Keyring::open("/nowhere/keystore.json", &DEFAULT_ALGORITHMS).is_err());
    assert!(Keyring::open("https://elsewhere/keystore.json", &DEFAULT_ALGORITHMS).is_err());
}
