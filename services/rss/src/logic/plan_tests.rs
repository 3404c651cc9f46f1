use super::*;
use crate::model::{ALL, never_checked};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

const NOW: &str = "10:00:00.75";

fn target(of: ElementType, name: &str) -> Target {
    Target { element_type: of, name: name.into(), status_types: of.status_types().to_vec(), vo: ALL.into() }
}

fn update(value: Value, reason: &str) -> Update {
    Update {
        target: target(ElementType::Site, "A"),
        value,
        reason: reason.into(),
        effective: None,
        drain_from: None,
        expiration: None,
        owner: "sven".into(),
    }
}

fn stored(status: &str, reason: &str, owner: &str) -> Stored {
    Stored {
        key: target(ElementType::Site, "A").keys().next().unwrap(),
        element_type: "Site".into(),
        status: status.into(),
        reason: reason.into(),
        effective: at("09:00:00"),
        expiration: never(),
        last_check: never_checked(),
        owner: owner.into(),
    }
}

fn book(statuses: Vec<Stored>) -> Book {
    Book::open(Kept { statuses, ..Kept::default() }, at(NOW))
}

fn written(changes: &Changes) -> &Stored {
    changes.statuses.values().next().and_then(Option::as_ref).unwrap()
}

#[test]
fn a_status_that_is_set_is_kept_logged_and_part_of_the_history() {
    let mut book = book(vec![stored("Active", "", "rs_svc")]);
    let entries = book.set(&update(Value::Banned, "downtime")).unwrap();
    let changes = book.close();
    let expected = Stored {
        effective: at("10:00:00"),
        last_check: at("10:00:00"),
        ..stored("Banned", "downtime", "sven")
    };
    assert_eq!(entries[0].stored.as_ref(), Some(&expected));
    assert_eq!(
        (written(&changes), &changes.log, &changes.history),
        (&expected, &vec![expected.clone()], &vec![expected.clone()])
    );
    assert!(changes.plans.is_empty() && changes.returns.is_empty());
}

#[test]
fn setting_what_is_set_changes_who_and_moves_no_time_of_effect() {
    let mut book = book(vec![stored("Banned", "downtime", "sven")]);
    book.set(&update(Value::Banned, "downtime")).unwrap();
    let changes = book.close();
    assert_eq!(written(&changes).effective, at("09:00:00"));
    assert_eq!(written(&changes).last_check, at("10:00:00"));
    assert_eq!((changes.log.len(), changes.history.len()), (1, 0));
}

#[test]
fn a_new_reason_is_a_new_status_to_whoever_reads() {
    let mut book = book(vec![stored("Banned", "downtime", "sven")]);
    book.set(&update(Value::Banned, "fire")).unwrap();
    assert_eq!(written(&book.close()).effective, at("10:00:00"));
}

#[test]
fn two_changes_within_a_second_take_effect_at_different_times() {
    let mut newest = stored("Active", "", "rs_svc");
    newest.key.name = "B".into();
    newest.effective = at("10:00:00");
    let mut first = book(vec![stored("Active", "", "rs_svc"), newest.clone()]);
    first.set(&update(Value::Banned, "downtime")).unwrap();
    assert_eq!(written(&first.close()).effective, at("10:00:01"));

    newest.effective = at("23:00:00");
    let mut lost = book(vec![newest]);
    lost.set(&update(Value::Banned, "downtime")).unwrap();
    assert_eq!(written(&lost.close()).effective, at("10:00:00"), "a time far ahead is nobody's guide");
}

#[test]
fn a_storage_element_is_set_for_all_accesses_unless_one_is_named() {
    let mut all = book(vec![]);
    let se = target(ElementType::Storage, "SE");
    all.set(&Update { target: se.clone(), ..update(Value::Active, "") }).unwrap();
    assert_eq!(all.close().statuses.len(), 4);
    let mut one = book(vec![]);
    let write = Target { status_types: vec![StatusType::Write], ..se };
    one.set(&Update { target: write, ..update(Value::Active, "") }).unwrap();
    assert_eq!(
        one.close().statuses.into_keys().map(|key| key.status_type).collect::<Vec<_>>(),
        ["WriteAccess"]
    );
}

