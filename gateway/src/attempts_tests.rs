//! Who is counted, for what, and how far.

use super::*;

fn request(peer: &str, forwarded: &str, path: &str) -> Request<()> {
    let mut request = Request::get(path).header("x-forwarded-for", forwarded).body(()).unwrap();
    request.extensions_mut().insert(Peer(SocketAddr::new(peer.parse().unwrap(), 5)));
    request
}

fn refused() -> Response {
    let mut response = StatusCode::BAD_REQUEST.into_response();
    response.headers_mut().insert(ERROR_REASON, HeaderValue::from_static("INVALID_GRANT"));
    response
}

fn check(peer: &str, forwarded: &str, expected: Option<&str>) {
    let request = request(peer, forwarded, "/");
    let peer = *request.extensions().get::<Peer>().unwrap();
    assert_eq!(client(peer, request.headers()), expected.map(|address| address.parse().unwrap()));
}

#[test]
fn the_address_is_the_one_that_a_proxy_of_ours_saw() {
    check("192.0.2.7", "", Some("192.0.2.7"));
    check("192.0.2.7", "198.51.100.1", Some("192.0.2.7"));
    check("10.0.0.3", "203.0.113.9, 198.51.100.1", Some("198.51.100.1"));
    check("10.0.0.3", "198.51.100.1, 10.1.1.1", Some("198.51.100.1"));
    check("10.0.0.3", "nonsense", Some("10.0.0.3"));
    check("127.0.0.1", "", None);
    check("::ffff:192.0.2.7", "", Some("192.0.2.7"));
    check("2001:db8:1:2:3:4:5:6", "", Some("2001:db8:1:2::"));
}

#[test]
fn who_fails_too_often_is_turned_away_and_others_are_not() {
    let attempts = Attempts::default();
    let visit = || request("192.0.2.7", "", "/api/auth/device");
    for _ in 0..100 {
        attempts.begin(&visit()).unwrap().unwrap().ended(&refused());
    }
    let TooMany(delay) = attempts.begin(&visit()).unwrap_err();
    assert!(delay <= FAILURES.every, "{delay:?}");
    assert!(attempts.begin(&request("192.0.2.8", "", "/api/auth/device")).is_ok());
    assert!(
        attempts.begin(&request("192.0.2.7", "", "/api/auth/token")).unwrap().is_none(),
        "sessions go on"
    );
}

#[test]
fn success_costs_nothing_but_the_logins_that_are_begun() {
    let attempts = Attempts::default();
    for _ in 0..1000 {
        let visit = attempts.begin(&request("192.0.2.7", "", "/api/auth/device")).unwrap().unwrap();
        visit.ended(&StatusCode::TEMPORARY_REDIRECT.into_response());
    }
    let begin = || attempts.begin(&request("192.0.2.7", "", "/api/auth/authorize"));
    for _ in 0..100 {
        begin().unwrap();
    }
    assert!(begin().is_err());
}

#[test]
fn memory_is_bounded_however_many_addresses_there_are() {
    let attempts = Attempts::default();
    for i in 0..u32::try_from(ADDRESSES).unwrap() + 100 {
        attempts.count(IpAddr::from(i.to_be_bytes()), Instant::now(), |counts| counts.failures.take());
    }
    assert!(attempts.0.lock().unwrap().len() <= ADDRESSES);
}

#[test]
fn a_dirac_server_is_counted_for_wrong_keys_only() {
    assert!(!Kind::ShowsKey.failed(&refused()));
    assert!(Kind::ShowsKey.failed(&StatusCode::UNAUTHORIZED.into_response()));
    let path = format!("/{SERVICE_NAME}/StartDeviceLogin");
    assert_eq!(Kind::of(&Method::POST, &path), Some(Kind::GoesOn));
    assert_eq!(Kind::of(&Method::POST, &format!("/{SERVICE_NAME}/GetToken")), None);
}

#[test]
fn pilots_that_fail_are_counted_apart_from_people() {
    let attempts = Attempts::default();
    let refused = || {
        let mut response = StatusCode::OK.into_response();
        response.headers_mut().insert("grpc-status", HeaderValue::from_static("16"));
        response
    };
    let show = || attempts.begin(&request("192.0.2.7", "", GET_PILOT_TOKEN));
    for _ in 0..1000 {
        show().unwrap().unwrap().ended(&refused());
    }
    assert!(show().is_err());
    assert!(attempts.begin(&request("192.0.2.7", "", "/api/auth/device")).is_ok());
}
