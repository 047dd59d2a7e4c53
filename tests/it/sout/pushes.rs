//! Sets on their way: what is sent, what is answered, what becomes of each record.

use std::time::Duration;

use serde_json::json;
use vitrina::demo::sout::{Envelope, Fault, RegisterSettings, Running};
use vitrina::portal::sout::SoutPortal;
use vitrina::portal::{AnyPortal, Batch, Delivery, Inquiry, Portal, Removal, Verdict};
use vitrina::record::{Receipt, Stage};
use vitrina::transport::{Failure, Trouble};

use crate::support::gateway::{Gateway, Reply};
use crate::support::sout::{KEY, asked, batch, many, portal, register, schema, settings, signing, title, training};
use crate::support::traces::Traces;

const ENVELOPES: [Envelope; 3] = [Envelope::Printed, Envelope::Serialized, Envelope::Wrapped];

fn with(envelope: Envelope) -> RegisterSettings {
    RegisterSettings { envelope, ..RegisterSettings::new(KEY) }
}

fn client(running: &Running, signed: bool) -> SoutPortal {
    portal(settings(&running.url(), signed.then(signing)))
}

async fn judged(portal: &SoutPortal, batch: &Batch) -> Vec<Verdict> {
    match portal.deliver(schema(), batch).await {
        Delivery::Judged(verdicts) => verdicts,
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => panic!("{failure:?}"),
    }
}

async fn failed(portal: &SoutPortal, batch: &Batch) -> Failure {
    match portal.deliver(schema(), batch).await {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => failure,
        Delivery::Judged(verdicts) => panic!("{verdicts:?}"),
    }
}

