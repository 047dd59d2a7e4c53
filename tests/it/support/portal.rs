//! A portal in memory that does what a test tells it to, for tests of the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vitrina::portal::fer::SCHEMAS;
use vitrina::portal::{Abilities, Ask, Asked, Batch, Cure, Delivery, Finding, Held, Portal, Reading, Unfit, Verdict};
use vitrina::record::{Key, Receipt, Rule, Schema, Stage, Violation};
use vitrina::transport::{Failure, TokenOutlook, Trouble};

/// How many seconds a token still lives.
pub fn token_left(token: TokenOutlook) -> u64 {
    let left = token.expires.expect("there is no token") - chrono::Utc::now().timestamp();
    left.try_into().expect("the token has ended")
}

/// What the portal does with one request.
#[derive(Debug, Clone)]
pub enum Act {
    /// It fails with this trouble and applies nothing.
    Fail(Trouble),
    /// It applies everything, and the answer is lost.
    ApplyAndLose,
    /// It applies nothing, and the answer is lost all the same.
    Lose,
    /// It takes a part of each record, under an id of its own.
    Begin,
    /// It accepts everything but answers for only the first so many.
    AnswerOnly(usize),
}

/// What the portal saw and holds.
#[derive(Debug, Default)]
pub struct Seen {
    /// Bodies by feed and key.
    pub mart: BTreeMap<(String, Key), serde_json::Value>,
    /// Feeds and keys of each request, in order.
    pub requests: Vec<(String, Vec<Key>)>,
    /// Feeds and keys of the removals asked for, in order.
    pub removals: Vec<(String, Key)>,
    /// True when a place may be held by one record only.
    pub one_a_place: bool,
    /// Records that were refused by name, repetitions included.
    pub refusals: u64,
    /// How long a removal takes.
    pub slow_removals: Option<std::time::Duration>,
    removal_acts: VecDeque<Act>,
    acts: VecDeque<Act>,
    refused: BTreeSet<Key>,
    unattributed: BTreeSet<Key>,
    blocked_units: BTreeSet<String>,
    row_at_fault: BTreeSet<Key>,
    most: Option<usize>,
    /// What everything comes to.
    pub in_front: Option<Trouble>,
    /// When requests came, on tokio's clock.
    pub times: Vec<tokio::time::Instant>,
    parked_feed: Option<String>,
    held_up: Option<String>,
    waiting: usize,
    /// Each read: the feed, and the key it was by; none for all of the account.
    pub reads: Vec<(String, Option<Key>)>,
    /// What the next reads fail with.
    pub read_failures: VecDeque<Trouble>,
    /// A record that nobody may read by its key.
    pub denied_key: Option<Key>,
    /// Records that no list shows, though they can be read by their keys: the mart commits late.
    pub late: BTreeSet<Key>,
    /// What it can do with the records of a feed, where that is not everything.
    pub abilities: BTreeMap<&'static str, Abilities>,
    /// The stage of the receipts that it gives; none: it gives no receipts.
    pub stage: Option<Stage>,
    /// What it says when it is asked; none: whether it holds the record.
    pub says: Option<Finding>,
    /// What it was asked, question by question.
    pub inquiries: Vec<Vec<Asked>>,
    /// What the next inquiries fail with.
    pub inquiry_failures: VecDeque<Trouble>,
    /// Ids and "known" of all records received, in order.
    pub ids: Vec<(Option<String>, bool)>,
    /// What is found beside a row: added to its body, or a complaint about this field.
    pub beside: Option<Result<&'static str, &'static str>>,
    /// What a look at what stands beside a row waits for.
    pub disk: Option<Arc<Disk>>,
    /// True when its refusals say that it holds the record under an id that is not known here.
    pub lacks_ids: bool,
    /// Cancelled at a read of this feed by this key.
    pub stop_at_read: Option<(String, Key, CancellationToken)>,
}

/// A disk that does not answer until it is told to.
#[derive(Debug, Default)]
pub struct Disk {
    reached: AtomicBool,
    gave_up: AtomicBool,
    answers: Mutex<bool>,
    told: Condvar,
}

impl Disk {
    /// Waits for an answer, but not for ever.
    fn read(&self) {
        self.reached.store(true, Ordering::SeqCst);
        let silent = |answers: &mut bool| !*answers;
        let patience = Duration::from_secs(5);
        let waited = self.told.wait_timeout_while(self.answers.lock().unwrap(), patience, silent).unwrap();
        self.gave_up.fetch_or(waited.1.timed_out(), Ordering::SeqCst);
    }

