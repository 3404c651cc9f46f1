//! Who is counted, for what, and how far.

use http::HeaderValue;

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

fn check(peer: &str, forwarded: Option<&str>, expected: Option<&str>) {
    let mut request = request(peer, forwarded.unwrap_or_default(), "/");
    if forwarded.is_none() {
        request.headers_mut().remove(FORWARDED_FOR);
    }
    let peer = *request.extensions().get::<Peer>().unwrap();
    let found = client(peer, request.headers(), &TrustedProxies::default());
    assert_eq!(found, expected.map(|address| address.parse().unwrap()));
}

#[test]
fn who_is_on_this_machine_is_not_counted_and_whoever_comes_through_a_proxy_is() {
    check("127.0.0.1", None, None);
    check("::1", None, None);
    check("127.0.0.1", Some("192.0.2.7"), Some("192.0.2.7"));
    check("127.0.0.1", Some("127.0.0.1"), Some("127.0.0.1"));
    check("127.0.0.1", Some("nonsense"), Some("127.0.0.1"));
}

#[test]
fn of_ipv6_the_whole_network_of_a_subscriber_is_counted() {
    check("2001:db8:1:2:3:4:5:6", None, Some("2001:db8:1:2::"));
    check("::ffff:192.0.2.7", None, Some("192.0.2.7"));
}

#[test]
fn who_fails_too_often_is_turned_away_and_others_are_not() {
    let attempts = Attempts::new(TrustedProxies::default());
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
    let attempts = Attempts::new(TrustedProxies::default());
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
    let attempts = Attempts::new(TrustedProxies::default());
    for i in 0..u32::try_from(ADDRESSES).unwrap() + 100 {
        attempts.count(IpAddr::from(i.to_be_bytes()), Instant::now(), |counts| counts.failures.take());
    }
    assert!(attempts.counts.lock().unwrap().len() <= ADDRESSES);
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
    let attempts = Attempts::new(TrustedProxies::default());
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
