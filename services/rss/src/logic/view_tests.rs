use super::*;
use crate::model::{ALL, Kind, RowKey, never, never_checked};

fn at(text: &str) -> DateTime<Utc> {
    format!("2024-05-01T{text}Z").parse().unwrap()
}

fn row(of: ElementType, name: &str, status_type: &str, vo: &str, status: &str, reason: &str) -> Stored {
    Stored {
        key: RowKey { kind: of.kind(), name: name.into(), status_type: status_type.into(), vo: vo.into() },
        element_type: of.as_str().into(),
        status: status.into(),
        reason: reason.into(),
        effective: at("10:00:00"),
        expiration: never(),
        last_check: never_checked(),
        owner: "rs_svc".into(),
    }
}

fn site(name: &str, vo: &str, status: &str) -> Stored {
    row(ElementType::Site, name, ALL, vo, status, "why")
}

fn kept(statuses: Vec<Stored>) -> Kept {
    Kept { statuses, ..Kept::default() }
}

fn seen(view: &View, vo: &str) -> Vec<(String, Availability)> {
    view.elements(vo).iter().map(|element| (element.name.clone(), element.availability[0].clone())).collect()
}

fn planned(of: ElementType, name: &str, vo: &str, from: &str, until: &str) -> Planned {
    Planned {
        key: RowKey { kind: of.kind(), name: name.into(), status_type: ALL.into(), vo: vo.into() },
        element_type: of.as_str().into(),
        status: "Banned".into(),
        reason: "downtime".into(),
        effective: at(until),
        drain_from: Some(at(from)),
        expiration: never(),
        owner: "sven".into(),
    }
}

#[test]
fn a_status_is_read_as_diracx_reads_it() {
    let check = |status, reason, expected| assert_eq!(Availability::of(status, reason), expected, "{status}");
    check("Active", "ok", Availability::Allowed(None));
    check("Degraded", "slow", Availability::Allowed(Some("slow".into())));
    check("Degraded", "", Availability::Allowed(Some("Degraded".into())));
    for status in ["Banned", "Probing", "Error", "Unknown"] {
        check(status, "why", Availability::Forbidden("why".into()));
        check(status, "", Availability::Forbidden(status.into()));
    }
    check("active", "why", Availability::Forbidden("Unknown status: active".into()));
}

#[test]
fn a_vo_sees_its_own_status_instead_of_the_one_for_all_and_nobody_elses() {
    let rows = vec![site("A", ALL, "Active"), site("A", "beta", "Banned"), site("B", "beta", "Active")];
    let view = View::new(ElementType::Site, &kept(rows), at("12:00:00"));
    let (yes, no) = (Availability::Allowed(None), Availability::Forbidden("why".into()));
    assert_eq!(seen(&view, "alpha"), [("A".into(), yes.clone())]);
    assert_eq!(seen(&view, ""), seen(&view, "alpha"));
    assert_eq!(seen(&view, "beta"), [("A".into(), no), ("B".into(), yes)]);
}

#[test]
fn an_empty_vo_counts_as_all() {
    let view = View::new(ElementType::Site, &kept(vec![site("A", "", "Active")]), at("12:00:00"));
    assert_eq!(seen(&view, "alpha").len(), 1);
}

#[test]
fn a_storage_element_that_lacks_an_access_is_left_out_and_that_of_all_vos_shows_through() {
    let of = ElementType::Storage;
    let all = of.status_types().iter().map(|access| row(of, "SE", access.as_str(), ALL, "Active", ""));
    let mut rows: Vec<_> = all.collect();
    rows.push(row(of, "SE", "WriteAccess", "beta", "Banned", "full"));
    rows.push(row(of, "HALF", "WriteAccess", ALL, "Active", ""));
    let view = View::new(of, &kept(rows), at("12:00:00"));
    assert_eq!(view.elements("beta").len(), 1);
    assert_eq!(view.elements("beta")[0].availability, vec![Availability::Allowed(None); 4]);
    // the rows count nevertheless, as in DiracX
    assert_eq!(view.revision("beta"), "2024-05-01T10:00:00+00:00-6-beta");
}