#[test]
fn what_is_of_another_type_keeps_its_name() {
    let mut book = book(vec![]);
    let ce = Update { target: target(ElementType::Compute, "x"), ..update(Value::Active, "") };
    book.set(&ce).unwrap();
    let fts = Update { target: target(ElementType::Fts, "x"), ..update(Value::Active, "") };
    assert_eq!(book.set(&fts), Err(Refusal::TypeTaken { name: "x".into(), by: "ComputeElement".into() }));
    book.remove(&fts.target).unwrap();
    assert!(written(&book.close()).element_type == "ComputeElement", "nor is it removed under another type");
}

#[test]
fn the_system_leaves_alone_what_a_person_has_set_until_it_expires() {
    let of_the_system = Update { owner: SYSTEM.into(), ..update(Value::Active, "") };
    let mut held = stored("Banned", "downtime", "sven");
    let refused = Refusal::Held { name: "A".into(), by: "sven".into() };
    assert_eq!(book(vec![held.clone()]).set(&of_the_system), Err(refused));
    assert!(book(vec![held.clone()]).set(&update(Value::Active, "")).is_ok(), "another person may");
    held.expiration = at("10:00:00");
    assert!(book(vec![held]).set(&of_the_system).is_ok());
    assert!(book(vec![stored("Banned", "policy", SYSTEM)]).set(&of_the_system).is_ok());
}

#[test]
fn a_time_to_come_makes_a_plan_that_replaces_another_and_changes_no_status() {
    let mut book = book(vec![stored("Active", "", "rs_svc")]);
    let later = |time| Update { effective: Some(at(time)), ..update(Value::Banned, "downtime") };
    book.set(&later("12:00:00")).unwrap();
    let entries = book.set(&later("13:00:00")).unwrap();
    assert_eq!(entries[0].planned.as_ref().map(|plan| plan.effective), Some(at("13:00:00")));
    assert_eq!(entries[0].stored.as_ref().map(|row| row.status.as_str()), Some("Active"));
    let changes = book.close();
    assert_eq!((changes.plans.len(), changes.statuses.len()), (1, 0));
}

