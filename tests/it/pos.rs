//! POS against its stateful mock: activities are made once, tokens are exchanged without ever being lost or shown.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vitrina::demo::fault::Fault;
use vitrina::demo::host::Host;
use vitrina::demo::pos::{Ends, Kind, PosAccount, PosMock};
use vitrina::portal::pos::{PosPortal, PosSettings, SCHEMAS};
use vitrina::portal::{Batch, Delivery, Portal, Verdict};
use vitrina::record::{Fingerprint, Key, Schema};
use vitrina::transport::{Failure, Pauses, RetryTiming, Trouble};

use crate::support::secrets::MemorySecrets;
use crate::support::traces::Traces;

const ACCESS: &str = "first-access-never-shown";
const REFRESH: &str = "first-refresh-never-shown";
const AGAIN: Trouble = Trouble::Transient { retry_after: None };

/// A mock, its address, and a store that outlives portals.
struct Site {
    mock: PosMock,
    host: Host,
    store: MemorySecrets,
}

fn account() -> PosAccount {
    PosAccount { access_token: ACCESS.into(), refresh_token: REFRESH.into(), ..PosAccount::default() }
}

impl Site {
    async fn new(account: PosAccount) -> Self {
        let mock = PosMock::new(account);
        let host = mock.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        Site { mock, host, store: MemorySecrets::default() }
    }

    fn settings(&self) -> PosSettings {
        // Whoever was refused or not answered may ask again at once: what is tested is not how long nobody asks.
        let at_once = RetryTiming::new(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
        PosSettings {
            url: PosMock::url(&self.host).parse().unwrap(),
            access_token: ACCESS.into(),
            refresh_token: REFRESH.into(),
            expires_at: None,
            name: "vitrina".into(),
            refresh_path: "/refresh-token".into(),
            timeout: Duration::from_secs(20),
            requests_per_second: NonZeroU32::new(1000).unwrap(),
            ca_file: None,
            pauses: Pauses { refused: at_once, unanswered: at_once },
        }
    }

    /// A client as a process has it that starts now.
    fn portal(&self) -> PosPortal {
        self.portal_of(self.settings())
    }

    fn portal_of(&self, settings: PosSettings) -> PosPortal {
        PosPortal::new(settings, Arc::new(self.store.clone()), None).unwrap()
    }
}

fn schema(feed: &str) -> &'static Schema {
    SCHEMAS.iter().find(|schema| schema.feed == feed).unwrap()
}

fn poll(id: &str, title: &str) -> Value {
    json!({"title": title, "external_id": id, "participants_count": 5, "reg_oktmo": "78", "level": "Региональный"})
}

fn batch(record: &Value, remote_id: Option<&str>) -> Batch {
    let (mut batch, body) = (Batch::default(), record.to_string());
    let key = Key::parse(record["external_id"].as_str().unwrap());
    batch.push(key, Fingerprint::of(body.as_bytes()), remote_id.map(Into::into), remote_id.is_some(), body.as_bytes());
    batch
}

async fn deliver(portal: &PosPortal, record: &Value, remote_id: Option<&str>) -> Result<Verdict, Failure> {
    match portal.deliver(schema("poll"), &batch(record, remote_id)).await {
        Delivery::Judged(mut verdicts) => Ok(verdicts.pop().unwrap()),
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => Err(failure),
    }
}

