//! The portal of medical education through its mock: modules, their evaluation, results, tokens, and what is never shown.

use std::time::Duration;

use serde_json::{Value, json};
use vitrina::demo::nmo::{Evaluation, Fault, NmoMockSettings};
use vitrina::portal::nmo::{ByPin, NmoSettings};
use vitrina::portal::{Asked, Cure, Delivery, Finding, Inquiry, Portal, Removal, Verdict};
use vitrina::record::{Key, Receipt, Stage};
use vitrina::transport::{Failure, Pauses, Trouble};

use crate::support::nmo::{
    CLIENT_SECRET, PASSWORD, PIN, REVIEWER, SNILS, accepted, batch, mock, mock_settings, module, portal, result,
    schema, send_module, send_result, settings, start, verdict,
};
use crate::support::traces::Traces;

fn failed(delivery: Delivery) -> Failure {
    match delivery {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => failure,
        Delivery::Judged(verdicts) => panic!("{verdicts:?}"),
    }
}

fn refused(delivery: Delivery) -> (String, Cure) {
    match verdict(delivery) {
        Verdict::Rejected { code, cure, .. } => (code, cure),
        other => panic!("{other:?}"),
    }
}

fn services(mock: &vitrina::demo::nmo::NmoMock) -> Vec<String> {
    mock.calls().into_iter().map(|call| call.service).collect()
}

#[tokio::test]
async fn a_module_is_created_updated_and_withdrawn() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    let Verdict::Accepted { receipt: Some(receipt) } = verdict(send_module(&portal, &module("A"), false).await) else {
        panic!("not accepted")
    };
    assert_eq!((receipt.stage, receipt.status.as_deref()), (Stage::Sent, Some("in_progress")));
    assert_eq!(receipt.url.as_ref(), Some(&mock.modules()["A"].url));
    assert_eq!(accepted(send_module(&portal, &module("A"), true).await), "in_progress");
    let removed = portal.remove(schema("module"), &Key::parse("A")).await;
    let Verdict::Accepted { receipt: Some(receipt) } = verdict(removed) else { panic!("not accepted") };
    assert_eq!(receipt.status.as_deref(), Some("withdrawn"));
    assert_eq!(receipt.url.as_ref(), Some(&mock.modules()["A"].url));
    assert!(!mock.modules()["A"].actual);
    assert_eq!(services(mock), ["iom/create", "iom/update", "iom/update"]);
    let calls = mock.calls();
    assert_eq!(calls[0].body["organization"], json!({"inn": "7707083893", "name": "Организация"}));
    assert_eq!((calls[0].body.get("actual"), &calls[1].body["actual"]), (None, &json!(true)));
    assert_eq!(calls[2].body, json!({"module_id": "A", "actual": false}));
}

#[tokio::test]
async fn what_the_ledger_believes_is_corrected_by_the_portal_once() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    // The ledger was lost: the portal has what we take for new.
    accepted(send_module(&portal, &module("A"), false).await);
    accepted(send_module(&portal, &module("A"), false).await);
    // The portal was restored from an old copy: it lacks what we take for known.
    accepted(send_module(&portal, &module("B"), true).await);
    let calls = services(mock);
    assert_eq!(calls, ["iom/create", "iom/create", "iom/update", "iom/update", "iom/create"]);
    assert_eq!((mock.modules()["A"].versions, mock.modules()["B"].versions), (2, 1));
}

#[tokio::test]
async fn a_module_that_is_not_current_is_withdrawn_and_one_that_is_not_there_already_is() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    accepted(send_module(&portal, &module("A"), false).await);
    let mut old = module("A");
    old["actual"] = json!(false);
    assert_eq!(accepted(send_module(&portal, &old, true).await), "withdrawn");
    assert!(!mock.modules()["A"].actual);
    old["module_id"] = json!("never seen");
    assert_eq!(accepted(send_module(&portal, &old, false).await), "withdrawn");
    assert_eq!(mock.modules().len(), 1);
}

#[tokio::test]
async fn a_module_with_wrong_data_is_refused_for_its_row() {
    let running = mock().await;
    let portal = portal(settings(&running.url()));
    let mut lacking = module("A");
    lacking["specialities"] = json!([]);
    assert_eq!(refused(send_module(&portal, &lacking, false).await), ("incomplete_data".into(), Cure::Row));
    let mut wrong = module("A");
    wrong["type"] = json!("iomX");
    assert_eq!(refused(send_module(&portal, &wrong, false).await), ("incorrect_data".into(), Cure::Row));
}

