//! A person at a screen: `dirac login` in a terminal, Chromium beside it, a real OpenID provider.

use crate::scene::Scene;
use diracx_tests::{tools, web_driver::Browser};

async fn start(settings: &[(&str, &str)]) -> Option<(Scene, Browser)> {
    let driver = tools::chromedriver()?;
    let (scene, browser) = tokio::join!(Scene::start(settings), Browser::start(&driver));
    Some((scene?, browser.expect("a browser")))
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_clicks_through_a_login_and_comes_back_twice() {
    let Some((scene, browser)) = start(&[]).await else { return };
    let alice = scene.mesh.dirac();
    let login = alice.begin_login(&["alpha"]).await.unwrap();
    browser.open(&login.address).await.unwrap();
    browser.fill_in("input[name=account]", "alice").await.unwrap();
    browser.fill_in("input[name=password]", "alice").await.unwrap();
    browser.click("#login").await.unwrap();
    browser.wait_for("alpha-client wants to know who you are").await.unwrap();
    browser.click("#allow").await.unwrap();
    let page = browser.wait_for("You are logged in").await.unwrap();
    assert!(page.contains("Please close the window"), "{page}");

    let address = login.address.clone();
    let run = login.end().await.unwrap();
    assert_eq!(run.code, 0, "{run:?}");
    let who = alice.run(&["--output", "json", "whoami"]).await.unwrap().json().unwrap();
    assert_eq!(who["preferred_username"], "alice");

    browser.open(&address).await.unwrap();
    browser.wait_for("This code is not valid").await.unwrap();
    browser.back().await.unwrap();
    browser.wait_for("You are logged in").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_clicks_deny_and_the_terminal_says_so() {
    let Some((scene, browser)) = start(&[]).await else { return };
    let login = scene.mesh.dirac().begin_login(&["alpha"]).await.unwrap();
    browser.open(&login.address).await.unwrap();
    browser.fill_in("input[name=account]", "alice").await.unwrap();
    browser.fill_in("input[name=password]", "alice").await.unwrap();
    browser.click("#login").await.unwrap();
    browser.wait_for("wants to know who you are").await.unwrap();
    browser.click("#deny").await.unwrap();
    let page = browser.wait_for("You did not allow the login").await.unwrap();
    assert!(page.contains("Access was denied") && !page.contains('{'), "{page}");
    let run = login.end().await.unwrap();
    assert_ne!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("denied"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_comes_too_late_reads_that_the_code_has_expired() {
    let lifetime = ("DIRACX_SERVICE_AUTH_DEVICE_FLOW_EXPIRATION_SECONDS", "5");
    let Some((scene, browser)) = start(&[lifetime]).await else { return };
    let login = scene.begin().await;
    scene.poll_until_over(&login).await;
    browser.open(&login.address).await.unwrap();
    let page = browser.wait_for("This code is not valid").await.unwrap();
    assert!(page.contains("has expired"), "{page}");
    // The page takes another code.
    let another = scene.begin().await;
    let code = another.address.split("user_code=").nth(1).unwrap();
    browser.fill_in("input[name=user_code]", code).await.unwrap();
    browser.click("button").await.unwrap();
    browser.wait_for("Password").await.unwrap();
    assert!(browser.address().await.unwrap().starts_with(&scene.provider.base));
}
