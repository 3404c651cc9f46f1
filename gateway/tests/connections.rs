//! What strangers can do to the port.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod common;

use common::{Behind, ok, script};
use diracx_gateway::GatewaySettings;
use diracx_proto::auth::v1::GetSecurityContactResponse;

#[tokio::test]
async fn garbage_gets_a_bad_request_or_nothing_and_the_gateway_lives_on() {
    let gateway = Behind::default().start().await;
    let long_header = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(200_000));
    let bad_h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff garbage".to_vec();
    let inputs: Vec<Vec<u8>> = vec![
        b"\x00\x01\x02\x03\xff\xfe\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET http://[::1 HTTP/1.1\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n".to_vec(),
        long_header.into_bytes(),
        bad_h2,
    ];
    for input in inputs {
        let answer = gateway.raw(&input).await;
        let head = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
        let is_http_2 = input.starts_with(b"PRI");
        assert!(is_http_2 || answer.is_empty() || head.starts_with("HTTP/1.1 4"), "{head:?} for {input:?}");
    }
    assert_eq!(gateway.get("/api/health/live", "").await.status, 200);
}

#[tokio::test]
async fn odd_requests_get_plain_answers() {
    let gateway = Behind::default().start().await;
    for (method, path, headers, expected) in [
        ("GET", "/%ff%00", "", 404),
        ("GET", "//api//health//live", "", 404),
        ("BREW", "/api/health/live", "", 405),
        ("POST", "/api/auth/token", "Content-Type: application/json\r\n", 422),
        ("GET", "/api/auth/device?user_code=%zz&&=&", "", 501),
        ("GET", "/api/config/", "Authorization: \r\n", 401),
        ("GET", "/api/config/", "Authorization: Bearer \u{e9}\r\n", 401),
    ] {
        let answer = gateway.send(method, path, headers, b"").await;
        assert_eq!(answer.status, expected, "{method} {path} {headers}");
    }
}

#[tokio::test]
async fn more_requests_than_there_are_places_are_turned_away() {
    let settings = GatewaySettings { max_concurrent_requests: 0, ..GatewaySettings::default() };
    let gateway = Behind { settings, ..Behind::default() }.start().await;
    let answer = gateway.get("/.well-known/security.txt", "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished_before_the_gateway_ends() {
    let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let auth = script(move |_, _, _| {
        entered.send(()).expect("somebody waits");
        wait.lock().expect("one call").recv().expect("a word to go on");
        ok(&GetSecurityContactResponse { document: "done".into() })
    });
    let mut gateway = Behind { auth, ..Behind::default() }.start().await;
    let address = gateway.address;
    let call = {
        let request = b"GET /.well-known/security.txt HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
            stream.write_all(&request).await.expect("a request");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            answer
        })
    };
    inside.recv().await.expect("the call is under way");
    gateway.stop();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).expect("the call waits");
    let answer = call.await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"done\""), "{answer}");
    gateway.serving.await.expect("no panic").expect("a good end");
}