    /// True once somebody has waited in vain, or waits.
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    /// True when nobody waits any more, having got no answer.
    pub fn was_given_up(&self) -> bool {
        self.gave_up.load(Ordering::SeqCst)
    }

    /// Answers whoever waits, and whoever comes.
    pub fn answer(&self) {
        *self.answers.lock().unwrap() = true;
        self.told.notify_all();
    }
}

/// The portal. Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub struct ScriptedPortal {
    seen: Arc<Mutex<Seen>>,
    let_go: Arc<Notify>,
}

impl ScriptedPortal {
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// The next request that has no act yet gets this one.
    pub fn next(&self, act: Act) {
        self.seen().acts.push_back(act);
    }

    /// The next removal that has no act yet gets this one.
    pub fn next_removal(&self, act: Act) {
        self.seen().removal_acts.push_back(act);
    }

    /// Refuses a record by name from now on, or no longer.
    pub fn refuse(&self, key: Key, refused: bool) {
        let mut seen = self.seen();
        if refused {
            seen.refused.insert(key)
        } else {
            seen.refused.remove(&key)
        };
    }

    /// Says of refusals of this record that only its row can cure them.
    pub fn blame_row(&self, key: Key) {
        self.seen().row_at_fault.insert(key);
    }

    /// Puts a proxy in front that answers everything like this, or takes it away.
    pub fn put_in_front(&self, trouble: Option<Trouble>) {
        self.seen().in_front = trouble;
    }

    /// Refuses whole requests that hold this record, without saying why.
    pub fn choke_on(&self, key: Key) {
        self.seen().unattributed.insert(key);
    }

    /// No longer answers 405.
    pub fn unblock_units(&self) {
        self.seen().blocked_units.clear();
    }

    /// Answers 405 to requests that hold a record of this unit: its own, or one that names it as `mo_id`.
    /// As the gateway, it closes the unit by that.
    pub fn block_unit(&self, unit: &str) {
        let mut seen = self.seen();
        seen.blocked_units.insert(unit.to_owned());
        if let Some(own) = seen.mart.get_mut(&("mo".to_owned(), Key::parse(unit))) {
            own["enabled"] = "NONE".into();
        }
    }

    /// Answers 413 to requests of more records.
    pub fn bears(&self, most: usize) {
        self.seen().most = Some(most);
    }

    /// Has no address for this feed; none: has one for every feed.
    pub fn lacks(&self, feed: Option<&str>) {
        self.seen().parked_feed = feed.map(str::to_owned);
    }

    /// Lets requests for this feed wait for [`ScriptedPortal::let_go`].
    pub fn hold_up(&self, feed: &str) {
        self.seen().held_up = Some(feed.to_owned());
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.seen().waiting
    }

    /// Answers whatever waits, and holds up nothing more.
    pub fn let_go(&self) {
        self.seen().held_up = None;
        self.let_go.notify_waiters();
    }

    /// Sizes of the requests for a feed.
    pub fn sizes(&self, feed: &str) -> Vec<usize> {
        self.seen().requests.iter().filter(|(name, _)| name == feed).map(|(_, keys)| keys.len()).collect()
    }

    /// Keys of all records received for a feed, in order, repetitions included.
    pub fn received(&self, feed: &str) -> Vec<Key> {
        self.seen().requests.iter().filter(|(name, _)| name == feed).flat_map(|(_, keys)| keys.clone()).collect()
    }

    /// Forgets which requests came, not what they brought.
    pub fn forget_requests(&self) {
        self.seen().requests.clear();
    }

    /// What is held for a feed.
    pub fn held(&self, feed: &str) -> BTreeMap<Key, serde_json::Value> {
        let seen = self.seen();
        seen.mart
            .iter()
            .filter(|((name, _), _)| name == feed)
            .map(|((_, key), body)| (key.clone(), body.clone()))
            .collect()
    }
}

impl Seen {
    fn read(&self, schema: &Schema, ask: Ask<'_>) -> Vec<Held> {
        let edge = schema.parents.last().map_or("", |edge| if schema.feed == "book" { "slot_id" } else { edge.field });
        let wanted = |key: &Key, body: &serde_json::Value| match ask {
            Ask::Record(wanted) => key == wanted,
            Ask::Whole => !self.late.contains(key),
            Ask::ChildrenOf { parent, days } => {
                let visit = body["visit_time"].as_str().unwrap_or_default();
                let in_days = days.is_none_or(|(from, to)| {
                    let day = visit.get(..10).unwrap_or_default();
                    (from.to_string().as_str()..=to.to_string().as_str()).contains(&day)
                });
                !self.late.contains(key) && in_days && body[edge] == parent.to_string()
            }
        };
        self.mart
            .iter()
            .filter(|((feed, key), body)| feed == schema.feed && wanted(key, body))
            .map(|((_, key), body)| Held { key: key.clone(), record: body.as_object().unwrap().clone() })
            .collect()
    }

