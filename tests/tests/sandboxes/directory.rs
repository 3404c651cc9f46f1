//! Bytes in a directory: whichever form the system has, they come and go by way of it.

use diracx_tests::{
    http::send,
    mesh::{Database, Form, Mesh, Store},
    on_both_forms,
};
use serde_json::json;

use crate::{announce, form, located, multipart, post, until, url_of};

on_both_forms! {
    async fn what_is_uploaded_by_the_form_comes_back_by_the_url(mesh: Mesh) {
        // More than any other request may bring.
        let bytes: Vec<u8> = (0..10 << 20).map(|i: u32| u8::try_from(i % 95 + 32).unwrap()).collect();
        let announced = announce(&mesh, &bytes).await;
        let url = announced["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/api/jobs/sandbox-store/", mesh.base)), "{url}");
        let uploaded = post(url, form(&announced["fields"], &bytes)).await;
        assert_eq!(uploaded.status, 204, "{}", uploaded.text);
        assert_eq!(announce(&mesh, &bytes).await, json!({"pfn": announced["pfn"], "url": null, "fields": {}}));

        let url = &located(&mesh, &announced).await;
        let fetched = send("GET", url, &[], None).await.unwrap();
        assert_eq!((fetched.status, fetched.text.as_bytes() == bytes), (200, true));
        assert_eq!(fetched.header("content-length").unwrap(), bytes.len().to_string());
        let head = send("HEAD", url, &[], None).await.unwrap();
        assert_eq!((head.status, head.header("content-length").unwrap()), (200, bytes.len().to_string()));
        assert_eq!(send("PUT", url, &[], None).await.unwrap().status, 405);
        for forged in [url.replace("alice", "bob"), url[..url.len() - 1].to_owned(), url.replace("expires=1", "expires=2")] {
            assert_eq!(send("GET", &forged, &[], None).await.unwrap().status, 403, "{forged}");
        }
        assert_eq!(send("GET", url.split('?').next().unwrap(), &[], None).await.unwrap().status, 403);
    }

    async fn uploads_that_nobody_permitted_are_refused_and_leave_nothing(mesh: Mesh) {
        let announced = announce(&mesh, b"the bytes").await;
        let (url, fields) = (announced["url"].as_str().unwrap(), &announced["fields"]);
        let mut forged = fields.clone();
        forged["size"] = json!("3");
        let cases = [
            (post(url, form(fields, b"the byte")).await, 400),
            (post(url, form(fields, b"the bytes!")).await, 400),
            (post(url, form(&forged, b"the")).await, 403),
            (post(url, form(&json!({}), b"the bytes")).await, 403),
            (post(url, b"--BOUNDARY--\r\n".to_vec()).await, 400),
            (post(url, b"nonsense".to_vec()).await, 400),
            (post(url, form(fields, b"the bytes")[..200].to_vec()).await, 400),
            (send("POST", url, &[], Some(b"x".to_vec())).await.unwrap(), 400),
            (post(&url.replace("/sandboxes", "/others"), form(fields, b"the bytes")).await, 403),
        ];
        for (index, (answer, expected)) in cases.iter().enumerate() {
            assert_eq!(answer.status, *expected, "case {index}: {}", answer.text);
        }
        assert!(announce(&mesh, b"the bytes").await["url"].is_string(), "it never came");
        let incoming = mesh.scratch("sandboxes").join(".incoming");
        assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
        assert_eq!(post(url, form(fields, b"the bytes")).await.status, 204);
    }

    async fn large_sandboxes_stream_through_and_memory_does_not_grow_with_them(mesh: Mesh) {
        const MIB: u64 = 1 << 20;
        let bytes: Vec<u8> = (0..60 << 20).map(|i: u32| u8::try_from(i % 95 + 32).unwrap()).collect();
        let small = announce(&mesh, b"the bytes").await;
        let (url, fields) = (small["url"].as_str().unwrap(), &small["fields"]);
        assert_eq!(post(url, form(fields, b"the bytes")).await.status, 204);
        let peaks = || mesh.processes.iter().map(|process| process.peak_bytes().unwrap()).collect::<Vec<_>>();
        let before = peaks();
        let announced = announce(&mesh, &bytes).await;
        let (url, body) = (announced["url"].as_str().unwrap(), form(&announced["fields"], &bytes));
        assert_eq!(post(url, body).await.status, 204);
        let url = located(&mesh, &announced).await;
        assert_eq!(send("GET", &url, &[], None).await.unwrap().text.len(), bytes.len());
        // Far more than was announced is not even read to its end: then the connection may break before the answer.
        let other = announce(&mesh, b"others").await;
        let body = form(&other["fields"], &bytes);
        if let Ok(answer) = send("POST", url_of(&other), &multipart(), Some(body)).await {
            assert_eq!(answer.status, 400, "{}", answer.text);
        }
        assert!(announce(&mesh, b"others").await["url"].is_string(), "it never came");
        for (process, (before, after)) in mesh.processes.iter().zip(before.into_iter().zip(peaks())) {
            let grown = after.saturating_sub(before);
            // What the allocator has not given back yet counts, too.
            assert!(grown < 40 * MIB, "{} has grown by {} MiB", process.name, grown / MIB);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_end() {
    let settings = [("DIRACX_SANDBOX_STORE_URL_VALIDITY_SECONDS".to_owned(), "1".to_owned())];
    let database = Database::create(Store::Sqlite);
    let mesh = Mesh::start_on(Form::Standalone, database, &settings).await.unwrap();
    let late = announce(&mesh, b"too late").await;
    let directory = mesh.scratch("sandboxes");
    until("the upload has expired", async || {
        let answer = post(url_of(&late), form(&late["fields"], b"not these")).await;
        assert!([400, 403].contains(&answer.status), "{}", answer.text);
        answer.status == 403
    })
    .await;
    assert_eq!(post(url_of(&late), form(&late["fields"], b"too late")).await.status, 403);
    assert_eq!(std::fs::read_dir(directory.join(".incoming")).unwrap().count(), 0);
    // The URL to download is asked for before there is anything.
    let url = located(&mesh, &late).await;
    until("the download has expired", async || {
        let answer = send("GET", &url, &[], None).await.unwrap();
        assert!([404, 403].contains(&answer.status), "{}", answer.text);
        answer.status == 403
    })
    .await;
}
