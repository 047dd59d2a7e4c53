//! The whole of it against a mail server, a webhook and a program on this machine.

mod server;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::plan::SETTLE;
use super::*;
use crate::config::{SmtpSecurity, SmtpUrl};
use crate::daemon::trouble::{OVER_AFTER, Seen, Told, Trouble, TroubleKind};
use crate::record::{Actor, Language};
use server::{Hook, MailServer};

const NOW: i64 = 1_780_000_000;

fn nobody() -> NotifyConfig {
    NotifyConfig {
        language: Language::Russian,
        smtp: None,
        username: None,
        password: None,
        ca_file: None,
        from: Some("Витрина <vitrina@hospital.lan>".into()),
        to: vec!["it@hospital.lan".into(), "duty@hospital.lan".into()],
        webhook: None,
        command: None,
        digest: None,
        always: false,
        quiet: Duration::from_secs(3600),
    }
}

fn by_mail(server: &MailServer) -> NotifyConfig {
    let smtp = SmtpUrl { security: SmtpSecurity::None, host: "127.0.0.1".into(), port: server.port() };
    NotifyConfig { smtp: Some(smtp), ..nobody() }
}

fn trouble() -> Trouble {
    let told = |en: &str, ru: &str| Told { en: en.into(), ru: ru.into() };
    Trouble {
        kind: TroubleKind::Rejected,
        cause: "rejected/fer/slot".into(),
        portal: Some("fer".into()),
        feed: Some("slot".into()),
        code: Some("CHECK".into()),
        count: 12,
        who: Actor::Data,
        text: told("Twelve are refused.", "Отклонены двенадцать."),
        remedy: told("Mend them.", "Исправьте их."),
        since: chrono::DateTime::from_timestamp(NOW, 0).unwrap(),
    }
}