    /// Who holds the place that a record claims.
    fn holder(&self, feed: &str, key: &Key, body: &serde_json::Value) -> Option<Key> {
        let place = |body: &serde_json::Value| match feed {
            "slot" => Some((body["resource_id"].clone(), body["visit_time"].clone())),
            "mo" => Some((body["name"].clone(), serde_json::Value::Null)),
            _ => None,
        };
        let claimed = place(body).filter(|_| self.one_a_place)?;
        let holds = |((other, holder), held): (&(String, Key), &serde_json::Value)| {
            (other == feed && holder != key && place(held).as_ref() == Some(&claimed)).then(|| holder.clone())
        };
        self.mart.iter().find_map(holds)
    }

    /// Removes a record and what the portal removes with it.
    fn remove(&mut self, schema: &Schema, key: &Key) {
        self.mart.remove(&(schema.feed.to_owned(), key.clone()));
        let field = format!("{}_id", schema.feed);
        let id = key.to_string();
        let goes = |feed: &str, body: &serde_json::Value| {
            schema.cascades.contains(&feed) && body[&field].as_str() == Some(id.as_str())
        };
        let with_it: Vec<_> =
            self.mart.iter().filter(|((feed, _), body)| goes(feed, body)).map(|(at, _)| at.clone()).collect();
        for (feed, child) in with_it {
            if let Some(schema) = SCHEMAS.iter().find(|schema| schema.feed == feed) {
                self.remove(schema, &child);
            }
        }
    }

    /// True when the request has to wait.
    fn arrives(&mut self, feed: &str) -> bool {
        let waits = self.held_up.as_deref() == Some(feed);
        self.waiting += usize::from(waits);
        waits
    }

    /// What it gives back for a record.
    fn receipt(&self, key: &Key) -> Option<Receipt> {
        let stage = self.stage?;
        Some(Receipt { stage, remote_id: Some(format!("r-{key}")), ..Receipt::default() })
    }

    fn answer(&mut self, feed: &str, batch: &Batch) -> Delivery {
        let keys: Vec<Key> = batch.records().iter().map(|record| record.key.clone()).collect();
        self.requests.push((feed.to_owned(), keys.clone()));
        let bodies: Vec<serde_json::Value> =
            (0..batch.len()).map(|at| serde_json::from_slice(batch.body(at)).unwrap()).collect();
        self.ids.extend(batch.records().iter().map(|sent| (sent.remote_id.as_deref().map(str::to_owned), sent.known)));
        self.times.push(tokio::time::Instant::now());
        if let Some(trouble) = self.in_front {
            return failed(trouble, false);
        }
        let act = self.acts.pop_front();
        if let Some(Act::Lose) = act {
            return failed(Trouble::Transient { retry_after: None }, true);
        }
        if let Some(Act::Begin) = act {
            let begun = |key: &Key| Verdict::Begun { remote_id: format!("r-{key}") };
            return Delivery::Judged(keys.iter().map(begun).collect());
        }
        if self.parked_feed.as_deref() == Some(feed) {
            return failed(Trouble::FeedParked, false);
        }
        if self.most.is_some_and(|most| batch.len() > most) {
            return failed(Trouble::TooLarge, false);
        }
        if let Some(Act::Fail(trouble)) = act {
            return failed(trouble, false);
        }
        let unit = if feed == "mo" { "id" } else { "mo_id" };
        let blocked =
            |body: &serde_json::Value| body[unit].as_str().is_some_and(|unit| self.blocked_units.contains(unit));
        if bodies.iter().any(blocked) {
            return failed(Trouble::UnitBlocked, false);
        }
        if keys.iter().any(|key| self.unattributed.contains(key)) {
            return failed(Trouble::Unattributed, false);
        }
        let mut verdicts = Vec::new();
        for (at, (key, body)) in keys.into_iter().zip(bodies).enumerate() {
            let holder = self.holder(feed, &key, &body);
            let refused = self.refused.contains(&key) || holder.is_some();
            self.refusals += u64::from(refused);
            let cure = if self.row_at_fault.contains(&key) { Cure::Row } else { Cure::Time };
            let receipt = self.receipt(&key).map(Box::new);
            if !refused {
                self.mart.insert((feed.to_owned(), key), body);
            }
            verdicts.push(match (&act, refused) {
                (Some(Act::AnswerOnly(count)), _) if at >= *count => Verdict::Unknown,
                (_, false) => Verdict::Accepted { receipt },
                (_, true) => Verdict::Rejected { code: "R-330".into(), text: "refused".into(), holder, cure },
            });
        }
        if let Some(Act::ApplyAndLose) = act {
            return failed(Trouble::Transient { retry_after: None }, true);
        }
        Delivery::Judged(verdicts)
    }
}