#[tokio::test]
async fn the_evaluation_of_a_module_is_followed() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    for id in ["in work", "good", "bad"] {
        accepted(send_module(&portal, &module(id), false).await);
    }
    mock.evaluate("good", Evaluation::Approved);
    mock.evaluate("bad", Evaluation::NotApproved("нет раздела 3 «Тест», см. п. 12".into()));
    let receipt = Receipt { stage: Stage::Sent, url: Some("https://nmfo/1".into()), ..Receipt::default() };
    let asked: Vec<Asked> = ["in work", "good", "bad", "unknown"]
        .map(|id| Asked { key: Key::parse(id), receipt: Some(receipt.clone()), sent: 0, signed: None })
        .into();
    let findings = portal.inquire(schema("module"), &asked).await.unwrap();
    let held = |stage, status: &str, reason: Option<&str>| {
        let (status, reason) = (Some(status.into()), reason.map(str::to_owned));
        Finding::Held(Receipt { stage, status, reason, ..receipt.clone() })
    };
    assert_eq!(
        findings,
        [
            held(Stage::Sent, "in_progress", None),
            held(Stage::Confirmed, "approved", None),
            held(Stage::TurnedDown, "not_approved", Some("нет раздела 3 «Тест», см. п. 12")),
            Finding::Absent,
        ]
    );
    mock.fault("iom/status", Fault::Maintenance);
    let failure = portal.inquire(schema("module"), &asked).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::Maintenance { retry_after: None });
}

#[tokio::test]
async fn each_kind_of_news_goes_to_its_own_service_without_our_id() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    accepted(send_module(&portal, &module("A"), false).await);
    mock.plan("A", SNILS, PIN);
    for status in ["started", "in_progress", "finished", "failed", "completed"] {
        assert_eq!(accepted(send_result(&portal, &result("A", status)).await), status);
    }
    let told: Vec<_> = mock.results().into_iter().map(|news| (news.service, news.status)).collect();
    let expected = [
        ("results/started", "started"),
        ("results/status", "in_progress"),
        ("results/status", "finished"),
        ("results/status", "failed"),
        ("results/completed", "completed"),
    ];
    assert_eq!(told, expected.map(|(service, status)| (service.to_owned(), status.to_owned())));
    let last = mock.calls().pop().unwrap().body;
    assert_eq!(last["snils"], json!(SNILS));
    assert_eq!(last.get("id"), None);
}

#[tokio::test]
async fn a_look_into_the_plan_spares_refusals_and_what_is_known_counts_as_told() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    let start = result("A", "started");
    assert_eq!(refused(send_result(&portal, &start).await), ("unknown_module".into(), Cure::Time));
    accepted(send_module(&portal, &module("A"), false).await);
    assert_eq!(refused(send_result(&portal, &start).await), ("not_planned".into(), Cure::Time));
    mock.plan("A", SNILS, "OTHER");
    assert_eq!(refused(send_result(&portal, &start).await), ("incorrect_pin".into(), Cure::Row));
    assert_eq!(mock.count("results/started"), 0);
    mock.plan("A", SNILS, PIN);
    assert_eq!(accepted(send_result(&portal, &start).await), "started");
    assert_eq!(accepted(send_result(&portal, &start).await), "already_started");
    assert_eq!(accepted(send_result(&portal, &result("A", "completed")).await), "completed");
    assert_eq!(accepted(send_result(&portal, &start).await), "already_completed");
    assert_eq!((mock.count("results/started"), mock.count("results/plan-status")), (1, 6));
}

#[tokio::test]
async fn without_a_look_into_the_plan_the_service_itself_says_the_same() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(NmoSettings { check_plan: false, ..settings(&running.url()) }));
    accepted(send_module(&portal, &module("A"), false).await);
    let start = result("A", "started");
    assert_eq!(refused(send_result(&portal, &start).await).0, "not_planned");
    mock.plan("A", SNILS, PIN);
    assert_eq!(accepted(send_result(&portal, &start).await), "started");
    assert_eq!(accepted(send_result(&portal, &start).await), "already_started");
    assert_eq!(accepted(send_result(&portal, &result("A", "completed")).await), "completed");
    assert_eq!(accepted(send_result(&portal, &result("A", "failed")).await), "already_completed");
    let mut unmarked = result("A", "completed");
    unmarked["result_mark"] = Value::Null;
    assert_eq!(refused(send_result(&portal, &unmarked).await), ("incomplete_data".into(), Cure::Row));
    assert_eq!(mock.count("results/plan-status"), 0);
}

