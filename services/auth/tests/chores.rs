//! Looking after the key store by hand, as an administrator does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test that cannot go on says so")]

use std::{
    fs::Permissions,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use diracx_server::{KeyStore, token::Algorithm};

/// The settings of whoever runs the tests are not those of the chores.
fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env_clear();
    command
}

fn chore(args: &[&str]) -> Output {
    command(env!("CARGO_BIN_EXE_diracx-auth"), args).output().unwrap()
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
    let allow = r#"--token-allowed-algorithms=["ES256"]"#;
    let said = done(&["rotate-key", "--keystore", keystore, "--kty", "EC", allow]);
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
        (
            vec!["rotate-key", "--keystore", keystore, "--kty", "EC"],
            "ES256 is not among the allowed algorithms",
        ),
        (
            vec!["rotate-key", "--keystore", keystore, r#"--token-allowed-algorithms=["RS256"]"#],
            "Ed25519 is not among",
        ),
        (
            vec!["rotate-key", "--keystore", keystore, "--token-allowed-algorithms=RS256"],
            "ALLOWED_ALGORITHMS",
        ),
        (vec!["clean", "--db-url-authdb", "oracle://dirac:s3cret@db"], "DIRACX_DB_URL_AUTHDB"),
        (vec!["clean"], "--db-url-authdb"),
        (vec!["rotate-key", "--keystore", "/nowhere/keystore.json"], "/nowhere/keystore.json"),
        (vec!["rotate-key"], "--keystore"),
    ] {
        let output = chore(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{args:?}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    std::fs::write(&path, "no key store").unwrap();
    assert!(!chore(&["rotate-key", "--keystore", keystore]).status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "no key store");
}

/// Somebody who is not root; every system knows the number.
const NOBODY: u32 = 65_534;

#[test]
fn a_key_store_goes_on_belonging_to_whom_it_belongs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    let keystore = path.to_str().unwrap();
    done(&["rotate-key", "--keystore", keystore]);
    if std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).is_err() {
        return; // only root can give files away, and nobody else meets this
    }
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    done(&["rotate-key", "--keystore", keystore]);
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o777), (NOBODY, NOBODY, 0o640));
    assert_eq!(kids(&path).len(), 2);
}

#[test]
fn whoever_cannot_keep_the_owner_of_a_key_store_changes_nothing_and_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let path = place.join("keystore.json");
    let keystore = path.to_str().unwrap();
    done(&["rotate-key", "--keystore", keystore]);
    // the directory is somebody else's, who may read our file
    if std::os::unix::fs::chown(&place, Some(NOBODY), Some(NOBODY)).is_err() {
        return; // only root can give files away
    }
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("diracx-auth");
    std::fs::copy(env!("CARGO_BIN_EXE_diracx-auth"), &program).unwrap();
    let before = std::fs::read_to_string(&path).unwrap();

    let rotate = ["rotate-key", "--keystore", keystore];
    let output = command(&program, &rotate).uid(NOBODY).gid(NOBODY).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("belongs to user 0 and group 0"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1, "nothing half done lies around");
}

#[test]
fn the_database_is_cleaned_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth.db");
    let url = format!("sqlite+aiosqlite:///{}", path.display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(diracx_auth::AuthDb::migrate(&url.parse().unwrap())).unwrap();
    let mut database = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let flow = |code: u32, time: &str| {
        format!("INSERT INTO DeviceFlows VALUES ('{code:08}', 'DONE', {time}, 'c', 'vo:a', '{code}', NULL);")
    };
    // more than are removed at a time
    let old: String = (0..1200).map(|code| flow(code, "'2020-01-01 00:00:00'")).collect();
    let young = flow(9999, "DATETIME('now')");
    let token =
        "INSERT INTO RefreshTokens VALUES ('0194becea00070008000000000000001', 'CREATED', 'vo:a', 'a:b');";
    database.batch_execute(&format!("BEGIN; {old} {young} {token} COMMIT;")).unwrap();

    let clean = ["clean", "--db-url-authdb", &url];
    assert_eq!(
        done(&clean),
        "removed 1200 device logins, 0 authorization code logins and 1 refresh tokens\n"
    );
    assert_eq!(done(&clean), "removed 0 device logins, 0 authorization code logins and 0 refresh tokens\n");
}
