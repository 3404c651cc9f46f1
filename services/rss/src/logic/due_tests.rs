use super::*;
use crate::logic::plan::{Target, Update};
use crate::model::{ALL, ElementType, Planned, RowKey, Stored, Value, never, never_checked};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

fn site(name: &str) -> Stored {
    let key =
        RowKey { kind: ElementType::Site.kind(), name: name.into(), status_type: ALL.into(), vo: ALL.into() };
    Stored {
        key,
        element_type: "Site".into(),
        status: "Active".into(),
        reason: String::new(),
        effective: at("08:00:00"),
        expiration: never(),
        last_check: never_checked(),
        owner: "rs_svc".into(),
    }
}

fn planned(name: &str, from: &str, until: Option<&str>) -> Planned {
    Planned {
        key: site(name).key,
        element_type: "Site".into(),
        status: "Banned".into(),
        reason: "downtime".into(),
        effective: at(from),
        drain_from: None,
        expiration: until.map_or_else(never, at),
        owner: "sven".into(),
    }
}

/// What is kept after the changes, of one element.
fn after(kept: &Kept, changes: &Changes, name: &str) -> Kept {
    let find = |row: &&Stored| row.key.name == name;
    let stored = changes.statuses.values().flatten().find(find).or(kept.statuses.iter().find(find));
    Kept {
        statuses: stored.cloned().into_iter().collect(),
        plans: Vec::new(),
        returns: changes.returns.values().flatten().cloned().collect(),
    }
}

#[test]
fn a_downtime_begins_and_ends_by_itself() {
    let kept = Kept {
        statuses: vec![site("A")],
        plans: vec![planned("A", "10:00:00", Some("12:00:00"))],
        ..Kept::default()
    };
    assert!(!is_due(&kept, at("09:59:59")));
    assert!(is_due(&kept, at("10:00:00")));
    let (changes, applied) = plan(kept.clone(), at("10:00:03"), 10);
    assert_eq!(applied, Applied { begun: 1, ended: 0, done: true });
    let during = after(&kept, &changes, "A");
    assert_eq!(
        (during.statuses[0].status.as_str(), during.statuses[0].expiration),
        ("Banned", at("12:00:00"))
    );
    assert_eq!(changes.plans.into_values().collect::<Vec<_>>(), [None]);

    assert!(!is_due(&during, at("11:59:59")));
    let (changes, applied) = plan(during.clone(), at("12:00:00"), 10);
    assert_eq!(applied, Applied { begun: 0, ended: 1, done: true });
    assert_eq!(after(&during, &changes, "A").statuses[0].status, "Active");
    assert_eq!(changes.history.len(), 1);
}

#[test]
fn what_ends_does_so_before_what_begins() {
    let mut book = Book::open(Kept { statuses: vec![site("A")], ..Kept::default() }, at("09:00:00"));
    let target = Target {
        element_type: ElementType::Site,
        name: "A".into(),
        status_types: ElementType::Site.status_types().to_vec(),
        vo: ALL.into(),
    };
    let update = Update {
        target,
        value: Value::Error,
        reason: "fire".into(),
        effective: None,
        drain_from: None,
        expiration: Some(at("10:00:00")),
        owner: "sven".into(),
    };
    book.set(&update).unwrap();
    let mut kept = Kept { returns: book.returns(), ..Kept::default() };
    kept.statuses = book.close().statuses.into_values().flatten().collect();
    kept.plans = vec![planned("A", "10:00:00", Some("12:00:00"))];
    let (changes, applied) = plan(kept, at("10:00:00"), 10);
    assert_eq!(applied, Applied { begun: 1, ended: 1, done: true });
    let [row] = changes.returns.into_values().flatten().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(row.prior.map(|prior| prior.status), Some("Active".to_owned()), "not the error that is over");
}

#[test]
fn a_downtime_that_nobody_was_awake_for_leaves_no_trace() {
    let kept = Kept {
        statuses: vec![site("A")],
        plans: vec![planned("A", "10:00:00", Some("12:00:00"))],
        ..Kept::default()
    };
    let (changes, applied) = plan(kept, at("13:00:00"), 10);
    assert_eq!(applied, Applied { begun: 0, ended: 0, done: true });
    assert!(changes.statuses.is_empty());
    assert_eq!(changes.plans.into_values().collect::<Vec<_>>(), [None]);
}

#[test]
fn a_batch_takes_the_earliest_and_says_that_there_is_more() {
    let plans = vec![planned("A", "10:30:00", None), planned("B", "10:00:00", None)];
    let kept = Kept { statuses: vec![site("A"), site("B")], plans, ..Kept::default() };
    let (changes, applied) = plan(kept, at("11:00:00"), 1);
    assert_eq!(applied, Applied { begun: 1, ended: 0, done: false });
    assert_eq!(changes.statuses.into_keys().map(|key| key.name).collect::<Vec<_>>(), ["B"]);
}
