//! The GOST tunnel of `deploy/gost`: the built program feeds a portal that speaks Russian cipher suites alone and asks for a certificate. Runs
//! as `make drill-gost` too.

mod stand;
mod unit;

use std::fs::File;

use crate::support::command::{Ran, run, vitrina};
use crate::support::daemon::{Daemon, until};

use stand::{Offer, PORTAL, Stand};

const KUZNYECHIK: &str = "GOST2012-KUZNYECHIK-KUZNYECHIKOMAC";
const MAGMA: &str = "GOST2012-MAGMA-MAGMAOMAC";
/// The suite of 2012 over GOST 28147-89: as its registered number has it, and as older software does.
const REGISTERED: &str = "IANA-GOST2012-GOST8912-GOST8912";
const LEGACY: &str = "LEGACY-GOST2012-GOST8912-GOST8912";

/// Feeds a whole hospital to a portal that offers this suite alone.
async fn feed(suite: &str, algorithm: &'static str) {
    let stand = Stand::new(algorithm).await;
    let _portal = stand.portal(&Offer { suites: suite, certificate: "portal" });
    let _tunnel = stand.tunnel(Some("client"));
    let daemon = Daemon::start(&stand.config);
    until("the hospital at the portal", || stand.is_whole()).await;
    assert_eq!(daemon.stop(), Some(0));
    let expected = format!("TLSv1.2 {suite} {PORTAL} {PORTAL} CN=hospital");
    let visits = stand.visits();
    assert!(visits.len() > 8 && visits.iter().all(|visit| *visit == expected), "{visits:#?}");
    // More than one key's worth: GOST suites change keys on the way.
    let large =
        reqwest::Client::new().post(format!("{}/large", stand.url())).header("host", PORTAL).body(vec![b'x'; 8 << 20]);
    assert_eq!(large.send().await.unwrap().status(), 204);
    println!("{suite}, {algorithm}: {} requests, the portal holds the whole hospital", visits.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn kuznyechik_carries_a_hospital() {
    feed(KUZNYECHIK, "gost2012_256").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn magma_carries_a_hospital() {
    feed(MAGMA, "gost2012_512").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_2012_carries_a_hospital() {
    feed(REGISTERED, "gost2012_256").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_2012_under_its_old_number_carries_a_hospital() {
    feed(LEGACY, "gost2012_512").await;
}

/// A verb over the stand's configuration, to its end.
fn verb(stand: &Stand, words: &[&str]) -> Ran {
    let words = [words, &["--config", stand.config.to_str().unwrap()]].concat();
    tokio::task::block_in_place(|| run(vitrina(&words)))
}

/// A pass through a tunnel that must not come about: nothing reaches the portal, no record is blamed for it, and `check` names the tunnel.
async fn refuses(algorithm: &'static str, offer: Offer<'_>, certificate: Option<&str>) {
    let stand = Stand::new(algorithm).await;
    let _portal = stand.portal(&offer);
    let _tunnel = stand.tunnel(certificate);
    let ran = verb(&stand, &["sync"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(stand.gateway.gateway().log().is_empty() && stand.gateway.gateway().totals().tokens_issued == 0);
    let rejected = verb(&stand, &["rejects", "list", "--state", "rejected", "--json"]);
    assert_eq!(rejected.out.trim(), "[]", "{}", rejected.err);
    let checked = verb(&stand, &["check"]);
    assert!(checked.code == 2 && checked.out.contains("see what the tunnel logs"), "{}", checked.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_name_is_refused() {
    refuses("gost2012_256", Offer { suites: KUZNYECHIK, certificate: "renamed" }, Some("client")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_root_is_refused() {
    refuses("gost2012_256", Offer { suites: KUZNYECHIK, certificate: "forged" }, Some("client")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_without_gost_suites_is_not_talked_to() {
    refuses("rsa", Offer { suites: "ECDHE-RSA-AES256-GCM-SHA384", certificate: "portal" }, Some("client")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_wants_a_certificate_blames_no_record_for_lack_of_it() {
    refuses("gost2012_256", Offer { suites: KUZNYECHIK, certificate: "portal" }, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_waits_for_its_tunnel_and_goes_on_by_itself() {
    let stand = Stand::new("gost2012_256").await;
    let _portal = stand.portal(&Offer { suites: KUZNYECHIK, certificate: "portal" });
    let log = stand.keys.path("log");
    let daemon = Daemon::start_telling(&stand.config, File::create(&log).unwrap());
    until("a portal out of reach", || std::fs::read_to_string(&log).unwrap().contains("cannot connect")).await;
    let _tunnel = stand.tunnel(Some("client"));
    until("the hospital at the portal", || stand.is_whole()).await;
    assert_eq!(daemon.stop(), Some(0));
}