fn id_of(verdict: Result<Verdict, Failure>) -> String {
    match verdict {
        Ok(Verdict::Accepted { receipt: Some(receipt) }) => receipt.remote_id.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_record_is_created_and_a_changed_one_is_changed_under_its_id() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    let id = id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    assert_eq!(id_of(deliver(&portal, &poll("4", "Опрос 2"), Some(&id)).await), id);
    let held = site.mock.activities(Kind::Polls);
    assert_eq!((held.len(), &held[&id.parse().unwrap()]["title"]), (1, &json!("Опрос 2")));
    assert_eq!((site.mock.counts().created, site.mock.counts().changed), (1, 1));
}

#[tokio::test]
async fn every_feed_goes_to_its_own_address() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    let mut object = poll("9", "Парк");
    for (name, value) in [("votes_for", json!(7)), ("is_winner", json!(false)), ("external_voting_id", json!("8"))] {
        object[name] = value;
    }
    for (feed, record) in
        [("poll", poll("7", "Опрос")), ("voting", poll("8", "Голосование")), ("voting_object", object)]
    {
        let Delivery::Judged(verdicts) = portal.deliver(schema(feed), &batch(&record, None)).await else {
            panic!("{feed}")
        };
        assert!(matches!(verdicts[..], [Verdict::Accepted { .. }]), "{feed}: {verdicts:?}");
    }
    for kind in [Kind::Polls, Kind::Voting, Kind::VotingObjects] {
        assert_eq!(site.mock.activities(kind).len(), 1, "{kind:?}");
    }
    assert_eq!(site.mock.counts().orphans, 0);
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_told_from_one_that_never_came() {
    for (fault, made, trouble, maybe_applied) in [
        (Fault::LoseAnswer, 1, AGAIN, true),
        (Fault::Page, 1, AGAIN, true),
        (Fault::Empty, 1, AGAIN, true),
        (Fault::Status(500), 0, AGAIN, true),
        (Fault::Status(503), 0, Trouble::Maintenance { retry_after: None }, false),
        (Fault::Status(429), 0, AGAIN, false),
        (Fault::Status(404), 0, Trouble::FeedParked, false),
    ] {
        let site = Site::new(account()).await;
        site.mock.plan(fault);
        let failure = deliver(&site.portal(), &poll("4", "Опрос"), None).await.unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{fault:?}");
        assert_eq!(site.mock.activities(Kind::Polls).len(), made, "{fault:?}");
    }
}

#[tokio::test]
async fn a_creation_that_takes_too_long_may_have_been_made() {
    let site = Site::new(account()).await;
    site.mock.plan(Fault::Slow(Duration::from_secs(60)));
    let portal = site.portal_of(PosSettings { timeout: Duration::from_millis(300), ..site.settings() });
    let failure = deliver(&portal, &poll("4", "Опрос"), None).await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::TimedOut, true));
}

#[tokio::test]
async fn a_change_may_be_repeated_after_a_lost_answer() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    let id = id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    site.mock.plan(Fault::LoseAnswer);
    assert!(deliver(&portal, &poll("4", "Опрос 2"), Some(&id)).await.unwrap_err().maybe_applied);
    assert_eq!(id_of(deliver(&portal, &poll("4", "Опрос 2"), Some(&id)).await), id);
    assert_eq!(site.mock.activities(Kind::Polls).len(), 1);
}

#[tokio::test]
async fn a_change_of_what_was_deleted_there_is_refused_and_never_made_anew() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    let id = id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    assert!(site.mock.delete(Kind::Polls, id.parse().unwrap()));
    let verdict = deliver(&portal, &poll("4", "Опрос 2"), Some(&id)).await.unwrap();
    assert!(matches!(&verdict, Verdict::Rejected { code, .. } if code == "NOT_FOUND"), "{verdict:?}");
    assert!(site.mock.activities(Kind::Polls).is_empty());
}

#[tokio::test]
async fn what_the_portal_has_taken_under_an_unknown_id_is_not_created_again() {
    let site = Site::new(account()).await;
    let record = poll("4", "Опрос").to_string();
    let mut batch = Batch::default();
    batch.push(Key::parse("4"), Fingerprint::of(record.as_bytes()), None, true, record.as_bytes());
    let Delivery::Judged(verdicts) = site.portal().deliver(schema("poll"), &batch).await else { panic!("judged") };
    assert!(matches!(&verdicts[..], [Verdict::Rejected { code, .. }] if code == "NO_ID"), "{verdicts:?}");
    assert_eq!(site.mock.counts().created, 0);
}

#[tokio::test]
async fn what_breaks_the_tables_is_refused_with_the_portals_reason() {
    let site = Site::new(account()).await;
    let mut record = poll("4", "Опрос");
    record["reg_oktmo"] = json!("780");
    let verdict = deliver(&site.portal(), &record, None).await.unwrap();
    let Verdict::Rejected { code, text, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!((code.as_str(), text.as_str()), ("HTTP-400", "Поле reg_oktmo имеет неверный формат"));
}

#[tokio::test]
async fn a_refused_token_is_exchanged_once_and_the_new_pair_is_kept() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    site.mock.revoke_access();
    id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    let (access, refresh) = site.mock.pair();
    assert!(site.store.text().contains(&access) && site.store.text().contains(&refresh));
    assert_eq!((site.mock.counts().refreshed, site.mock.counts().created), (1, 1));
    // Another process goes on with the kept pair: the configured one is worth nothing by now.
    id_of(deliver(&site.portal(), &poll("5", "Опрос"), None).await);
    assert_eq!((site.mock.counts().refreshed, site.mock.counts().unauthorized), (1, 1));
}

