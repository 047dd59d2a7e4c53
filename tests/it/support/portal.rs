//! A portal in memory that does what a test tells it to, for tests of the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use vitrina::portal::fer::SCHEMAS;
use vitrina::portal::{Abilities, Batch, Delivery, Portal, Removal, Verdict};
use vitrina::record::{Key, Schema};
use vitrina::transport::{Failure, Trouble};

/// What the portal does with one request.
#[derive(Debug, Clone)]
pub enum Act {
    /// It fails with this trouble and applies nothing.
    Fail(Trouble),
    /// It applies everything, and the answer is lost.
    ApplyAndLose,
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
    acts: VecDeque<Act>,
    refused: BTreeSet<Key>,
    unattributed: BTreeSet<Key>,
    blocked_units: BTreeSet<String>,
}

/// The portal. Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub struct ScriptedPortal(Arc<Mutex<Seen>>);

impl ScriptedPortal {
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    /// The next request that has no act yet gets this one.
    pub fn next(&self, act: Act) {
        self.seen().acts.push_back(act);
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

    /// Refuses whole requests that hold this record, without saying why.
    pub fn choke_on(&self, key: Key) {
        self.seen().unattributed.insert(key);
    }

    /// Answers 405 to requests that hold a record of this unit (its `mo_id`).
    pub fn block_unit(&self, unit: &str) {
        self.seen().blocked_units.insert(unit.to_owned());
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
    fn answer(&mut self, feed: &str, batch: &Batch) -> Delivery {
        let keys: Vec<Key> = batch.records().iter().map(|record| record.key.clone()).collect();
        self.requests.push((feed.to_owned(), keys.clone()));
        let bodies: Vec<serde_json::Value> =
            (0..batch.len()).map(|at| serde_json::from_slice(batch.body(at)).unwrap()).collect();
        let act = self.acts.pop_front();
        if let Some(Act::Fail(trouble)) = act {
            return failed(trouble, false);
        }
        let blocked =
            |body: &serde_json::Value| body["mo_id"].as_str().is_some_and(|unit| self.blocked_units.contains(unit));
        if bodies.iter().any(blocked) {
            return failed(Trouble::UnitBlocked, false);
        }
        if keys.iter().any(|key| self.unattributed.contains(key)) {
            return failed(Trouble::Unattributed, false);
        }
        let mut verdicts = Vec::new();
        for (at, (key, body)) in keys.into_iter().zip(bodies).enumerate() {
            let refused = self.refused.contains(&key);
            if !refused {
                self.mart.insert((feed.to_owned(), key), body);
            }
            verdicts.push(match (&act, refused) {
                (Some(Act::AnswerOnly(count)), _) if at >= *count => Verdict::Unknown,
                (_, false) => Verdict::Accepted { remote_id: None },
                (_, true) => Verdict::Rejected { code: "R-330".into(), text: "refused".into(), holder: None },
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

    fn abilities(&self, _: &Schema) -> Abilities {
        Abilities { idempotent: true, update: true, removal: Removal::Supported }
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        self.seen().answer(schema.feed, batch)
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        self.seen().mart.remove(&(schema.feed.to_owned(), key.clone()));
        Delivery::Judged(vec![Verdict::Accepted { remote_id: None }])
    }
}