#[test]
fn computing_elements_and_transfer_servers_are_told_apart_by_their_type_only() {
    let rows = vec![
        row(ElementType::Compute, "ce", ALL, ALL, "Active", ""),
        row(ElementType::Fts, "fts", ALL, ALL, "Active", ""),
    ];
    let names = |of| seen(&View::new(of, &kept(rows.clone()), at("12:00:00")), "x").remove(0).0;
    assert_eq!((names(ElementType::Compute), names(ElementType::Fts)), ("ce".into(), "fts".into()));
    assert!(View::new(ElementType::Site, &kept(rows.clone()), at("12:00:00")).elements("x").is_empty());
}

#[test]
fn the_revision_is_the_newest_time_and_the_count_of_all_vos() {
    let empty = View::new(ElementType::Site, &Kept::default(), at("12:00:00"));
    assert_eq!((empty.revision("alpha"), empty.modified), ("empty-0-alpha".to_owned(), None));
    let mut rows = vec![site("A", ALL, "Active"), site("A", "beta", "Banned")];
    rows[1].effective = at("11:30:00.250000");
    let view = View::new(ElementType::Site, &kept(rows), at("12:00:00"));
    assert_eq!(view.revision("alpha"), "2024-05-01T11:30:00.250000+00:00-2-alpha");
    assert_eq!(view.revision(""), "2024-05-01T11:30:00.250000+00:00-2-all");
    assert_eq!(view.modified, Some(at("11:30:00.25")));
}

#[test]
fn draining_begins_at_its_time_and_changes_the_revision() {
    let mut kept = kept(vec![site("A", ALL, "Active"), site("B", ALL, "Active")]);
    kept.plans = vec![planned(ElementType::Site, "A", ALL, "12:00:00", "14:00:00")];
    let before = View::new(ElementType::Site, &kept, at("11:59:59"));
    assert!(before.elements("alpha").iter().all(|element| element.draining.is_none()));
    let now = View::new(ElementType::Site, &kept, at("12:00:00"));
    let draining = Draining { from: at("12:00:00"), until: at("14:00:00") };
    let drained: Vec<_> = now.elements("alpha").iter().map(|element| element.draining).collect();
    assert_eq!(drained, [Some(draining), None]);
    assert_ne!(before.revision("alpha"), now.revision("alpha"));
    assert_eq!(now, View::new(ElementType::Site, &kept, at("13:00:00")), "it does not change by itself");
}

#[test]
fn a_vo_that_drains_does_so_alone_and_in_its_own_time() {
    let mut kept = kept(vec![site("A", ALL, "Active")]);
    kept.plans = vec![planned(ElementType::Site, "A", "beta", "11:00:00", "14:00:00")];
    let view = View::new(ElementType::Site, &kept, at("12:00:00"));
    assert_eq!(view.elements("alpha")[0].draining, None);
    assert_eq!(view.elements("beta")[0].draining.map(|draining| draining.until), Some(at("14:00:00")));

    kept.plans.push(planned(ElementType::Site, "A", ALL, "11:00:00", "13:00:00"));
    let view = View::new(ElementType::Site, &kept, at("12:00:00"));
    assert_eq!(view.elements("beta")[0].draining.map(|draining| draining.until), Some(at("14:00:00")));
    assert_eq!(view.elements("alpha")[0].draining.map(|draining| draining.until), Some(at("13:00:00")));
}

#[test]
fn of_the_accesses_of_a_storage_element_the_first_to_go_counts() {
    let of = ElementType::Storage;
    let rows =
        of.status_types().iter().map(|access| row(of, "SE", access.as_str(), ALL, "Active", "")).collect();
    let mut kept = kept(rows);
    for (access, until) in [("ReadAccess", "15:00:00"), ("WriteAccess", "14:00:00")] {
        let mut plan = planned(of, "SE", ALL, "11:00:00", until);
        plan.key.status_type = access.into();
        kept.plans.push(plan);
    }
    assert_eq!(kept.plans[0].key.kind, Kind::Resource);
    let view = View::new(of, &kept, at("12:00:00"));
    assert_eq!(view.elements("alpha")[0].draining.map(|draining| draining.until), Some(at("14:00:00")));
}
