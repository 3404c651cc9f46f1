//! Commands that change jobs: what becomes of each, and what a script learns.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::Person;
use serde_json::{Value, json};

fn outcome(id: i64, status: Option<&str>, outcome: &str) -> Value {
    json!({"JobID": id, "Status": status, "Outcome": outcome})
}

/// Runs a command that fails; returns its answer and its complaints.
fn fails(person: &Person, arguments: &[&str]) -> (Value, String) {
    let (code, stdout, stderr) = person.types(arguments, "");
    assert_eq!(code, 1, "{stderr}");
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

#[test]
fn a_kill_stops_what_runs_and_leaves_alone_what_has_ended() {
    let person = Person::logged_in();
    let killed = person.gets_json(&["jobs", "kill", "12", "3", "11", "12"]);
    let expected = json!([
        outcome(12, Some("Killed"), "killed"),
        outcome(3, Some("Done"), "had ended"),
        outcome(11, Some("Killed"), "killed"),
    ]);
    assert_eq!(killed, expected);
    assert_eq!(*person.server.reported.lock().unwrap(), [12, 11], "a report would change the minor status");

    person.server.reported.lock().unwrap().clear();
    assert_eq!(person.gets_json(&["jobs", "kill", "1,2"])[1], outcome(2, Some("Done"), "had ended"));
    assert!(person.server.reported.lock().unwrap().is_empty());
}

#[test]
fn each_job_that_could_not_be_changed_is_named_after_the_others() {
    let person = Person::logged_in();
    let (answer, stderr) = fails(&person, &["jobs", "kill", "11", "20", "77"]);
    let expected = json!([
        outcome(11, Some("Killed"), "killed"),
        outcome(20, None, "failed"),
        outcome(77, None, "failed")
    ]);
    assert_eq!(answer, expected);
    assert!(stderr.contains("job 20: there are later news") && stderr.contains("job 77: Job 77"), "{stderr}");

    let (answer, stderr) = fails(&person, &["jobs", "delete", "5", "15"]);
    let expected = json!([outcome(5, Some("Deleted"), "deleted"), outcome(15, Some("Running"), "failed")]);
    assert_eq!(answer, expected);
    assert!(stderr.contains("dirac jobs kill 15"), "{stderr}");

    let (answer, stderr) = fails(&person, &["jobs", "reschedule", "13", "5"]);
    let expected = json!([outcome(13, None, "failed"), outcome(5, Some("Received"), "rescheduled")]);
    assert_eq!((answer, stderr.as_str()), (expected, "error: job 13: too often\n"));
}

#[test]
fn a_reset_lets_a_job_begin_again() {
    let again = Person::logged_in().gets_json(&["jobs", "reschedule", "--reset", "13"]);
    assert_eq!(again, json!([outcome(13, Some("Received"), "rescheduled")]));
}

#[test]
fn jobs_come_from_other_commands_and_people_get_a_table() {
    let person = Person::logged_in();
    let (_, found, _) = person.types(&["jobs", "search", "--page", "2"], "");
    let (code, stdout, stderr) = person.types(&["--output", "table", "jobs", "delete", "-"], &found);
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("Outcome") && stdout.contains("failed"), "{stdout}");
    let (code, stdout, _) = person.types(&["--output", "table", "jobs", "kill", "-"], "[{\"JobID\": 11}]");
    assert!(code == 0 && stdout.contains("killed"), "{stdout}");
}

#[test]
fn many_jobs_go_in_several_calls() {
    let person = Person::logged_in();
    let numbers: Vec<String> = (1..=1_005).map(|id| id.to_string()).collect();
    let (code, stdout, _) = person.types(&["jobs", "reschedule", "-"], &numbers.join("\n"));
    let answer: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, answer.len()), (1, 1_005));
    assert_eq!(answer[1_004], outcome(1_005, None, "failed"));
}
