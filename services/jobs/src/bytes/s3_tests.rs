//! What S3 may answer to a removal.

use std::sync::Mutex;

use diracx_core::sandbox::SandboxOwner;
use diracx_testkit::MockClock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn pfn(user: &str) -> Pfn {
    let owner = SandboxOwner { vo: "alpha".into(), group: "users".into(), user: user.into() };
    Pfn::new("sandboxes", &owner, &format!("sha256:{}.tar.zst", "a".repeat(64))).unwrap()
}

/// An S3 that answers to requests for objects of a user as it is told, and to others with success; and the requests.
async fn s3(answers: &'static [(&'static str, u16)]) -> (S3, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let requests = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(connection.read_u8().await.unwrap());
            }
            let line = String::from_utf8(request).unwrap().lines().next().unwrap().to_owned();
            let answer = answers.iter().find(|(user, _)| line.contains(&format!("/{user}/")));
            let status = answer.map_or(204, |(_, status)| *status);
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            requests.lock().unwrap().push(line);
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let credentials = S3Credentials { endpoint, key_id: "id".into(), secret: Secret::from("secret") };
    let clock = Arc::new(MockClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
    // One request after the other.
    (S3::new(&credentials, "sandboxes", 1, clock).unwrap(), asked)
}

#[tokio::test]
async fn an_object_that_s3_refuses_to_remove_stays_and_the_others_go() {
    let (s3, asked) = s3(&[("mallory", 403), ("gone", 404)]).await;
    let removal = s3.remove(["mallory", "alice", "gone", "bob"].map(pfn).to_vec()).await;
    assert_eq!(removal, Removal { left: [pfn("mallory")].into(), away: false });
    assert_eq!(asked.lock().unwrap().len(), 4, "each is asked for once");
}

#[tokio::test]
async fn where_s3_is_out_of_order_the_others_are_not_tried() {
    let check = async |answers| {
        let (s3, asked) = s3(answers).await;
        let removal = s3.remove(["alice", "bob"].map(pfn).to_vec()).await;
        assert_eq!(removal, Removal { left: ["alice", "bob"].map(pfn).into(), away: true }, "{answers:?}");
        assert_eq!(asked.lock().unwrap().len(), usize::try_from(ATTEMPTS).unwrap());
    };
    tokio::join!(check(&[("alice", 500)]), check(&[("alice", 503)]), check(&[("alice", 429)]));
}