fn failed(trouble: Trouble, maybe_applied: bool) -> Delivery {
    Delivery::Failed(Failure { trouble, maybe_applied, text: "as the test told it".into() })
}

impl Portal for ScriptedPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        SCHEMAS
    }

    fn abilities(&self, schema: &Schema) -> Abilities {
        self.seen().abilities.get(schema.feed).copied().unwrap_or(Abilities::KEYED)
    }

    fn examine(&self, _: &'static Schema, body: &mut Vec<u8>) -> Result<(), Unfit> {
        let disk = self.seen().disk.clone();
        if let Some(disk) = disk {
            disk.read();
        }
        match self.seen().beside {
            Some(Ok(found)) => {
                body.pop();
                body.extend_from_slice(format!(",\"beside\":\"{found}\"}}").as_bytes());
                Ok(())
            }
            Some(Err(field)) => {
                Err(vec![Violation { field: field.into(), rule: Rule::File, text: "cannot be read".into() }].into())
            }
            None => Ok(()),
        }
    }

    fn lacks_id(&self, code: &str) -> bool {
        self.seen().lacks_ids && code == "R-330"
    }

    async fn inquire(&self, schema: &'static Schema, asked: &[Asked]) -> Result<Vec<Finding>, Failure> {
        let mut seen = self.seen();
        seen.inquiries.push(asked.to_vec());
        if let Some(trouble) = seen.inquiry_failures.pop_front() {
            return Err(Failure { trouble, maybe_applied: false, text: "as the test told it".into() });
        }
        let holds = |key: &Key| seen.mart.contains_key(&(schema.feed.to_owned(), key.clone()));
        let own = |key: &Key| match seen.receipt(key) {
            Some(receipt) if holds(key) => Finding::Held(receipt),
            None if holds(key) => Finding::Held(Receipt::default()),
            _ => Finding::Absent,
        };
        Ok(asked.iter().map(|asked| seen.says.clone().unwrap_or_else(|| own(&asked.key))).collect())
    }

    fn reading(&self, schema: &Schema) -> Reading {
        match schema.feed {
            "mo" => Reading::Whole,
            "resource" => Reading::OfParent { feed: "mo", dated: false },
            "slot" => Reading::OfParent { feed: "resource", dated: true },
            "book" => Reading::OfParent { feed: "slot", dated: false },
            _ => Reading::ByKey,
        }
    }

    async fn read_back(&self, schema: &'static Schema, ask: Ask<'_>) -> Result<Vec<Held>, Failure> {
        let mut seen = self.seen();
        let by = match ask {
            Ask::Whole => None,
            Ask::Record(key) | Ask::ChildrenOf { parent: key, .. } => Some(key.clone()),
        };
        if let Some((feed, key, stop)) = &seen.stop_at_read
            && (feed.as_str(), Some(key)) == (schema.feed, by.as_ref())
        {
            stop.cancel();
        }
        seen.reads.push((schema.feed.to_owned(), by));
        let denied = matches!(ask, Ask::Record(key) if seen.denied_key.as_ref() == Some(key));
        let trouble = denied.then_some(Trouble::FeedParked);
        if let Some(trouble) = trouble.or_else(|| seen.read_failures.pop_front()) {
            return Err(Failure { trouble, maybe_applied: false, text: "as the test told it".into() });
        }
        Ok(seen.read(schema, ask))
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        let go = self.let_go.notified();
        if self.seen().arrives(schema.feed) {
            go.await;
        }
        self.seen().answer(schema.feed, batch)
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        let slow = self.seen().slow_removals;
        if let Some(slow) = slow {
            tokio::time::sleep(slow).await;
        }
        let mut seen = self.seen();
        seen.removals.push((schema.feed.to_owned(), key.clone()));
        let act = seen.removal_acts.pop_front();
        if let Some(Act::Fail(trouble)) = act {
            return failed(trouble, false);
        }
        if seen.refused.contains(key) {
            let (code, text) = ("R-310".into(), "refused".into());
            let cure = Cure::Time;
            return Delivery::Judged(vec![Verdict::Rejected { code, text, holder: None, cure }]);
        }
        seen.remove(schema, key);
        match act {
            Some(Act::ApplyAndLose) => failed(Trouble::Transient { retry_after: None }, true),
            _ => Delivery::Judged(vec![Verdict::Accepted { receipt: None }]),
        }
    }
}
