//! Each way to be refused, and who is not.

use chrono::TimeDelta;
use diracx_server::token::new_token_id;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn pilot() -> Holder {
    Holder {
        vo: "alpha".to_owned(),
        grid_site: "LCG.CERN.ch".to_owned(),
        destination_site: "ce1.cern.ch".to_owned(),
        status: "Running".to_owned(),
    }
}

fn secret() -> Secret {
    Secret {
        id: new_token_id(now() - TimeDelta::hours(1)),
        vo: "alpha".to_owned(),
        uses: Some(1),
        expires: now() + TimeDelta::hours(1),
        revoked: false,
        constraints: Constraints::default(),
        created_by: "sven".to_owned(),
    }
}

fn stamp() -> PilotStamp {
    "stamp1".parse().unwrap()
}

fn shown(change: impl FnOnce(&mut Secret, &mut Holder)) -> Shown {
    let (mut secret, mut pilot) = (secret(), pilot());
    change(&mut secret, &mut pilot);
    Shown { secret: Some(secret), pilot: Some(pilot), barred: None }
}

fn check(shown: Shown, expected: Result<bool, Refusal>) {
    let text = format!("{shown:?}");
    let found = by_secret(shown, &stamp(), None, now()).map(|admitted| admitted.is_new);
    assert_eq!(found, expected, "{text}");
}

fn only(name: &str) -> std::collections::BTreeSet<String> {
    ["another".to_owned(), name.to_owned()].into()
}

#[test]
fn a_secret_admits_the_pilot_that_it_is_for() {
    check(shown(|_, _| ()), Ok(false));
    check(shown(|secret, _| secret.uses = None), Ok(false));
    check(shown(|_, pilot| pilot.status = "Unknown".to_owned()), Ok(false));
    check(shown(|_, pilot| pilot.status = "SomethingOfDIRAC".to_owned()), Ok(false));
    let bound = |secret: &mut Secret, _: &mut Holder| {
        secret.constraints = Constraints {
            pilot_stamps: only("stamp1"),
            grid_sites: only("LCG.CERN.ch"),
            destination_sites: only("ce1.cern.ch"),
        };
    };
    check(shown(bound), Ok(false));
}

#[test]
fn everything_that_can_be_wrong_with_a_secret_refuses() {
    let constrained = |constraints: Constraints| shown(|secret, _| secret.constraints = constraints);
    let none = Constraints::default;
    check(Shown { secret: None, ..shown(|_, _| ()) }, Err(Refusal::UnknownSecret));
    check(Shown { pilot: None, ..shown(|_, _| ()) }, Err(Refusal::UnknownPilot));
    check(shown(|secret, _| secret.revoked = true), Err(Refusal::RevokedSecret));
    check(shown(|secret, _| secret.expires = now()), Err(Refusal::ExpiredSecret));
    check(shown(|secret, _| secret.uses = Some(0)), Err(Refusal::UsedSecret));
    check(shown(|_, pilot| pilot.vo = "beta".to_owned()), Err(Refusal::OtherVo));
    check(constrained(Constraints { pilot_stamps: only("stamp2"), ..none() }), Err(Refusal::Constraints));
    check(constrained(Constraints { grid_sites: only("lcg.cern.ch"), ..none() }), Err(Refusal::Constraints));
    check(constrained(Constraints { destination_sites: only("ce2"), ..none() }), Err(Refusal::Constraints));
    for ended in ["Done", "Failed", "Aborted", "Deleted"] {
        check(shown(|_, pilot| pilot.status = ended.to_owned()), Err(Refusal::Ended));
    }
}

#[test]
fn whoever_is_barred_needs_a_newer_secret() {
    let barred = |at| Shown { barred: Some(at), ..shown(|_, _| ()) };
    check(barred(now() - TimeDelta::hours(2)), Ok(false));
    check(barred(now() - TimeDelta::hours(1)), Err(Refusal::Barred));
    check(barred(now()), Err(Refusal::Barred));
}

