//! The repository of the configuration, made and changed by commands.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn dirac(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirac"));
    command
        .args(arguments)
        .env_remove("DIRAC_COMPAT_ENABLE_CS_CONVERSION")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn works(arguments: &[&str]) -> String {
    let output = dirac(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    assert!(output.stdout.is_empty());
    said(&output)
}

#[track_caller]
fn fails(arguments: &[&str], expected: &str) {
    let output = dirac(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
    assert!(said(&output).contains(expected), "{}", said(&output));
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_configuration_is_made_from_nothing_and_every_step_is_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cs");
    let url = format!("git+file://{}", path.display());
    let url = url.as_str();
    let said = works(&["internal", "generate-cs", url]);
    assert_eq!(
        said,
        format!(
            "Writing back configuration to {}/default.yml\nSuccessfully created repo in {url}\n",
            path.display()
        )
    );
    fails(&["internal", "generate-cs", url], "already exists");
    let idp = ["--idp-url", "https://idp.invalid", "--idp-client-id", "c"];
    let said = works(&[&["internal", "add-vo", url, "--vo", "lhcb"][..], &idp].concat());
    assert!(
        said.starts_with("Writing back configuration to /")
            && said.ends_with(&format!("added vo to {url}\n")),
        "{said}"
    );
    works(&[
        "internal",
        "add-group",
        url,
        "--vo",
        "lhcb",
        "--group",
        "admin",
        "--properties",
        "A",
        "--properties",
        "B",
    ]);
    let user = ["internal", "add-user", url, "--vo", "lhcb", "--sub", "s1", "--preferred-username", "alice"];
    works(&[&user[..], &["--group", "admin", "--group", "user"]].concat());

    let log = git(&path, &["log", "--reverse", "--format=%s"]);
    assert_eq!(
        log,
        "Initial commit\n\
         Added vo lhcb registry (default group user and idp https://idp.invalid)\n\
         Added group admin in lhcb\n\
         Added user s1 (alice) to vo lhcb and groups ['admin', 'user']\n"
    );
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
    let before = fs::read_to_string(path.join("default.yml")).unwrap();
    fails(&user, "user s1 of VO lhcb already exists");
    fails(&[&["internal", "add-vo", url, "--vo", "lhcb"][..], &idp].concat(), "VO lhcb already exists");
    fails(&["internal", "add-group", url, "--vo", "belle", "--group", "x"], "VO belle does not exist");
    fails(
        &["internal", "add-group", "git+https://host/cs", "--vo", "belle", "--group", "x"],
        "cannot be changed from here",
    );
    assert_eq!(fs::read_to_string(path.join("default.yml")).unwrap(), before);
    let help = dirac(&["--help"]).output().unwrap().stdout;
    assert!(!String::from_utf8(help).unwrap().contains("internal"));
}

const OLD: &str = include_str!("data/dirac.cfg");
const NEW: &str = include_str!("data/dirac.yml");

#[test]
fn the_configuration_of_dirac_is_converted_by_its_plan() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (old, new) = (file("old.cfg", OLD), directory.path().join("new.yml"));
    let sync = |old: &str| {
        let output = dirac(&["internal", "legacy", "cs-sync", old, &new.display().to_string()])
            .env("DIRAC_COMPAT_ENABLE_CS_CONVERSION", "yes")
            .output()
            .unwrap();
        (output.status.code(), said(&output))
    };
    fails(
        &["internal", "legacy", "cs-sync", &old, "new.yml"],
        "DIRAC_COMPAT_ENABLE_CS_CONVERSION must be set",
    );
    let (code, said) = sync(&old);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said,
        "gone don't have a migration config, ignoring\n\
         Can't convert group private because it is not associated to any VO\n"
    );
    assert_eq!(fs::read_to_string(&new).unwrap(), NEW);

    fs::remove_file(&new).unwrap();
    for (change, to, expected) in [
        ("Enabled = False", "Enabled = True", "DisabledVOs cannot be set if any Legacy clients are enabled"),
        ("    ClientID = c1\n", "", "DiracX/CsSync: VOs.alpha.IdP.ClientID: is required"),
        (
            "JobShare = 12",
            "JobShare = many",
            "Registry.alpha.Groups.alpha_user.JobShare: must be a whole number",
        ),
        (
            "DefaultStorageQuota = 2000",
            "DefaultStorageQuota",
            "line 97, column 3: \"DefaultStorageQuota\" is followed by",
        ),
        ("DIRAC\n", "Dirac\n", "the configuration has no section DIRAC"),
        ("NoSetup = yes", "Hostname = server", "DIRAC.Hostname: is not a known key here"),
        (
            "Suspended = gone, other",
            "Phone = 1",
            "Users.11111111-aaaa-4aaa-8aaa-000000000001.Phone: is not a known key",
        ),
        ("Email = alice@alpha.invalid", "Email = alice", "must be an e-mail address"),
        ("        DefaultGroup = beta_user\n", "", "DiracX/CsSync: VOs.beta.DefaultGroup: is required"),
    ] {
        assert!(OLD.contains(change), "{change}");
        let (code, said) = sync(&file("broken.cfg", &OLD.replace(change, to)));
        assert_eq!(code, Some(1));
        assert!(said.contains(expected), "{said}");
        assert!(!new.exists());
    }
    let nobody_disabled =
        OLD.replace("DisabledVOs = gone", "DisabledVOs =").replace("Enabled = False", "Enabled = True");
    let (code, said) = sync(&file("enabled.cfg", &nobody_disabled));
    assert_eq!(code, Some(0), "clients may be enabled where no VO is disabled: {said}");
}