#[tokio::test]
async fn nothing_of_the_reviewer_is_told_to_the_portal() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    for status in ["started", "completed"] {
        let mut of_reviewer = result("A", status);
        of_reviewer["snils"] = json!(REVIEWER);
        assert_eq!(accepted(send_result(&portal, &of_reviewer).await), "reviewer");
    }
    assert_eq!((mock.calls(), mock.logins().granted), (Vec::new(), 0));
}

#[tokio::test]
async fn a_failure_in_the_middle_keeps_the_verdicts_before_it() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    accepted(send_module(&portal, &module("old"), false).await);
    mock.fault("iom/update", Fault::Maintenance);
    // The second one turns out to be known, and its update meets the maintenance.
    let bodies = [module("new"), module("old"), module("newer")];
    let Delivery::Judged(verdicts) = portal.deliver(schema("module"), &batch(&bodies, false)).await else {
        panic!("not judged")
    };
    assert!(matches!(verdicts[..], [Verdict::Accepted { .. }, Verdict::Unknown, Verdict::Unknown]), "{verdicts:?}");
    assert!(!mock.modules().contains_key("newer"));
}

#[tokio::test]
async fn a_lost_answer_is_doubtful_and_a_repetition_does_no_harm() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    mock.fault("iom/create", Fault::LoseAnswer);
    let failure = failed(send_module(&portal, &module("A"), false).await);
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Transient { retry_after: None }, true));
    accepted(send_module(&portal, &module("A"), false).await);
    assert_eq!(mock.modules().len(), 1);
    mock.plan("A", SNILS, PIN);
    for (service, status) in [("results/started", "started"), ("results/completed", "completed")] {
        mock.fault(service, Fault::LoseAnswer);
        assert!(failed(send_result(&portal, &result("A", status)).await).maybe_applied);
        assert_eq!(accepted(send_result(&portal, &result("A", status)).await), format!("already_{status}"));
    }
    assert_eq!(mock.results().len(), 2);
}

#[tokio::test]
async fn every_trouble_of_the_portal_comes_to_its_row_of_the_failure_table() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    let table = [
        (Fault::Maintenance, Trouble::Maintenance { retry_after: None }, false),
        (Fault::Fail, Trouble::Transient { retry_after: None }, true),
        (Fault::Page, Trouble::Transient { retry_after: None }, true),
    ];
    for (fault, trouble, maybe_applied) in table {
        mock.fault("iom/create", fault);
        let failure = failed(send_module(&portal, &module("A"), false).await);
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{fault:?}");
    }
    assert!(mock.modules().is_empty());
}

#[tokio::test]
async fn a_pin_tells_its_module() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    mock.plan("A", SNILS, PIN);
    assert_eq!(portal.module_by_pin("112-233-445 95", PIN).await, Ok(ByPin::Found("A".into())));
    assert_eq!(portal.module_by_pin(SNILS, "OTHER").await, Ok(ByPin::NotFound));
    assert_eq!(portal.module_by_pin(SNILS, "").await, Ok(ByPin::IncorrectPin));
    let asked = mock.calls().len();
    assert_eq!(portal.module_by_pin("087-654-303 00", PIN).await, Ok(ByPin::Reviewer));
    assert_eq!(mock.calls().len(), asked, "nothing is asked about the reviewer");
}

#[tokio::test]
async fn tokens_that_are_dead_on_arrival_take_one_refresh_and_one_login_and_then_nobody_asks() {
    let running = start(NmoMockSettings { token_life: Duration::ZERO, ..mock_settings() }).await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    let failure = failed(send_module(&portal, &module("A"), false).await);
    assert_eq!(failure.trouble, Trouble::Parked);
    let logins = mock.logins();
    assert_eq!((logins.granted, logins.refreshed), (2, 1));
    for _ in 0..20 {
        assert_eq!(failed(send_module(&portal, &module("A"), false).await).trouble, Trouble::Parked);
    }
    assert_eq!(mock.logins(), logins);
}

#[tokio::test]
async fn refresh_tokens_are_used_again_and_again() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    for round in 1..=3 {
        accepted(send_module(&portal, &module("A"), round > 1).await);
        mock.revoke_access();
    }
    let logins = mock.logins();
    assert_eq!((logins.granted, logins.refreshed, logins.unrefreshed), (1, 2, 0));
}

