//! Who may act, and what comes of it: `POST /api/…` as programs and as other sites try it.

use std::fs::{File, read_to_string};

use serde_json::json;

use super::site::{Site, TOKEN};
use crate::support::daemon::Daemon;

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_acts_with_the_token_and_the_log_names_the_caller() {
    let site = Site::after_a_loss().await;
    let log = site.folder.path().join("log");
    let daemon = Daemon::start_telling(&site.config, File::create(&log).unwrap());
    site.ready().await;
    let (bearer, slot) = (bearer(), json!({"portal": "fer", "feed": "slot"}));
    let shown = [("authorization", bearer.as_str())];
    assert_eq!(site.act("wake", &shown, slot.clone()).await.0, 200);
    assert_eq!(site.act("audit", &shown, json!({"portal": "fer"})).await.0, 200);
    let other = json!({"portal": "fer", "feed": "slot", "seen": "{\"set\":\"another\"}"});
    let (status, answer) = site.act("fuse/accept", &shown, other).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(site.act("fuse/accept", &shown, slot).await.0, 200);
    crate::support::daemon::until("the removal", || site.slots() == 10).await;
    assert_eq!(daemon.stop(), Some(0));
    let log = read_to_string(log).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("fuse/accept") && line.contains("carried out") && line.contains("feed"))
        .unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("127.0.0.1") && line.contains("slot"), "{line}");
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_by_name() {
    let site = Site::in_step().await;
    let _daemon = site.daemon().await;
    let bearer = bearer();
    let shown = [("authorization", bearer.as_str())];
    for (action, body, wanted, named) in [
        ("wake", json!({"portal": "nmo"}), 404, "no portal \"nmo\""),
        ("wake", json!({"portal": "fer", "feed": "training"}), 404, "no feed \"training\""),
        ("wake", json!({"portal": "fer", "feeds": []}), 400, "feeds"),
        ("fuse/accept", json!({"portal": "fer", "feed": "slot"}), 404, "has not tripped"),
        ("fuse/accept", json!({"portal": "fer"}), 400, "feed: name the feed"),
        ("rejects/retry", json!({"portal": "fer", "feed": "slot"}), 404, "is rejected"),
        ("unit/resume", json!({"portal": "fer", "unit": "u"}), 404, "is not paused"),
    ] {
        let (status, answer) = site.act(action, &shown, body.clone()).await;
        assert_eq!(status, wanted, "{action} {body}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(named), "{action} {body}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_a_guess_and_a_caller_without_a_token_do_nothing() {
    let site = Site::after_a_loss().await;
    let _daemon = site.daemon().await;
    let (bearer, slot) = (bearer(), json!({"portal": "fer", "feed": "slot"}));
    let foreign = [("authorization", bearer.as_str()), ("origin", "http://evil.example")];
    assert_eq!(site.act("fuse/accept", &foreign, slot.clone()).await.0, 403);
    assert_eq!(site.act("fuse/accept", &[], slot.clone()).await.0, 401);
    assert_eq!(site.act("fuse/accept", &[("cookie", "vitrina_session=guess")], slot.clone()).await.0, 401);
    for _ in 0..5 {
        assert_eq!(site.act("fuse/accept", &[("authorization", "Bearer guess")], slot.clone()).await.0, 401);
    }
    let (status, answer) = site.act("fuse/accept", &[("authorization", bearer.as_str())], slot).await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("wait")), (429, true), "{answer}");
    assert_eq!(site.slots(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_strict_cookie_and_acts_only_by_its_own_forms() {
    let site = Site::after_a_loss().await;
    let _daemon = site.daemon().await;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = |path: &str, fields: &str, cookie: &str| {
        let request = client.post(site.at(path)).header("content-type", "application/x-www-form-urlencoded");
        request.header("cookie", cookie).body(fields.to_owned()).send()
    };
    let signed = form("/signin", &format!("token={TOKEN}"), "").await.unwrap();
    assert_eq!(signed.status().as_u16(), 303);
    let cookie = signed.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Max-Age=28800"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let accept = "portal=fer&feed=slot&back=%2F";
    assert_eq!(form("/api/fuse/accept", accept, cookie).await.unwrap().status().as_u16(), 403, "without its secret");
    let page = client
        .get(site.at("/fuse?portal=fer&feed=slot"))
        .header("cookie", cookie)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let secret = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let done = form("/api/fuse/accept", &format!("{accept}&csrf={secret}"), cookie).await.unwrap();
    assert_eq!((done.status().as_u16(), done.headers()["location"].to_str().unwrap()), (303, "/"));
    crate::support::daemon::until("the removal", || site.slots() == 10).await;
    assert_eq!(form("/signout", &format!("csrf={secret}"), cookie).await.unwrap().status().as_u16(), 303);
    assert_eq!(form("/api/wake", &format!("portal=fer&csrf={secret}"), cookie).await.unwrap().status().as_u16(), 401);
}
