//! Every command against a server that gives known answers, over a real connection.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::Person;
use serde_json::{Value, json};

#[test]
fn a_login_shows_where_to_go_waits_and_keeps_the_tokens() {
    let person = Person::new();
    let login = ["login", "lhcb", "--group", "lhcb_user", "--property", "GenericPilot", "--output", "table"];
    let (code, stdout, stderr) = person.types(&login, "");
    assert_eq!(code, 0, "{stderr}");
    let go_to = format!("Now go to: {}/api/auth/device?user_code=BCDFGHJK", person.address);
    assert!(stdout.lines().any(|line| line == go_to), "{stdout}");
    assert!(stdout.ends_with("Login successful!\n"), "{stdout}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(person.credentials()).unwrap()).unwrap();
    assert_eq!((&kept["access_token"], &kept["refresh_token"]), (&json!("access"), &json!("refresh")));
    assert_eq!(person.gets_json(&["whoami"])["preferred_username"], "alice");
}

#[test]
fn a_login_whose_tokens_could_not_be_kept_does_not_begin() {
    let person = Person::new();
    // A directory stands where the file should be.
    std::fs::create_dir_all(person.credentials()).unwrap();
    let (code, stdout, stderr) = person.types(&["login", "lhcb"], "");
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    assert!(stderr.contains("cannot use the credentials file") && stderr.contains("directory"), "{stderr}");
    assert!(stderr.contains("DIRACX_CREDENTIALS_PATH"), "{stderr}");
}

#[test]
fn a_vo_that_is_not_there_is_a_wrong_command_that_names_the_others() {
    let person = Person::new();
    for (arguments, words) in [
        (&["login", "atlas"][..], "Unknown VO atlas, available options are: lhcb belle"),
        (&["login"], "VO must be specified, available options are: lhcb belle"),
    ] {
        let (code, stdout, stderr) = person.types(arguments, "");
        assert_eq!((code, &*stdout), (2, ""));
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[test]
fn whoever_is_not_logged_in_is_told_how_to() {
    let (code, stdout, stderr) = Person::new().types(&["jobs", "search"], "");
    assert_eq!((code, &*stdout), (3, ""));
    assert!(stderr.contains("dirac login"), "{stderr}");
}

#[test]
fn whoami_tells_what_the_server_reads_from_the_token() {
    let expected = json!({
        "sub": "lhcb:1", "vo": "lhcb", "dirac_group": "lhcb_user", "policies": {"wms": {"a": 1}},
        "properties": ["NormalUser"], "preferred_username": "alice",
    });
    assert_eq!(Person::logged_in().gets_json(&["whoami"]), expected);
}

#[test]
fn how_fresh_the_configuration_is_can_be_seen() {
    let person = Person::logged_in();
    assert_eq!(
        person.gets_json(&["config", "status"]),
        json!({
            "revision": "abc",
            "modified": "2020-01-01T00:00:00Z",
            "loaded": "2020-01-01T00:00:01Z",
            "checked": "2020-01-01T00:00:02Z",
            "last_error": "default.yml of commit abd: line 3, column 1: Tasks: is not a known key here",
            "last_error_time": "2020-01-01T00:00:03Z",
            "followed_revision": "master",
            "stale": false,
            "kept": false,
        })
    );
    let (code, table, _) = person.types(&["config", "status", "--output", "table"], "");
    assert_eq!(code, 0);
    assert!(
        table.contains("abc") && table.contains("2020-01-01 00:00:02") && table.contains("line 3"),
        "{table}"
    );
}

#[test]
fn the_configuration_comes_in_its_own_order() {
    let (code, stdout, _) = Person::logged_in().types(&["config", "dump"], "");
    assert_eq!(code, 0);
    assert!(stdout.find("Registry").unwrap() < stdout.find("NoSetup").unwrap(), "{stdout}");
}

#[test]
fn what_submit_prints_status_reads() {
    let person = Person::logged_in();
    let file = person.directory.path().join("a.jdl");
    std::fs::write(&file, "Executable = \"a\";").unwrap();
    let submit = ["jobs", "submit", file.to_str().unwrap(), "-"];
    let (code, jobs, stderr) = person.types(&submit, "Executable = \"b\";");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(*person.server.submitted.lock().unwrap(), ["Executable = \"a\";", "Executable = \"b\";"]);
    let first = json!({"JobID": 1, "Status": "Received", "MinorStatus": "Job accepted", "TimeStamp": "2027-01-15T08:00:00Z"});
    assert_eq!(serde_json::from_str::<Value>(&jobs).unwrap()[0], first);

    let (code, status, stderr) = person.types(&["jobs", "status", "-"], &jobs);
    assert_eq!(code, 0, "{stderr}");
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status, json!([{"JobID": 1, "Status": "Done"}, {"JobID": 2, "Status": "Done"}]));

    let (_, text, _) = person.types(&["-o", "table", "jobs", "submit", "-"], "Executable = \"c\";");
    assert_eq!(text, "Inserted 1 jobs with ids: 1\n");
}

#[test]
fn a_job_that_is_not_there_makes_status_fail_after_it_showed_the_others() {
    let (code, stdout, stderr) = Person::logged_in().types(&["jobs", "status", "3", "77"], "");
    assert_eq!(code, 1);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), json!([{"JobID": 3, "Status": "Done"}]));
    assert!(stderr.contains("job 77"), "{stderr}");
}

