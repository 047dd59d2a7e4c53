//! `vitrina webhook`, as an operator runs it against the mock gateway.

use std::net::SocketAddr;
use std::path::PathBuf;

use vitrina::demo::fer::{FerGateway, GatewaySettings, Running};

use super::answering::Hospital;
use crate::support::command::{Ran, run, vitrina, write_private};

const OID: &str = "1.2.643.5.1.13.13.12.2.86.8964.0.163227";

struct Site {
    config: PathBuf,
    gateway: Running,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let account = GatewaySettings::default();
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let text = format!(
            "[sources.mis]\nurl = \"sqlite:{place}/mis.db\"\n[ledger]\nurl = \"sqlite:{place}/ledger.db\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\nrequests_per_second = 1000\n",
            gateway.url(),
            account.username,
            account.password,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        Site { config, gateway, _folder: folder }
    }

    async fn webhook(&self, verb: &str, more: &[&str]) -> Ran {
        let words = ["webhook", verb, "--config", self.config.to_str().unwrap()];
        let command = vitrina(&[&words[..], more].concat());
        tokio::task::spawn_blocking(move || run(command)).await.unwrap()
    }

    fn registered(&self, department: Option<&str>) -> Option<String> {
        self.gateway.gateway().webhooks().get(&department.map(str::to_owned)).cloned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_registered_shown_checked_changed_and_removed() {
    let (site, hospital, other) = (Site::new().await, Hospital::idle().await, Hospital::idle().await);
    let url = ["--url", &hospital.url];
    let none = site.webhook("show", &[]).await;
    assert_eq!((none.code, none.out.as_str()), (0, "fer: no webhook is registered\n"));
    let early = site.webhook("check", &url).await;
    assert!(early.code == 1 && early.err.contains("vitrina webhook register"), "{early:?}");

    let registered = site.webhook("register", &url).await;
    assert!(registered.code == 0 && registered.out.ends_with("is registered\n"), "{registered:?}");
    assert_eq!(site.registered(None), Some(hospital.url.clone()));
    assert!(hospital.asked().iter().all(|(line, _)| line == "GET /booking/book"), "called before it is taken");
    assert!(site.webhook("register", &url).await.out.contains("was registered already"));
    assert_eq!(site.webhook("show", &[]).await.out, format!("fer: {}\n", hospital.url));
    let checked = site.webhook("check", &url).await;
    assert!(checked.code == 0 && checked.out.contains("the gateway reaches"), "{checked:?}");

    let changed = site.webhook("register", &["--url", &other.url]).await;
    assert!(changed.out.contains(&format!("in place of {}", hospital.url)), "{changed:?}");
    let differs = site.webhook("check", &url).await;
    assert!(
        differs.code == 1 && differs.out.contains(&format!("{} is registered instead of", other.url)),
        "{differs:?}"
    );
    for expected in ["the webhook is removed", "no webhook was registered"] {
        let removed = site.webhook("remove", &[]).await;
        assert!(removed.code == 0 && removed.out.contains(expected), "{removed:?}");
    }
    assert_eq!(site.registered(None), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_has_a_webhook_of_its_own() {
    let (site, hospital) = (Site::new().await, Hospital::idle().await);
    let of = ["--department", OID, "--portal", "fer"];
    let registered = site.webhook("register", &[&["--url", hospital.url.as_str()], &of[..]].concat()).await;
    assert!(registered.code == 0 && registered.out.starts_with(&format!("fer, department {OID}: ")), "{registered:?}");
    assert_eq!((site.registered(Some(OID)), site.registered(None)), (Some(hospital.url.clone()), None));
    assert!(site.webhook("show", &of).await.out.ends_with(&format!("{}\n", hospital.url)));
    assert!(site.webhook("show", &[]).await.out.contains("no webhook is registered"));
    assert!(site.webhook("remove", &of).await.out.contains("is removed"));
    assert_eq!(site.registered(Some(OID)), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_answer_is_refused_with_what_to_look_at() {
    let site = Site::new().await;
    let ill = Hospital::start(|_, _, _| (500, serde_json::Value::Null)).await;
    let refused = site.webhook("register", &["--url", &ill.url]).await;
    assert_eq!((refused.code, site.registered(None)), (1, None));
    for word in ["HTTP 400", "Ответный сервис", "/booking/book", "allow", "firewall"] {
        assert!(refused.err.contains(word), "{word}: {}", refused.err);
    }
    let checked = site.webhook("check", &["--url", &ill.url]).await;
    assert!(checked.code == 1 && checked.out.contains("the gateway does not reach"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_use_is_told_before_anything_is_asked() {
    let site = Site::new().await;
    for (verb, more, word) in [
        ("register", vec!["--url", "http://h/booking"], "must end before /booking"),
        ("register", vec!["--url", "10.0.0.5:8090"], "http"),
        ("register", vec![], "--url"),
        ("show", vec!["--department", "12 34"], "no OID"),
        ("show", vec!["--portal", "nobody"], "known: fer"),
    ] {
        let ran = site.webhook(verb, &more).await;
        assert!(ran.code == 2 && ran.err.contains(word), "{verb} {more:?}: {ran:?}");
    }
    assert_eq!(site.gateway.gateway().totals().tokens_issued, 0);
}