#[test]
fn only_a_secret_without_a_limit_makes_a_pilot_known_and_in_its_own_vo() {
    let unknown = |uses| Shown { pilot: None, ..shown(|secret, _| secret.uses = uses) };
    let itself = Holder { vo: "beta".to_owned(), ..pilot() };
    let admitted = by_secret(unknown(None), &stamp(), Some(&itself), now()).unwrap();
    assert!(admitted.is_new);
    assert_eq!(admitted.pilot.vo, "alpha");
    assert_eq!(by_secret(unknown(Some(5)), &stamp(), Some(&itself), now()), Err(Refusal::UnknownPilot));
    assert_eq!(by_secret(unknown(None), &stamp(), None, now()), Err(Refusal::UnknownPilot));
    // what a pilot tells about itself counts for nothing once it is known
    let elsewhere = Holder { status: "Done".to_owned(), ..pilot() };
    let known = by_secret(shown(|_, _| ()), &stamp(), Some(&elsewhere), now()).unwrap();
    assert_eq!((known.is_new, known.pilot), (false, pilot()));
}

#[test]
fn a_refresh_token_is_good_once_for_its_pilot_while_that_lives() {
    let token = Token {
        secret: secret().id,
        stamp: "stamp1".to_owned(),
        vo: "alpha".to_owned(),
        expires: now() + TimeDelta::hours(1),
        state: TokenState::Fresh,
        hash: "hash".to_owned(),
        used: None,
        gone_on: false,
    };
    let check = |token: Option<Token>, pilot: Option<Holder>, expected: Result<(), Refusal>| {
        let found =
            by_token(ShownToken { token, pilot, secret_revoked: false, barred: None }, &stamp(), now())
                .map(drop);
        assert_eq!(found, expected);
    };
    let of = |change: fn(&mut Token)| {
        let mut token = token.clone();
        change(&mut token);
        Some(token)
    };
    check(of(|_| ()), Some(pilot()), Ok(()));
    check(None, Some(pilot()), Err(Refusal::UnknownToken));
    check(of(|token| token.stamp = "stamp2".to_owned()), Some(pilot()), Err(Refusal::UnknownToken));
    check(of(|token| token.expires = now()), Some(pilot()), Err(Refusal::ExpiredToken));
    check(of(|token| token.state = TokenState::Used), Some(pilot()), Err(Refusal::Reused));
    let again = |gone_on: bool, seconds: i64| {
        let used = Some(now() - TimeDelta::seconds(seconds));
        Some(Token { state: TokenState::Used, used, gone_on, ..token.clone() })
    };
    check(again(false, 0), Some(pilot()), Ok(()));
    check(again(false, 60), Some(pilot()), Ok(()));
    check(again(false, 61), Some(pilot()), Err(Refusal::Reused));
    check(again(true, 1), Some(pilot()), Err(Refusal::Reused));
    check(again(false, 1), Some(Holder { status: "Aborted".to_owned(), ..pilot() }), Err(Refusal::Ended));
    check(of(|token| token.state = TokenState::Revoked), Some(pilot()), Err(Refusal::RevokedToken));
    check(of(|_| ()), None, Err(Refusal::UnknownPilot));
    check(of(|token| token.vo = "beta".to_owned()), Some(pilot()), Err(Refusal::OtherVo));
    check(of(|_| ()), Some(Holder { status: "Aborted".to_owned(), ..pilot() }), Err(Refusal::Ended));
    let good = ShownToken { token: of(|_| ()), pilot: Some(pilot()), secret_revoked: false, barred: None };
    let found = |shown| by_token(shown, &stamp(), now()).map(drop);
    assert_eq!(found(ShownToken { secret_revoked: true, ..good.clone() }), Err(Refusal::RevokedSecret));
    assert_eq!(found(ShownToken { barred: Some(now()), ..good.clone() }), Err(Refusal::Barred));
    assert_eq!(found(ShownToken { barred: Some(now() - TimeDelta::hours(2)), ..good }), Ok(()));
}