#[test]
fn a_search_shows_a_page_and_says_which() {
    let person = Person::logged_in();
    let rows = person.gets_json(&["jobs", "search", "--page", "2", "--per-page", "3"]);
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(rows[0]["JobID"], 4);
    let (_, stdout, stderr) = person.types(&["jobs", "search", "--output", "table"], "");
    assert!(stdout.contains("JobID") && stdout.contains("Done"), "{stdout}");
    assert_eq!(stderr, "Showing 1-10 of 20 jobs\n");
    let far = person.types(&["jobs", "search", "--page", "9"], "");
    assert_eq!((far.0, &*far.1), (0, "[]\n"));
}

#[test]
fn a_summary_counts_by_status() {
    let counts = Person::logged_in().gets_json(&["jobs", "summary"]);
    assert_eq!(counts, json!([{"Status": "Done", "count": 20}]));
}

#[test]
fn a_logout_gives_the_login_back() {
    let person = Person::logged_in();
    let answer = person.gets_json(&["logout"]);
    assert_eq!((&answer["removed"], &answer["revoked"]), (&json!(true), &json!(true)));
    assert!(!person.credentials().exists());
}

#[test]
fn many_descriptions_go_in_a_stream_which_is_repeated_under_its_name_when_it_breaks() {
    let person = Person::logged_in();
    let file = person.directory.path().join("a.jdl");
    std::fs::write(&file, "Executable = \"a\";").unwrap();
    let submit = ["jobs", "submit", file.to_str().unwrap(), "--count", "1200", "--request-id", "night"];
    let jobs = person.gets_json(&submit);
    let ids: Vec<i64> = jobs.as_array().unwrap().iter().map(|job| job["JobID"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=1200).collect::<Vec<_>>());
    assert_eq!(*person.server.streams.lock().unwrap(), ["night", "night"]);
    assert!(person.server.submitted.lock().unwrap().is_empty());
}

#[test]
fn an_empty_file_submits_nothing() {
    let person = Person::logged_in();
    let (code, stdout, stderr) = person.types(&["jobs", "submit", "-"], " \n");
    assert_eq!((code, &*stdout), (2, ""));
    assert!(stderr.contains("- is empty"), "{stderr}");
    assert!(person.server.submitted.lock().unwrap().is_empty());
}

#[test]
fn all_jobs_come_even_if_the_connection_breaks() {
    let person = Person::logged_in();
    let jobs = person.gets_json(&["jobs", "search", "--all-jobs"]);
    assert_eq!(jobs, (1..=5).map(|id| json!({"JobID": id})).collect::<Value>());
    let (_, stdout, stderr) = person.types(&["jobs", "search", "--all-jobs", "--output", "table"], "");
    assert!(stdout.contains('5'), "{stdout}");
    assert_eq!(stderr, "Showing all 5 jobs\n");
    let (code, _, _) = person.types(&["jobs", "search", "--all-jobs", "--page", "2"], "");
    assert_eq!(code, 2);
}