#[test]
fn what_expires_remembers_what_was_before_also_through_another_that_expires() {
    let mut book = book(vec![stored("Active", "fine", "rs_svc")]);
    book.set(&Update { expiration: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    book.set(&Update { expiration: Some(at("11:00:00")), ..update(Value::Degraded, "half") }).unwrap();
    let [row] = book.returns().try_into().unwrap();
    assert_eq!((row.expiration, row.status.as_str()), (at("11:00:00"), "Degraded"));
    assert_eq!(row.prior.as_ref().map(|prior| prior.status.as_str()), Some("Active"));
    assert!(book.end(&row));
    let changes = book.close();
    let ended = written(&changes);
    assert_eq!(
        (ended.status.as_str(), ended.reason.as_str(), ended.owner.as_str()),
        ("Active", "fine", "rs_svc")
    );
    assert_eq!(ended.expiration, never());
    assert_eq!(changes.returns.into_values().collect::<Vec<_>>(), [None]);
}

#[test]
fn a_status_for_good_forgets_what_was_before() {
    let mut book = book(vec![stored("Active", "", "rs_svc")]);
    book.set(&Update { expiration: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    book.set(&update(Value::Degraded, "half")).unwrap();
    assert_eq!(book.returns(), []);
}

#[test]
fn what_somebody_else_has_changed_meanwhile_is_not_undone() {
    let mut first = book(vec![stored("Active", "", "rs_svc")]);
    first.set(&Update { expiration: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    let row = first.returns().remove(0);
    let mut kept = Kept { statuses: vec![stored("Error", "of an agent", "rs_svc")], ..Kept::default() };
    kept.returns.push(row.clone());
    let mut book = Book::open(kept, at("12:00:00"));
    assert!(!book.end(&row));
    let changes = book.close();
    assert!(changes.statuses.is_empty(), "{changes:?}");
    assert_eq!(changes.returns.len(), 1);
}

#[test]
fn an_element_that_was_unknown_before_is_unknown_again() {
    let mut book = book(vec![]);
    book.set(&Update { expiration: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    let row = book.returns().remove(0);
    assert!(book.end(&row));
    assert_eq!(book.close().statuses.into_values().collect::<Vec<_>>(), [None]);
}

#[test]
fn whoever_is_forgotten_takes_plans_along() {
    let mut book = book(vec![stored("Active", "", "rs_svc")]);
    book.set(&Update { effective: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    book.remove(&target(ElementType::Site, "A")).unwrap();
    let changes = book.close();
    assert_eq!(changes.statuses.into_values().collect::<Vec<_>>(), [None]);
    assert_eq!(changes.plans.into_values().collect::<Vec<_>>(), [None]);
    assert!(changes.log.is_empty());
}

#[test]
fn what_is_planned_is_cancelled_and_what_holds_stays() {
    let mut book = book(vec![stored("Active", "", "rs_svc")]);
    let site = target(ElementType::Site, "A");
    book.set(&Update { effective: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    let held = Refusal::Held { name: "A".into(), by: "sven".into() };
    assert_eq!(book.cancel(&site, SYSTEM), Err(held), "the system leaves alone what a person has planned");
    let [cancelled] = book.cancel(&site, "anna").unwrap().try_into().unwrap();
    assert_eq!(cancelled.planned.map(|plan| plan.status), Some("Banned".to_owned()));
    assert_eq!(book.cancel(&site, "anna"), Ok(vec![]), "once more is no error");
    let changes = book.close();
    assert_eq!(changes.plans.into_values().collect::<Vec<_>>(), [None]);
    assert!(changes.statuses.is_empty() && changes.log.is_empty());
}

#[test]
fn what_is_set_now_leaves_what_is_planned_alone() {
    let mut book = book(vec![stored("Active", "", "rs_svc")]);
    book.set(&Update { effective: Some(at("12:00:00")), ..update(Value::Banned, "downtime") }).unwrap();
    let [entry] = book.set(&update(Value::Degraded, "slow")).unwrap().try_into().unwrap();
    assert_eq!(entry.planned.map(|plan| plan.status), Some("Banned".to_owned()));
    assert_eq!(book.plans().len(), 1);
}

#[test]
fn another_spelling_is_told_the_known_one_and_changes_nothing() {
    let named = |name: &str, vo: &str| Target { vo: vo.into(), ..target(ElementType::Site, name) };
    let set = |target| Update { target, ..update(Value::Banned, "downtime") };
    let mut of_vo = stored("Active", "", "rs_svc");
    of_vo.key.vo = "alpha".into();
    let mut book = book(vec![stored("Active", "", "rs_svc"), of_vo]);
    let known_as =
        |name: &str, known: &str| Refusal::SpeltOtherwise { name: name.into(), known: known.into() };
    assert_eq!(book.set(&set(named("a", ALL))), Err(known_as("a", "A")));
    assert_eq!(
        book.set(&set(named("a", "beta"))),
        Err(known_as("a", "A")),
        "for another VO it is the same site"
    );
    assert_eq!(book.set(&set(named("A", "ALPHA"))), Err(known_as("ALPHA", "alpha")));
    assert_eq!(book.remove(&named("a", ALL)), Err(known_as("a", "A")));
    assert_eq!(book.cancel(&named("a", ALL), "sven"), Err(known_as("a", "A")));
    let ce = Update { target: target(ElementType::Compute, "a"), ..update(Value::Active, "") };
    assert!(book.set(&ce).is_ok(), "other tables, other names");
    assert!(book.set(&set(named("A", "beta"))).is_ok());
    // within one call as well: the first one counts
    assert!(book.set(&set(named("B", ALL))).is_ok());
    assert_eq!(book.set(&set(named("b", ALL))), Err(known_as("b", "B")));
}

#[test]
fn both_spellings_are_good_where_a_database_holds_both() {
    let mut lower = stored("Active", "", "rs_svc");
    lower.key.name = "a".into();
    let mut book = book(vec![stored("Active", "", "rs_svc"), lower]);
    assert!(book.set(&update(Value::Banned, "downtime")).is_ok());
    let lower = Update { target: target(ElementType::Site, "a"), ..update(Value::Banned, "downtime") };
    assert!(book.set(&lower).is_ok());
}