/// Notices at work over a ledger, with a clock and a watch that the test moves.
struct Scene {
    notices: Notices,
    watch: Arc<Watch>,
    ledger: Arc<AnyLedger>,
    steps: &'static AtomicI64,
    clock: Clock,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Scene {
    fn begin(notify: &NotifyConfig) -> Self {
        let ledger = Arc::new(AnyLedger::Memory(crate::ledger::MemoryLedger::new()));
        let steps: &'static AtomicI64 = Box::leak(Box::default());
        let scene = Scene {
            notices: Notices::of(notify, Tz::Asia__Yekaterinburg).unwrap(),
            watch: Arc::default(),
            ledger,
            steps,
            clock: Clock::stepping(NOW, steps),
            tasks: Tasks::default(),
            stop: CancellationToken::new(),
        };
        scene.started()
    }

    fn started(mut self) -> Self {
        let metrics = Metrics::new().unwrap();
        let of = (&self.ledger, &self.watch, &metrics);
        self.notices.start(&mut self.tasks, of, self.clock, &self.stop);
        self
    }

    async fn restart(mut self, notify: &NotifyConfig) -> Self {
        self.stop.cancel();
        assert!(self.tasks.finish(Duration::from_secs(30)).await);
        let notices = Notices::of(notify, Tz::Asia__Yekaterinburg).unwrap();
        Scene { notices, watch: Arc::default(), stop: CancellationToken::new(), tasks: Tasks::default(), ..self }
            .started()
    }

    /// Shows this, again and again, until something is so. The wall clock moves by `step` seconds with each look.
    async fn show(&self, troubles: &[Trouble], step: i64, until: impl Fn() -> bool) {
        while !until() {
            self.watch.publish(Seen { troubles: troubles.to_vec(), ..Seen::default() });
            self.steps.fetch_add(step, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Shows this for some time of the wall clock.
    async fn show_for(&self, troubles: &[Trouble], seconds: i64) {
        let end = self.clock.now() + seconds;
        self.show(troubles, 20, || self.clock.now() >= end).await;
    }

    fn state(&self) -> NoticeStatus {
        self.notices.status().remove(0)
    }
}

#[tokio::test]
async fn a_mail_says_what_is_wrong_who_acts_and_what_helps_in_the_readers_language() {
    let server = MailServer::start().await;
    let scene = Scene::begin(&by_mail(&server));
    scene.show(&[trouble()], 5, || !server.mails().is_empty()).await;
    let mail = server.mails().remove(0);
    assert_eq!(mail.to, ["it@hospital.lan", "duty@hospital.lan"]);
    for part in ["Отклонены двенадцать.", "Кто действует: данные больницы.", "Исправьте их.", "(Asia/Yekaterinburg)"]
    {
        assert!(mail.text.contains(part), "{part}: {}", mail.text);
    }
    assert!(mail.subject.contains("fer.slot: записи отклонены"), "{}", mail.subject);
}

#[tokio::test]
async fn one_cause_is_one_mail_until_it_is_over_and_a_restart_repeats_nothing() {
    let server = MailServer::start().await;
    let scene = Scene::begin(&by_mail(&server));
    scene.show(&[trouble()], 5, || server.mails().len() == 1).await;
    let worse = Trouble { count: 90_000, ..trouble() };
    scene.show_for(std::slice::from_ref(&worse), 600).await;
    let scene = scene.restart(&by_mail(&server)).await;
    scene.show_for(&[worse], 600).await;
    assert_eq!(server.mails().len(), 1);
    scene.show(&[], OVER_AFTER / 10, || server.mails().len() == 2).await;
    assert!(server.mails()[1].text.contains("Это закончилось."), "{}", server.mails()[1].text);
    scene.show_for(&[], 600).await;
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn a_mail_server_that_is_down_is_shown_and_gets_the_latest_state_when_it_is_back() {
    let server = MailServer::start().await;
    server.refuse(true);
    let scene = Scene::begin(&by_mail(&server));
    scene.show(&[trouble()], 5, || scene.state().state == "failing").await;
    assert!(scene.state().why.is_some() && scene.state().since.is_some());
    let other =
        Trouble { cause: "other".into(), text: Told { en: "Later.".into(), ru: "Позже.".into() }, ..trouble() };
    scene.show_for(std::slice::from_ref(&other), OVER_AFTER + SETTLE).await;
    server.refuse(false);
    scene.show(&[other], 60, || !server.mails().is_empty()).await;
    assert!(server.mails()[0].text.contains("Позже.") && !server.mails()[0].text.contains("двенадцать"));
    scene.show(&[], 0, || scene.state().state == "ok").await;
}

#[tokio::test]
async fn a_webhook_gets_the_contracts_json() {
    let hook = Hook::start().await;
    let url = format!("{}/secret-key", hook.url());
    let scene = Scene::begin(&NotifyConfig { webhook: Some(url.into()), ..nobody() });
    scene.show(&[trouble()], 5, || !hook.posts().is_empty()).await;
    let post = hook.posts().remove(0);
    let keys: Vec<&str> = post.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["host", "language", "kind", "subject", "text", "items"]);
    assert_eq!((post["language"].as_str(), post["kind"].as_str()), (Some("ru"), Some("rejected")));
    assert_eq!(
        post["items"],
        serde_json::json!([{
            "portal": "fer", "feed": "slot", "kind": "rejected", "code": "CHECK", "count": 12, "who": "данные больницы",
            "text": "Отклонены двенадцать.", "remedy": "Исправьте их.", "since": "2026-05-28T20:26:40Z",
        }])
    );
}

#[tokio::test]
async fn a_webhook_that_refuses_is_told_without_its_address() {
    let hook = Hook::start().await;
    hook.answer(500);
    for url in [format!("{}/secret-key", hook.url()), "http://127.0.0.1:1/secret-key".to_owned()] {
        let notices = Notices::of(&NotifyConfig { webhook: Some(url.into()), ..nobody() }, Tz::UTC).unwrap();
        let (_, sent) = notices.try_out().await.remove(0);
        let error = sent.unwrap_err().to_string();
        assert!(!error.contains("secret-key"), "{error}");
    }
}

#[tokio::test]
async fn a_program_gets_the_same_on_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let (script, got) = (folder.path().join("notify"), folder.path().join("got"));
    std::fs::write(&script, "cat > \"$1\"\n").unwrap();
    let command = ["/bin/sh", script.to_str().unwrap(), got.to_str().unwrap()].map(str::to_owned).to_vec();
    let scene = Scene::begin(&NotifyConfig { command: Some(command), language: Language::English, ..nobody() });
    let read = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&got).unwrap_or_default()).ok();
    scene.show(&[trouble()], 5, || read().is_some()).await;
    assert_eq!(read().unwrap()["items"][0]["who"], "the hospital's data");
}

#[tokio::test]
async fn a_check_greets_the_mail_server_looks_for_the_program_and_tells_nobody() {
    let server = MailServer::start().await;
    let hook = Hook::start().await;
    let all =
        NotifyConfig { webhook: Some(hook.url().into()), command: Some(vec!["/bin/sh".into()]), ..by_mail(&server) };
    let wrong = |notify: NotifyConfig| async move {
        let notices = Notices::of(&notify, Tz::UTC).unwrap();
        notices.check().await.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(wrong(all.clone()).await, Vec::<&str>::new());
    assert!(server.greetings() > 0 && server.mails().is_empty() && hook.posts().is_empty());
    let gone = Some(SmtpUrl { security: SmtpSecurity::None, host: "127.0.0.1".into(), port: 1 });
    let file = tempfile::NamedTempFile::new().unwrap();
    let plain = file.path().to_str().unwrap().to_owned();
    let all = NotifyConfig { smtp: gone, command: Some(vec![plain]), ..all };
    assert_eq!(wrong(all).await, ["notify.smtp", "notify.command"]);
}

#[tokio::test]
async fn a_password_that_the_mail_server_refuses_is_not_repeated() {
    let server = MailServer::start().await;
    let notify =
        NotifyConfig { username: Some("vitrina".into()), password: Some("hunter2".into()), ..by_mail(&server) };
    let notices = Notices::of(&notify, Tz::UTC).unwrap();
    let (_, error) = notices.check().await.remove(0);
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn what_stands_around_troubles_is_there_in_both_languages() {
    for (_, phrase) in words::ALL {
        let holes = |text: &str| text.matches("{}").count();
        assert!(phrase.en.is_ascii() && holes(phrase.en) == holes(phrase.ru), "{phrase:?}");
    }
}
