//! Looking records up: after a lost answer, and until they have their numbers.

use std::time::Duration;

use vitrina::demo::sout::{Envelope, Fault, RegisterSettings, Running};
use vitrina::portal::sout::{SoutPortal, SoutSettings};
use vitrina::portal::{Asked, Batch, Delivery, Finding, Portal, Verdict};
use vitrina::record::{Key, Receipt, Stage};
use vitrina::transport::Trouble;

use crate::support::sout::{KEY, asked, batch, many, portal, register, schema, settings, signing, training};

fn client(running: &Running, signed: bool) -> SoutPortal {
    portal(settings(&running.url(), signed.then(signing)))
}

async fn inquire(portal: &SoutPortal, asked: &[Asked]) -> Vec<Finding> {
    portal.inquire(schema(), asked).await.unwrap()
}

/// Pushes a batch and loses its answer; the set is made all the same.
async fn push_and_lose(running: &Running, portal: &SoutPortal, batch: &Batch) {
    running.mock().inject(Fault::LoseAnswer);
    assert!(matches!(portal.deliver(schema(), batch).await, Delivery::Failed(failure) if failure.maybe_applied));
}

async fn push(portal: &SoutPortal, batch: &Batch) -> Receipt {
    match portal.deliver(schema(), batch).await {
        Delivery::Judged(verdicts) => match verdicts.into_iter().next() {
            Some(Verdict::Accepted { receipt: Some(receipt) }) => *receipt,
            other => panic!("{other:?}"),
        },
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => panic!("{failure:?}"),
    }
}

fn held(finding: &Finding) -> &Receipt {
    match finding {
        Finding::Held(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lost_set_is_found_with_its_numbers_in_few_requests_in_every_envelope() {
    for envelope in [Envelope::Printed, Envelope::Serialized, Envelope::Wrapped] {
        let running = register(RegisterSettings { envelope, ..RegisterSettings::new(KEY) }).await;
        let portal = portal(SoutSettings { page_size: 40, ..settings(&running.url(), Some(signing())) });
        let batch = many(110);
        push_and_lose(&running, &portal, &batch).await;
        let findings = inquire(&portal, &asked(&batch, None)).await;
        assert_eq!(findings.len(), 110);
        for (finding, record) in findings.iter().zip(batch.records()) {
            let receipt = held(finding);
            assert_eq!(receipt.stage, Stage::Confirmed);
            assert_eq!(receipt.base_no, running.mock().base_no(&record.key.to_string()));
            assert_eq!(receipt.set_id.as_deref(), Some(running.mock().sets()[0].id.as_str()));
        }
        assert_eq!(running.mock().counters().reads, 3, "three pages, the last of them short");
    }
}

#[tokio::test]
async fn a_signed_set_that_never_arrived_is_absent_after_a_list_and_some_probes() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    push(&portal, &batch(&[training("other-1")])).await;
    let findings = inquire(&portal, &asked(&many(400), None)).await;
    assert!(findings.iter().all(|finding| *finding == Finding::Absent));
    assert_eq!(running.mock().counters().reads, 6, "a list and five probes");
}

#[tokio::test]
async fn few_records_are_asked_about_by_their_ids_alone() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    push(&portal, &batch(&[training("a-1"), training("a-10")])).await;
    let findings = inquire(&portal, &asked(&many(2), None)).await;
    assert_eq!(held(&findings[0]).stage, Stage::Confirmed);
    assert_eq!(findings[1], Finding::Absent);
    assert_eq!(running.mock().counters().reads, 2);
}

#[tokio::test]
async fn a_record_that_was_sent_just_now_may_still_appear() {
    let running = register(RegisterSettings::new(KEY)).await;
    let patient = SoutSettings { absent_after: Duration::from_secs(900), ..settings(&running.url(), Some(signing())) };
    let portal = portal(patient);
    for count in [1, 10] {
        let mut asked = asked(&many(count), None);
        assert!(inquire(&portal, &asked).await.iter().all(|finding| *finding == Finding::Later));
        asked.iter_mut().for_each(|record| record.sent -= 901);
        assert!(inquire(&portal, &asked).await.iter().all(|finding| *finding == Finding::Absent));
    }
}

#[tokio::test]
async fn a_draft_that_no_read_back_shows_is_never_called_absent() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, false);
    let batch = many(20);
    push_and_lose(&running, &portal, &batch).await;
    let mut asked = asked(&batch, None);
    // Whatever the settings say by now, that a signed set would be sent again among them.
    let portal = client(&running, true);
    for signed in [Some(false), None] {
        asked.iter_mut().for_each(|record| record.signed = signed);
        assert!(inquire(&portal, &asked).await.iter().all(|finding| *finding == Finding::Unclear), "{signed:?}");
    }
    // A person signs and sends it on the site.
    assert_eq!(running.mock().send_drafts(), 1);
    let findings = inquire(&portal, &asked).await;
    assert!(findings.iter().all(|finding| held(finding).stage == Stage::Confirmed));
}