/// As DIRAC's `dirac.cfg` has them.
const SECRET: &str = "\
DiracX
{
  LegacyExchangeApiKey = diracx:legacy:c2VjcmV0IG9mIGRpcmFj
}
Systems
{
  Databases
  {
    User = Dirac
    Password = of the database
    Host = db.invalid
    Port = 3306
  }
}
";

#[test]
fn a_values_file_is_made_of_the_configuration_of_dirac() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (public, secret, values) = (path("public.cfg"), path("secret.cfg"), path("values.yaml"));
    fs::write(&public, OLD).unwrap();
    fs::write(&secret, SECRET).unwrap();
    let command =
        ["internal", "legacy", "generate-helm-values", "--public-cfg", &public, "--output-file", &values];
    fails(&command, "error: you must have '/DiracX/LegacyExchangeApiKey' already set");
    assert!(!Path::new(&values).exists());

    let said = works(&[&command[..], &["--secret-cfg", &secret]].concat());
    assert_eq!(said, "The file is incomplete and needs manual editing (grep for 'FILL ME')\n");
    let text = fs::read_to_string(&values).unwrap();
    assert!(text.starts_with("# A first values file"), "{text}");
    for line in [
        "  hostname: diracx.invalid\n",
        "      AuthDB:\n        internalName: DiracXAuthDB\n",
        "      host: db.invalid:3306\n",
        "      password: of the database\n",
        "    DIRACX_CONFIG_BACKEND_URL: FILL ME\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&values).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "passwords are in it");
}

#[test]
fn the_commands_are_also_where_others_look_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cs").display().to_string();
    works(&["internal", "config", "generate", &path]);
    let idp = ["--idp-url", "https://idp.invalid", "--idp-client-id", "c"];
    works(&[&["internal", "config", "add-vo", &path, "--vo", "lhcb"][..], &idp].concat());
    works(&["internal", "config", "add-group", &path, "--vo", "lhcb", "--group", "admin"]);
    works(&[
        "internal",
        "config",
        "add-user",
        &path,
        "--vo",
        "lhcb",
        "--sub",
        "s1",
        "--preferred-username",
        "alice",
    ]);
    assert_eq!(git(Path::new(&path), &["rev-list", "--count", "HEAD"]), "4\n");
    let help = String::from_utf8(dirac(&["internal", "--help"]).output().unwrap().stdout).unwrap();
    assert!(help.contains("generate-cs") && help.contains("config") && help.contains("add-vo"), "{help}");
}
