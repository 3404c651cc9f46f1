//! Single decisions; whole lives are in `tests/lives`.

use proptest::prelude::*;

use super::*;

fn at(second: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + i64::from(second), 0).unwrap()
}

fn current(status: JobStatus) -> CurrentStatus {
    CurrentStatus {
        status: StoredStatus::Known(status),
        has_started: false,
        has_ended: false,
        last_record: Some(at(10)),
    }
}

fn update(second: u32, status: Option<JobStatus>) -> StatusRecord {
    StatusRecord {
        time: at(second),
        status,
        minor_status: None,
        application_status: None,
        source: "Test".into(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a change has")]
fn known(status: JobStatus) -> Option<StoredStatus> {
    Some(StoredStatus::Known(status))
}

#[test]
fn every_status_has_its_row_and_goes_where_there_is_one() {
    let rows: Vec<JobStatus> = MACHINE.iter().map(|row| row.status).collect();
    assert_eq!(rows, JobStatus::ALL);
    assert!(JobStatus::ALL.iter().all(|status| row(*status).status == *status));
    let ends: Vec<JobStatus> =
        MACHINE.iter().filter(|row| row.next.is_empty()).map(|row| row.status).collect();
    assert_eq!(ends, [Deleted]);
}

#[test]
fn whoever_stops_waiting_leaves_the_queue_and_whoever_is_killed_in_any_case() {
    let leaves =
        |from, to, force| plan(&current(from), vec![update(20, Some(to))], force, at(21)).leaves_queue;
    assert!(leaves(Waiting, Matched, false));
    assert!(!leaves(Waiting, Running, false), "refused");
    assert!(leaves(Waiting, Failed, true));
    assert!(leaves(Checking, Killed, false));
    assert!(!leaves(Matched, Running, false));
    assert!(!plan(&current(Waiting), vec![update(5, Some(Matched))], false, at(21)).leaves_queue, "old news");
}

#[test]
fn what_the_machine_refuses_is_recorded_and_changes_nothing() {
    let plan = plan(&current(Checking), vec![update(20, Some(Done))], false, at(21));
    assert_eq!(plan.change.status, known(Checking));
    assert_eq!(plan.records[0].status, Some(Checking));
    assert_eq!(plan.records[0].source, "Test(SM)");
    // As DiracX has it: the end is taken from what was asked for.
    assert_eq!(plan.change.end_exec_time, Some(at(20)));
}

#[test]
fn a_life_in_one_call_is_walked_step_by_step() {
    let updates = vec![
        update(23, Some(Running)),
        update(21, Some(Waiting)),
        update(24, Some(Done)),
        update(22, Some(Matched)),
    ];
    let plan = plan(&current(Checking), updates, false, at(30));
    assert_eq!(plan.change.status, known(Done));
    assert_eq!(plan.change.start_exec_time, Some(at(23)));
    assert_eq!(plan.change.end_exec_time, Some(at(24)));
    assert_eq!(plan.change.last_update_time, Some(at(30)));
    assert!(plan.records.iter().all(|record| record.source == "Test"));
}

#[test]
fn news_from_the_past_are_recorded_only() {
    let plan = plan(&current(Done), vec![update(5, Some(Running))], false, at(30));
    assert_eq!(plan.change.status, None);
    assert_eq!(plan.change.last_update_time, None);
    assert_eq!(plan.change.start_exec_time, Some(at(5)));
    assert_eq!(plan.records.len(), 1);
}

#[test]
fn a_stalled_job_that_gives_a_sign_runs() {
    let mut sign = update(20, None);
    sign.source = "JobWrapper".into();
    let plan = plan(&current(Stalled), vec![sign], false, at(21));
    assert_eq!(plan.change.status, known(Running));
    assert_eq!(plan.change.heart_beat_time, Some(at(20)));
}

#[test]
fn killing_tells_the_pilot_and_force_overrules_the_machine() {
    assert!(plan(&current(Running), vec![update(20, Some(Killed))], false, at(21)).kill);
    assert!(!plan(&current(Done), vec![update(20, Some(Killed))], false, at(21)).kill);
    let forced = plan(&current(Done), vec![update(20, Some(Killed)), update(21, None)], true, at(22));
    assert!(forced.kill);
    assert_eq!(forced.change.status, known(Killed));
}

#[test]
fn a_foreign_status_can_be_left() {
    let foreign = CurrentStatus { status: StoredStatus::Foreign("Limbo".into()), ..current(Done) };
    assert_eq!(plan(&foreign, vec![update(20, Some(Failed))], false, at(21)).change.status, known(Failed));
    assert_eq!(
        plan(&foreign, vec![update(20, None)], false, at(21)).change.status,
        Some(StoredStatus::Foreign("Limbo".into()))
    );
}

fn any_status() -> impl Strategy<Value = JobStatus> {
    prop::sample::select(JobStatus::ALL)
}

proptest! {
    #[test]
    fn without_force_a_job_walks_along_the_table_only(
        from in any_status(),
        asked in prop::collection::vec((0u32..40, prop::option::of(any_status())), 1..8),
    ) {
        let updates = asked.iter().map(|(second, status)| update(*second, *status)).collect();
        let plan = plan(&current(from), updates, false, at(50));
        let mut here = if from == Stalled { Running } else { from };
        for record in plan.records.iter().filter(|record| record.time >= at(10)) {
            if let Some(next) = record.status {
                prop_assert!(next == here || allowed(here).contains(&next), "{here} to {next}");
                here = next;
            }
        }
        if let Some(status) = plan.change.status {
            prop_assert_eq!(status, StoredStatus::Known(here));
        }
        prop_assert_eq!(plan.records.len(), asked.len());
    }

    #[test]
    fn the_end_is_the_end(asked in prop::collection::vec((11u32..40, any_status()), 1..8)) {
        let updates = asked.iter().map(|(second, status)| update(*second, Some(*status))).collect();
        let plan = plan(&current(Deleted), updates, false, at(50));
        prop_assert_eq!(plan.change.status, known(Deleted));
    }
}