#[tokio::test]
async fn a_sent_set_is_asked_about_by_its_number_until_each_record_has_its_own() {
    let running = register(RegisterSettings { reads_before_number: 3, ..RegisterSettings::new(KEY) }).await;
    let portal = client(&running, true);
    let batch = many(30);
    let receipt = push(&portal, &batch).await;
    let asked = asked(&batch, Some(&receipt));
    for _ in 0..3 {
        let findings = inquire(&portal, &asked).await;
        assert!(findings.iter().all(|finding| held(finding).stage == Stage::Sent && held(finding).base_no.is_none()));
    }
    let findings = inquire(&portal, &asked).await;
    assert!(findings.iter().all(|finding| held(finding).stage == Stage::Confirmed));
    assert_eq!(running.mock().counters().reads, 4);
}

#[tokio::test]
async fn the_number_of_a_set_may_come_from_an_operator() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    let receipt = push(&portal, &many(5)).await;
    let told = Receipt { stage: Stage::Sent, remote_id: receipt.set_id, ..Receipt::default() };
    let findings = inquire(&portal, &asked(&many(5), Some(&told))).await;
    assert!(findings.iter().all(|finding| held(finding).stage == Stage::Confirmed));
    assert_eq!(running.mock().counters().reads, 1);
}

#[tokio::test]
async fn a_set_taken_without_a_number_is_looked_for_and_never_absent() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    running.mock().inject(Fault::SuccessAsError);
    let receipt = push(&portal, &many(10)).await;
    assert_eq!(receipt.set_id, None);
    let findings = inquire(&portal, &asked(&many(11), Some(&receipt))).await;
    assert!(findings[..10].iter().all(|finding| held(finding).stage == Stage::Confirmed));
    assert_eq!(findings[10], Finding::Unclear, "it was acknowledged");
}

#[tokio::test]
async fn a_portal_that_gives_smaller_pages_than_asked_for_is_read_to_its_end() {
    let running = register(RegisterSettings { largest_page: 100, ..RegisterSettings::new(KEY) }).await;
    let portal = client(&running, true);
    push_and_lose(&running, &portal, &many(250)).await;
    let findings = inquire(&portal, &asked(&many(250), None)).await;
    assert!(findings.iter().all(|finding| held(finding).stage == Stage::Confirmed));
    assert_eq!(running.mock().counters().reads, 3);
}

#[tokio::test]
async fn a_list_that_hides_records_is_not_believed() {
    // Pages of 90 look like the last ones.
    let running = register(RegisterSettings { largest_page: 90, ..RegisterSettings::new(KEY) }).await;
    let portal = client(&running, true);
    push_and_lose(&running, &portal, &many(120)).await;
    let findings = inquire(&portal, &asked(&many(120), None)).await;
    assert!(findings.iter().all(|finding| held(finding).stage == Stage::Confirmed), "{findings:?}");
}

#[tokio::test]
async fn several_sets_and_lost_records_are_told_apart_in_one_inquiry() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    let mut all = Vec::new();
    for id in ["s-1", "s-2"] {
        let receipt = push(&portal, &batch(&[training(id)])).await;
        all.push(Asked { key: Key::Text(id.into()), receipt: Some(receipt), sent: 1_700_000_000, signed: None });
    }
    all.insert(1, Asked { key: Key::Text("never".into()), receipt: None, sent: 1_700_000_000, signed: Some(true) });
    let findings = inquire(&portal, &all).await;
    assert_ne!(held(&findings[0]).set_id, held(&findings[2]).set_id);
    assert_eq!(findings[1], Finding::Absent);
}