#[tokio::test]
async fn a_token_that_has_ended_is_exchanged_before_it_is_tried() {
    let site = Site::new(PosAccount { life: Duration::from_secs(1), ends: Ends::Lifetime, ..account() }).await;
    site.mock.revoke_access();
    let portal = site.portal();
    portal.authenticate().await.unwrap();
    id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    let unauthorized = site.mock.counts().unauthorized;
    let kept: Value = serde_json::from_str(&site.store.text()).unwrap();
    while chrono::Utc::now().timestamp() < kept["ends"].as_i64().unwrap() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    id_of(deliver(&site.portal(), &poll("5", "Опрос"), None).await);
    assert_eq!((site.mock.counts().refreshed, site.mock.counts().unauthorized), (2, unauthorized));
}

#[tokio::test]
async fn the_end_of_a_token_is_understood_in_all_three_meanings() {
    for ends in [Ends::Milliseconds, Ends::Seconds, Ends::Lifetime] {
        let site = Site::new(PosAccount { ends, ..account() }).await;
        let portal = site.portal();
        site.mock.revoke_access();
        id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
        let left = crate::support::portal::token_left(portal.token_outlook());
        assert!(left > 3500 && left <= 3601, "{ends:?}: {left}");
    }
}

#[tokio::test]
async fn a_new_pair_in_the_configuration_beats_the_kept_one() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    site.mock.revoke_access();
    id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    let (access, refresh) = site.mock.pair();
    site.mock.revoke_pair();
    let fresh = Site::new(PosAccount { access_token: "a2".into(), refresh_token: "r2".into(), ..account() }).await;
    let site = Site { store: site.store, ..fresh };
    let settings = PosSettings { access_token: "a2".into(), refresh_token: "r2".into(), ..site.settings() };
    id_of(deliver(&site.portal_of(settings), &poll("5", "Опрос"), None).await);
    assert_eq!((site.mock.counts().unauthorized, site.mock.counts().refreshed), (0, 0));
    assert!(site.store.text().contains(&access) && site.store.text().contains(&refresh), "until the next exchange");
}

#[tokio::test]
async fn without_a_place_to_keep_it_no_new_pair_is_asked_for() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    site.store.refuse(true);
    site.mock.revoke_access();
    let failure = deliver(&portal, &poll("4", "Опрос"), None).await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false));
    assert!(failure.text.contains("cannot be kept"), "{}", failure.text);
    assert_eq!(site.mock.counts().refreshed, 0);
    site.store.refuse(false);
    assert!(eventually(&portal, "4").await.is_ok());
    assert_eq!(site.mock.counts().refreshed, 1);
}

#[tokio::test]
async fn a_new_pair_that_cannot_be_kept_is_not_used() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    // What announces the exchange is kept, what came of it is not.
    site.store.refuse_after(1);
    site.mock.revoke_access();
    for _ in 0..5 {
        let failure = eventually(&portal, "4").await.unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false));
        assert!(failure.text.contains("cannot be kept"), "{}", failure.text);
    }
    let (access, _) = site.mock.pair();
    assert!(!site.store.text().contains(&access));
    let counts = site.mock.counts();
    assert_eq!((counts.refreshed, counts.unauthorized, counts.created), (1, 1, 0), "only the old token was ever shown");
    site.store.refuse(false);
    id_of(eventually(&portal, "4").await);
    assert!(site.store.text().contains(&access));
    assert_eq!((site.mock.counts().refreshed, site.mock.counts().created), (1, 1));
}

/// Delivers until something other than a pause of authentication comes of it.
async fn eventually(portal: &PosPortal, id: &str) -> Result<Verdict, Failure> {
    loop {
        match deliver(portal, &poll(id, "Опрос"), None).await {
            Err(failure) if failure.text.contains("is not tried again for") => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            other => return other,
        }
    }
}

