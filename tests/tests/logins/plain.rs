//! People and programs log in at a real OpenID provider, with a plain browser.

use crate::scene::{REDIRECT, Scene, VERIFIER};
use diracx_tests::{http::form, person::Person};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_by_device_flow() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    assert_eq!(scene.poll(&login).await.json().unwrap(), json!({ "error": "authorization_pending" }));

    let mut alice = Person::default();
    let page = alice.open(&login.address).await.unwrap();
    let wrong = alice.press(&page, "login", &[("account", "alice"), ("password", "wrong")]).await.unwrap();
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let page = alice.log_in(&wrong, "alice", None).await.unwrap();
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.kind.starts_with("text/html") && page.text.contains("Please close the window"), "{page:?}");

    let tokens = scene.poll(&login).await.json().unwrap();
    assert_eq!(scene.who(&tokens).await["preferred_username"], "alice", "{tokens}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_in_two_browsers_get_their_own_tokens() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let logins = [("alice", scene.begin().await), ("bob", scene.begin().await)];
    for (who, login) in logins.iter().rev() {
        let mut person = Person::default();
        let page = person.open(&login.address).await.unwrap();
        assert_eq!(person.log_in(&page, who, None).await.unwrap().status, 200);
    }
    for (who, login) in &logins {
        let tokens = scene.poll(login).await.json().unwrap();
        assert_eq!(scene.who(&tokens).await["preferred_username"], *who);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_no_sees_that_and_the_program_learns_it() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    let mut alice = Person::default();
    let page = alice.open(&login.address).await.unwrap();
    let page = alice.press(&page, "deny", &[]).await.unwrap();
    page.says(400, "You did not allow the login");
    page.says(400, "Access was denied");

    let polled = scene.poll(&login).await;
    assert_eq!(polled.status, 400, "{polled:?}");
    assert_eq!(polled.json().unwrap()["error"], "access_denied", "{polled:?}");
    // It stays so, whatever the browser does next.
    alice.open(&login.address).await.unwrap().says(400, "This code is not valid");
    assert_eq!(scene.poll(&login).await.json().unwrap()["error"], "access_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_provider_is_good_for_one_login() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    let mut alice = Person::default();
    let page = alice.open(&login.address).await.unwrap();
    let callback = format!("{}/api/auth/device/complete", scene.mesh.base);
    let stopped = alice.log_in(&page, "alice", Some(&callback)).await.unwrap();

    alice.open(&stopped.url).await.unwrap().says(200, "You are logged in");
    alice.open(&stopped.url).await.unwrap().says(400, "This login is over");
    alice.open(&login.address).await.unwrap().says(400, "This code is not valid");
    let tokens = scene.poll(&login).await.json().unwrap();
    assert_eq!(scene.who(&tokens).await["preferred_username"], "alice");
    alice.open(&stopped.url).await.unwrap().says(400, "This login is over");
    assert_eq!(scene.poll(&login).await.json().unwrap()["detail"], "Code was already used");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_not_registered_gets_no_token() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    let mut mallory = Person::default();
    let page = mallory.open(&login.address).await.unwrap();
    let page = mallory.log_in(&page, "mallory", None).await.unwrap();
    page.says(403, "You may not come in");
    page.says(403, "is not registered in VO alpha");
    let polled = scene.poll(&login).await;
    assert_eq!(polled.status, 403, "{polled:?}");
    assert!(polled.text.contains("is not registered in VO alpha"), "{polled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_takes_too_long_is_over_for_person_and_program() {
    let lifetime = ("DIRACX_SERVICE_AUTH_DEVICE_FLOW_EXPIRATION_SECONDS", "5");
    let Some(scene) = Scene::start(&[lifetime]).await else { return };
    let login = scene.begin().await;
    let mut slow = Person::default();
    let page = slow.open(&login.address).await.unwrap();
    let polled = scene.poll_until_over(&login).await;
    assert_eq!(
        (polled.status, polled.json().unwrap()["detail"].as_str()),
        (401, Some("Device code expired"))
    );
    slow.log_in(&page, "alice", None).await.unwrap().says(400, "This login is over");
    Person::default().open(&login.address).await.unwrap().says(400, "This code is not valid");
    assert_eq!(scene.poll(&login).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_link_types_the_code() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let login = scene.begin().await;
    let (page, code) = login.address.split_once("?user_code=").unwrap();
    let mut alice = Person::default();
    alice.open(page).await.unwrap().says(422, "Which code does the program show");
    let typed = format!("{page}?{}", form([("user_code", code.to_lowercase().as_str())]));
    assert!(alice.open(&typed).await.unwrap().text.contains("Log in"));
    alice.open(&format!("{page}?user_code=NONSENSE")).await.unwrap().says(400, "This code is not valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_program_logs_a_person_in_by_authorization_code() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let mut alice = Person::default();
    let page = alice.open_until(&scene.authorize("a state & more"), REDIRECT).await.unwrap();
    let back = alice.log_in(&page, "alice", Some(REDIRECT)).await.unwrap();
    assert!(back.url.ends_with("&state=a%20state%20%26%20more"), "{}", back.url);

    let code = back.url.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let refused = scene.redeem(&code, "another verifier").await;
    assert_eq!(
        (refused.status, refused.json().unwrap()["detail"].as_str()),
        (400, Some("Invalid code_challenge"))
    );
    let tokens = scene.redeem(&code, VERIFIER).await.json().unwrap();
    assert_eq!(scene.who(&tokens).await["preferred_username"], "alice", "{tokens}");
    let again = scene.redeem(&code, VERIFIER).await;
    assert_eq!(
        (again.status, again.json().unwrap()["detail"].as_str()),
        (400, Some("Code was already used"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_of_a_web_program_comes_back_once_and_may_say_no() {
    let Some(scene) = Scene::start(&[]).await else { return };
    let mut alice = Person::default();
    let page = alice.open(&scene.authorize("s")).await.unwrap();
    let callback = format!("{}/api/auth/authorize/complete", scene.mesh.base);
    let stopped = alice.log_in(&page, "alice", Some(&callback)).await.unwrap();
    assert!(alice.open_until(&stopped.url, REDIRECT).await.unwrap().url.starts_with(REDIRECT));
    alice.open_until(&stopped.url, REDIRECT).await.unwrap().says(400, "This login is over");

    let mut bob = Person::default();
    let page = bob.open(&scene.authorize("s")).await.unwrap();
    let back = bob.press_until(&page, "deny", &[], Some(REDIRECT)).await.unwrap().url;
    assert!(back.starts_with(REDIRECT) && back.contains("error=access_denied"), "{back}");
    assert!(back.ends_with("&state=s"), "{back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_program_whose_person_takes_too_long_starts_again() {
    let lifetime = ("DIRACX_SERVICE_AUTH_AUTHORIZATION_FLOW_EXPIRATION_SECONDS", "1");
    let Some(scene) = Scene::start(&[lifetime]).await else { return };
    let mut slow = Person::default();
    let page = slow.open(&scene.authorize("s")).await.unwrap();
    // Its second has passed for certain; nothing but the clock could tell.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    slow.log_in(&page, "alice", None).await.unwrap().says(400, "This login is over");
}