fn receipt(verdict: &Verdict) -> Receipt {
    match verdict {
        Verdict::Accepted { receipt: Some(receipt) } => (**receipt).clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unsigned_set_is_a_draft_and_a_signed_one_is_sent_on() {
    for (signed, status) in [(false, (Stage::Draft, Some("draft"))), (true, (Stage::Sent, Some("sent")))] {
        let running = register(RegisterSettings::new(KEY)).await;
        let verdicts = judged(&client(&running, signed), &many(3)).await;
        let sets = running.mock().sets();
        assert_eq!((sets.len(), sets[0].signed, sets[0].sent), (1, signed, signed));
        assert_eq!(sets[0].outer_ids, ["a-1", "a-2", "a-3"]);
        for verdict in &verdicts {
            let receipt = receipt(verdict);
            assert_eq!((receipt.stage, receipt.status.as_deref()), status);
            assert_eq!(receipt.set_id.as_deref(), Some(sets[0].id.as_str()));
        }
    }
}

#[tokio::test]
async fn a_push_is_a_form_of_two_files_as_running_clients_send_it() {
    let gateway = Gateway::start(|seen, _| match seen.method.as_str() {
        "GET" => Reply::json(200, &json!({"learnPrograms": [{"id": 4, "code": "x", "title": "Т"}]})),
        _ => Reply::new(200, "<Response><SetId>1</SetId></Response>"),
    })
    .await;
    judged(&portal(settings(&format!("{}/base/", gateway.url), None)), &many(1)).await;
    let seen = gateway.seen();
    assert_eq!(seen[0].target, "/base/api/Reference/GetLearnProgram?IsActive=true");
    assert!(!String::from_utf8_lossy(&seen[0].body).contains(KEY) && !seen[0].target.contains(KEY));
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("POST", "/base/api/set/push"));
    assert!(seen[1].header("content-type").starts_with("multipart/form-data; boundary="));
    assert_eq!(seen[1].headers.get_all("accept").iter().collect::<Vec<_>>(), ["application/xml"]);
    let body = String::from_utf8_lossy(&seen[1].body).into_owned();
    for part in [
        "Content-Disposition: form-data; name=\"xml\"; filename=\"Request.xml\"\r\nContent-Type: text/xml\r\n",
        &format!("<Request><ApiKey>{KEY}</ApiKey></Request>"),
        "Content-Disposition: form-data; name=\"olot\"; filename=\"data.olot\"\r\nContent-Type: application/octet-stream\r\n",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn the_bytes_of_a_form_are_counted() {
    let running = register(RegisterSettings::new(KEY)).await;
    let counted = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&counted);
    let witness = std::sync::Arc::new(move |exchange: &vitrina::transport::Exchange| {
        sink.lock().unwrap().push(exchange.sent_bytes);
    });
    let portal = SoutPortal::new(settings(&running.url(), None), Some(witness)).unwrap();
    judged(&portal, &many(50)).await;
    let counted = counted.lock().unwrap().clone();
    assert!(counted[0] == 0 && counted[1] > 1000, "{counted:?}");
}

#[tokio::test]
async fn an_error_that_speaks_of_success_is_taken_as_one_in_every_envelope() {
    for envelope in ENVELOPES {
        let running = register(with(envelope)).await;
        running.mock().inject(Fault::SuccessAsError);
        let verdicts = judged(&client(&running, true), &many(2)).await;
        assert_eq!(running.mock().sets().len(), 1);
        assert!(verdicts.iter().all(|verdict| receipt(verdict).set_id.is_none()), "{envelope:?}");
    }
}

#[tokio::test]
async fn a_signed_set_that_was_not_sent_on_is_a_draft() {
    let running = register(RegisterSettings::new(KEY)).await;
    running.mock().inject(Fault::NotSentOn);
    let verdicts = judged(&client(&running, true), &many(1)).await;
    assert_eq!(receipt(&verdicts[0]).status.as_deref(), Some("draft"));
}

#[tokio::test]
async fn a_refused_set_made_nothing_and_names_its_record() {
    for envelope in ENVELOPES {
        let running = register(with(envelope)).await;
        let portal = client(&running, true);
        let mut records: Vec<_> = (1..=3).map(|number| training(&format!("a-{number}"))).collect();
        records[1]["snils"] = "112-233-445 96".into();
        let failure = failed(&portal, &batch(&records)).await;
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Unattributed, false), "{envelope:?}");
        assert!(failure.text.contains("the portal names the record a-2"), "{}", failure.text);
        assert!(failure.text.contains("RequestId "), "{}", failure.text);
        assert!(!failure.text.contains(KEY));
        let alone = judged(&portal, &batch(&records[1..2])).await;
        assert!(matches!(&alone[0], Verdict::Rejected { code, .. } if code == "SOUT-400"), "{alone:?}");
        assert!(running.mock().sets().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_key_stops_the_portal_until_a_person_acts() {
    for envelope in ENVELOPES {
        let running = register(RegisterSettings { api_key: "another".into(), ..with(envelope) }).await;
        let portal = client(&running, true);
        let failure = failed(&portal, &many(2)).await;
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Parked, false));
        assert!(failure.text.contains("api_key") && !failure.text.contains(KEY), "{}", failure.text);
        assert_eq!(portal.authenticate().await.unwrap_err().trouble, Trouble::Parked);
    }
}

#[tokio::test]
async fn a_key_that_the_portal_no_longer_finds_is_no_empty_register() {
    let body = "<Error><StatusCode>404</StatusCode><Message>Ключ не найден</Message></Error>";
    let gateway = Gateway::start(move |_, _| Reply::new(404, body)).await;
    let portal = portal(settings(&gateway.url, Some(signing())));
    assert_eq!(portal.authenticate().await.unwrap_err().trouble, Trouble::Parked);
    assert_eq!(portal.inquire(schema(), &asked(&many(2), None)).await.unwrap_err().trouble, Trouble::Parked);
}

#[tokio::test]
async fn signing_in_proves_the_key() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = AnyPortal::Sout(Box::new(client(&running, false)));
    portal.sign_in().await.unwrap();
    assert_eq!(running.mock().counters().reads, 1);
}

#[tokio::test]
async fn a_lost_answer_may_have_been_applied_and_a_lost_connection_too() {
    for (fault, sets) in [(Fault::LoseAnswer, 1), (Fault::LoseRequest, 0), (Fault::Fail, 0)] {
        let running = register(RegisterSettings::new(KEY)).await;
        running.mock().inject(fault);
        let failure = failed(&client(&running, true), &many(2)).await;
        assert_eq!(
            (failure.trouble, failure.maybe_applied),
            (Trouble::Transient { retry_after: None }, true),
            "{fault:?}"
        );
        assert_eq!(running.mock().sets().len(), sets);
    }
}

#[tokio::test]
async fn under_maintenance_nothing_was_sent() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    judged(&portal, &many(1)).await;
    running.mock().set_maintenance(true);
    let failure = failed(&portal, &many(2)).await;
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Maintenance { retry_after: None }, false));
}

#[tokio::test]
async fn a_set_that_cannot_be_signed_is_not_sent() {
    let running = register(RegisterSettings::new(KEY)).await;
    let mut sign = signing();
    sign.command[2] = "echo 'Иванов 1234567890' >&2; exit 2".into();
    let failure = failed(&portal(settings(&running.url(), Some(sign))), &many(1)).await;
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::BatchAtFault, false));
    assert!(failure.text.contains("sign_command") && !failure.text.contains("Иванов"), "{}", failure.text);
    assert_eq!(running.mock().counters().pushes, 0);
}