#[tokio::test]
async fn a_portal_that_forgot_all_tokens_gets_the_password_once() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    accepted(send_module(&portal, &module("A"), false).await);
    mock.forget_tokens();
    accepted(send_module(&portal, &module("A"), true).await);
    let logins = mock.logins();
    assert_eq!((logins.granted, logins.refreshed, logins.unrefreshed), (2, 0, 1));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_a_pause_and_locks_nobody() {
    let running = mock().await;
    let mock = running.mock();
    let pauses = Pauses {
        refused: vitrina::transport::RetryTiming::new(Duration::from_millis(300), Duration::from_secs(60)).unwrap(),
        ..Pauses::DEFAULT
    };
    let portal = portal(NmoSettings { pauses, ..settings(&running.url()) });
    accepted(send_module(&portal, &module("A"), false).await);
    mock.forget_tokens();
    mock.change_password("another");
    for _ in 0..50 {
        let failure = failed(send_module(&portal, &module("A"), true).await);
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Parked, false));
    }
    let logins = mock.logins();
    assert_eq!((logins.refused, logins.unrefreshed, logins.locked), (1, 1, false));
    // The operator gives the old password back; after the pause one login is enough.
    mock.change_password(PASSWORD);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !matches!(send_module(&portal, &module("A"), true).await, Delivery::Judged(_)) {
        assert!(tokio::time::Instant::now() < deadline, "never again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((mock.logins().refused, mock.logins().granted), (1, 2));
}

#[tokio::test]
async fn a_node_that_lags_behind_is_asked_twice_and_no_token_is_fetched_for_it() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    mock.fault("iom/create", Fault::Lag);
    accepted(send_module(&portal, &module("A"), false).await);
    let logins = mock.logins();
    assert_eq!((logins.granted, logins.refreshed, mock.unauthorized()), (1, 0, 1));
}

#[tokio::test]
async fn authentication_waits_out_maintenance_without_giving_up_its_refresh_token() {
    let running = mock().await;
    let (mock, portal) = (running.mock(), portal(settings(&running.url())));
    accepted(send_module(&portal, &module("A"), false).await);
    mock.revoke_access();
    mock.fault("oauth", Fault::Maintenance);
    let failure = failed(send_module(&portal, &module("A"), true).await);
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Maintenance { retry_after: None }, false));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !matches!(send_module(&portal, &module("A"), true).await, Delivery::Judged(_)) {
        assert!(tokio::time::Instant::now() < deadline, "never again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((mock.logins().granted, mock.logins().refreshed), (1, 1));
}

#[tokio::test]
async fn the_abilities_are_those_of_the_document() {
    let portal = portal(settings("http://127.0.0.1:9"));
    let (module, result) = (portal.abilities(schema("module")), portal.abilities(schema("result")));
    assert_eq!((module.removal, module.inquiry), (Removal::Deactivation, Inquiry::UntilConfirmed));
    assert_eq!((result.removal, result.inquiry), (Removal::Unsupported, Inquiry::Never));
    assert!(module.idempotent && result.idempotent && module.registered && result.registered && result.update);
}

#[tokio::test]
async fn neither_traces_nor_texts_hold_a_secret_or_a_person() {
    let (traces, _guard) = Traces::capture();
    let running = mock().await;
    let (mock, settings) = (running.mock(), settings(&running.url()));
    let mut texts = format!("{settings:?}");
    let portal = portal(settings);
    accepted(send_module(&portal, &module("A"), false).await);
    // Each of these repeats what was sent: tokens, passwords, bodies.
    mock.revoke_access();
    texts.push_str(&format!("{:?}", send_result(&portal, &result("A", "started")).await));
    mock.forget_tokens();
    mock.change_password("another");
    texts.push_str(&format!("{:?}", send_result(&portal, &result("A", "completed")).await));
    texts.push_str(&format!("{:?}", portal.module_by_pin(SNILS, PIN).await));
    let traced = traces.text();
    assert!(traced.contains("exchange") && traced.contains("/rest/online-platforms/results/plan-status"), "{traced}");
    assert!(texts.contains("not_planned") && texts.contains("Bad credentials"), "{texts}");
    for secret in [CLIENT_SECRET, PASSWORD, SNILS, PIN, "smith", "access_token", "DASJ"] {
        assert!(!traced.contains(secret) && !texts.contains(secret), "{secret}: {texts}");
    }
    let guids = texts.split(|sign: char| !sign.is_ascii_hexdigit() && sign != '-').filter(|run| run.len() == 36);
    assert_eq!(guids.collect::<Vec<_>>(), Vec::<&str>::new());
}