#[tokio::test]
async fn after_a_lost_exchange_the_old_token_is_tried_once_more_and_then_nothing_until_a_restart() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    site.mock.revoke_access();
    site.mock.plan_refresh(Fault::LoseAnswer);
    let failure = deliver(&portal, &poll("4", "Опрос"), None).await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false));
    let failure = eventually(&portal, "4").await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Parked, false));
    for says in ["may have been lost", "ask its owner for a new pair", "access_token and refresh_token"] {
        assert!(failure.text.contains(says), "{}", failure.text);
    }
    for _ in 0..10 {
        assert_eq!(eventually(&portal, "4").await.unwrap_err().trouble, Trouble::Parked);
    }
    assert_eq!((site.mock.counts().refreshed, site.mock.counts().refreshes_refused), (1, 1));
    // A process that starts remembers the doubt, and asks once.
    let portal = site.portal();
    for _ in 0..10 {
        let failure = eventually(&portal, "4").await.unwrap_err();
        assert!(failure.text.contains("may have been lost"), "{}", failure.text);
    }
    assert_eq!((site.mock.counts().refreshes_refused, site.mock.counts().created), (2, 0));
}

#[tokio::test]
async fn an_exchange_that_never_reached_the_portal_is_made_again() {
    for fault in [Fault::Cut, Fault::Status(502), Fault::Status(503)] {
        let site = Site::new(account()).await;
        let portal = site.portal();
        site.mock.revoke_access();
        site.mock.plan_refresh(fault);
        deliver(&portal, &poll("4", "Опрос"), None).await.unwrap_err();
        assert!(eventually(&portal, "4").await.is_ok(), "{fault:?}");
        assert_eq!((site.mock.counts().refreshed, site.mock.counts().created), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_pair_that_was_revoked_is_asked_about_once() {
    let site = Site::new(account()).await;
    let portal = site.portal();
    site.mock.revoke_pair();
    for _ in 0..10 {
        let failure = eventually(&portal, "4").await.unwrap_err();
        assert_eq!(failure.trouble, Trouble::Parked);
        assert!(!failure.text.contains("lost"), "{}", failure.text);
    }
    assert_eq!(site.mock.counts().refreshes_refused, 1);
}

#[tokio::test]
async fn neither_traces_nor_texts_hold_a_token_or_a_value() {
    let (traces, _guard) = Traces::capture();
    let site = Site::new(account()).await;
    let mut texts = format!("{:?}", site.settings());
    let portal = site.portal();
    let mut secrets = vec![ACCESS.to_owned(), REFRESH.to_owned(), "Секретный".to_owned()];
    for fault in [Fault::None, Fault::LoseAnswer, Fault::Status(500), Fault::Page] {
        site.mock.revoke_access();
        site.mock.plan(Fault::Status(401));
        site.mock.plan(fault);
        texts.push_str(&format!("{:?}", deliver(&portal, &poll("4", "Секретный опрос"), None).await));
        let (access, refresh) = site.mock.pair();
        secrets.extend([access, refresh]);
    }
    site.mock.revoke_access();
    site.mock.plan(Fault::Status(401));
    site.mock.plan_refresh(Fault::LoseAnswer);
    texts.push_str(&format!("{:?}", deliver(&portal, &poll("4", "Секретный опрос"), None).await));
    texts.push_str(&format!("{:?}", eventually(&portal, "4").await));
    let traced = traces.text();
    assert!(traced.contains("/refresh-token") && traced.contains("/polls"), "nothing was captured");
    assert!(texts.contains("Accepted") && texts.contains("may have been lost"), "{texts}");
    for secret in secrets {
        assert!(!traced.contains(&secret), "{secret} is traced");
        assert!(!texts.contains(&secret), "{secret} is in {texts}");
    }
}

#[tokio::test]
async fn a_first_pair_whose_end_is_known_and_past_is_exchanged_before_anything_is_sent_with_it() {
    let site = Site::new(PosAccount { life: Duration::from_secs(3600), ..account() }).await;
    let ended = chrono::Utc::now().timestamp() - 1;
    let portal = site.portal_of(PosSettings { expires_at: Some(ended), ..site.settings() });
    id_of(deliver(&portal, &poll("4", "Опрос"), None).await);
    let counts = site.mock.counts();
    assert_eq!((counts.refreshed, counts.unauthorized, counts.created), (1, 0, 1));
    // The end of the first token says nothing of the pair that was bought with it.
    let next = site.portal_of(PosSettings { expires_at: Some(ended), ..site.settings() });
    id_of(deliver(&next, &poll("5", "Опрос"), None).await);
    assert_eq!(site.mock.counts().refreshed, 1);
}