#[tokio::test]
async fn the_catalogues_title_wins_and_is_asked_for_once() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    let mut record = training("a-1");
    record["learn_program_title"] = "retyped by hand".into();
    // The mock refuses a title that is not the catalogue's.
    receipt(&judged(&portal, &batch(&[record])).await[0]);
    receipt(&judged(&portal, &batch(&[training("a-2")])).await[0]);
    assert_eq!(running.mock().counters().programs, 1);
}

#[tokio::test]
async fn an_unknown_programme_is_refused_alone_and_its_neighbours_go() {
    let running = register(RegisterSettings::new(KEY)).await;
    let mut unknown = training("a-2");
    unknown["learn_program_id"] = 29.into();
    let verdicts = judged(&client(&running, true), &batch(&[training("a-1"), unknown, training("a-3")])).await;
    let Verdict::Rejected { code, text, .. } = &verdicts[1] else { panic!("{verdicts:?}") };
    assert!(code == "NO_PROGRAM" && text.contains("29"), "{code} {text}");
    assert_eq!(running.mock().sets()[0].outer_ids, ["a-1", "a-3"]);
    receipt(&verdicts[2]);
}

#[tokio::test]
async fn without_a_catalogue_the_column_serves_and_without_both_the_record_is_refused() {
    let running = register(RegisterSettings::new(KEY)).await;
    running.mock().hide_programs(true);
    let portal = client(&running, true);
    let mut titled = training("a-1");
    titled["learn_program_title"] = title().into();
    let verdicts = judged(&portal, &batch(&[titled, training("a-2")])).await;
    receipt(&verdicts[0]);
    assert!(matches!(&verdicts[1], Verdict::Rejected { code, .. } if code == "NO_TITLE"), "{verdicts:?}");
    assert_eq!(running.mock().counters().programs, 1, "a failed catalogue is not asked for at each set");
}

#[tokio::test]
async fn a_portal_that_is_down_refuses_nobody_for_want_of_a_title() {
    let running = register(RegisterSettings::new(KEY)).await;
    running.mock().set_maintenance(true);
    let failure = failed(&client(&running, true), &many(2)).await;
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Maintenance { retry_after: None }, false));
    assert!(failure.text.contains("catalogue"), "{}", failure.text);
}

#[tokio::test]
async fn a_whole_set_goes_at_once_and_a_larger_one_not_at_all() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    assert_eq!(judged(&portal, &many(5000)).await.len(), 5000);
    assert_eq!(running.mock().sets()[0].outer_ids.len(), 5000);
    let failure = failed(&portal, &many(5001)).await;
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::TooLarge, false));
    assert_eq!(running.mock().counters().pushes, 1);
}

#[tokio::test]
async fn an_empty_batch_is_not_sent() {
    let running = register(RegisterSettings::new(KEY)).await;
    assert!(judged(&client(&running, true), &batch(&[])).await.is_empty());
    assert_eq!(running.mock().counters(), Default::default());
}

#[tokio::test]
async fn what_the_portal_cannot_do_is_declared() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    let abilities = portal.abilities(schema());
    assert!(!abilities.idempotent && !abilities.update && abilities.registered);
    assert_eq!((abilities.removal, abilities.inquiry), (Removal::Unsupported, Inquiry::UntilConfirmed));
}

#[tokio::test]
async fn neither_traces_nor_texts_hold_the_key_or_a_person() {
    let (traces, _guard) = Traces::capture();
    let mut texts = String::new();
    for envelope in ENVELOPES {
        let running = register(with(envelope)).await;
        let mut settings = settings(&running.url(), Some(signing()));
        settings.timeout = Duration::from_secs(20);
        texts.push_str(&format!("{settings:?}"));
        let portal = portal(settings);
        running.mock().refuse("a-1", &format!("Ключ {KEY}: работник СЕКРЕТОВА Анна, СНИЛС 112-233-445 95 уволена"));
        running.mock().inject(Fault::Fail);
        for number in [1, 2] {
            texts.push_str(&format!(
                "{:?}",
                portal.deliver(schema(), &batch(&[training(&format!("a-{number}"))])).await
            ));
            texts.push_str(&format!("{:?}", portal.deliver(schema(), &many(number)).await));
        }
        texts.push_str(&format!("{:?}", portal.inquire(schema(), &crate::support::sout::asked(&many(5), None)).await));
    }
    let traced = traces.text();
    assert!(traced.contains("exchange") && traced.contains("/api/set/push"), "nothing was captured");
    assert!(texts.contains("SOUT-400"), "{texts}");
    for shown in [traced.to_lowercase(), texts.to_lowercase()] {
        for secret in [KEY, "секретов", "112-233", "11223344595"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