#[tokio::test]
async fn drafts_that_nobody_sends_keep_neither_what_was_lost_nor_one_another_from_their_turn() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    let draft = |number: usize| {
        let set_id = Some(format!("draft-{number}"));
        let receipt = Receipt { stage: Stage::Sent, set_id, ..Receipt::default() };
        let key = Key::Text(format!("d-{number}").into());
        Asked { key, receipt: Some(receipt), sent: 1_700_000_000, signed: None }
    };
    // In the order in which they were asked about last.
    let mut all: Vec<Asked> = (0..100).rev().map(draft).collect();
    all.extend(asked(&many(10), None));
    let findings = inquire(&portal, &all).await;
    assert!(findings[100..].iter().all(|finding| *finding == Finding::Absent), "{findings:?}");
    let reached = findings.iter().filter(|finding| **finding == Finding::Unclear).count();
    assert!(reached >= 50 && findings[..reached].iter().all(|finding| *finding == Finding::Unclear), "{findings:?}");
    assert!(findings[reached..100].iter().all(|finding| *finding == Finding::NotAsked), "{findings:?}");
    // Who was not reached is reached the next time.
    let findings = inquire(&portal, &all[reached..100]).await;
    assert!(findings.iter().all(|finding| *finding == Finding::Unclear), "{findings:?}");
}

#[tokio::test]
async fn an_inquiry_that_fails_finds_nothing() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    running.mock().set_maintenance(true);
    let failure = portal.inquire(schema(), &asked(&many(10), None)).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::Maintenance { retry_after: None });
}

/// As records whose push was lost so many seconds ago.
fn lost_ago(records: &Batch, seconds: i64) -> Vec<Asked> {
    let mut asked = asked(records, None);
    asked.iter_mut().for_each(|record| record.sent -= seconds);
    asked
}

#[tokio::test]
async fn a_small_set_that_the_list_hides_is_found_among_many_that_never_arrived() {
    // The others fill a page that looks like the last one.
    let running = register(RegisterSettings { largest_page: 90, ..RegisterSettings::new(KEY) }).await;
    let portal = client(&running, true);
    push(&portal, &many(90)).await;
    let small = batch(&["s-1", "s-2", "s-3"].map(training));
    push_and_lose(&running, &portal, &small).await;
    let never = batch(&(1..=300).map(|number| training(&format!("n-{number}"))).collect::<Vec<_>>());
    let mut all = lost_ago(&never, 0);
    all.splice(100..100, lost_ago(&small, 60));
    let findings = inquire(&portal, &all).await;
    assert!(findings[100..103].iter().all(|finding| held(finding).stage == Stage::Confirmed), "{findings:?}");
}

#[tokio::test]
async fn of_a_push_that_no_question_was_left_for_nothing_is_concluded() {
    let running = register(RegisterSettings::new(KEY)).await;
    let portal = client(&running, true);
    let pair = |number: i64| batch(&["a", "b"].map(|part| training(&format!("{part}-{number}"))));
    let all: Vec<Asked> = (1..=80).flat_map(|number| lost_ago(&pair(number), number)).collect();
    let findings = inquire(&portal, &all).await;
    assert!(running.mock().counters().reads <= 60);
    let reached = findings.iter().filter(|finding| **finding == Finding::Absent).count();
    assert!((2..160).contains(&reached), "{reached}");
    let whole = |pair: &[Finding]| pair[0] == pair[1] && matches!(pair[0], Finding::Absent | Finding::NotAsked);
    assert!(findings.chunks(2).all(whole), "{findings:?}");
}

#[tokio::test]
async fn where_several_sets_may_be_lost_at_one_time_each_record_is_asked_about() {
    let running = register(RegisterSettings { largest_page: 90, ..RegisterSettings::new(KEY) }).await;
    let portal = portal(SoutSettings { several_at_once: true, ..settings(&running.url(), Some(signing())) });
    push(&portal, &many(90)).await;
    let small = batch(&[training("s-1")]);
    push_and_lose(&running, &portal, &small).await;
    let never = batch(&(1..=40).map(|number| training(&format!("n-{number}"))).collect::<Vec<_>>());
    let mut all = asked(&never, None);
    all.splice(7..7, asked(&small, None));
    let findings = inquire(&portal, &all).await;
    assert_eq!(held(&findings[7]).stage, Stage::Confirmed);
}
