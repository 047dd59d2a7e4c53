//! Records that do not flow, counted by cause. They are read one by one and never kept: a view that breaks one rule in every row is one cause
//! with a million records.

use std::collections::BTreeMap;

use super::explain::reason;
use crate::ledger::{FeedId, Ledger, LedgerError, Refusal, State};
use crate::portal::Kind;
use crate::record::{Actor, Remedy, Rule};
use crate::sync;

/// Records of one feed that do not flow for one reason, which a person must mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The portal's name in the configuration.
    pub portal: String,
    /// The feed's name.
    pub feed: String,
    /// The code of their refusal.
    pub code: String,
    /// The field to blame, if one is.
    pub field: Option<String>,
    /// The rule that it breaks.
    pub rule: Option<Rule>,
    /// True when nobody knows what became of them.
    pub unknown: bool,
    /// Who must act and what helps.
    pub remedy: &'static Remedy,
    /// How many records.
    pub count: u64,
    /// Since when the first of them has been in it: seconds since 1970-01-01T00:00:00Z.
    pub since: i64,
}

/// The causes of a feed. A record with several faults counts in several.
#[derive(Debug, Default)]
struct Counted {
    causes: BTreeMap<Cause, (u64, i64)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    code: String,
    field: Option<String>,
    rule: Option<Rule>,
    unknown: bool,
    remedy: &'static Remedy,
}

impl Counted {
    fn add(&mut self, kind: Option<&Kind>, refusal: &Refusal) {
        let unknown = refusal.state == State::Unknown;
        let mut count = |field: Option<&str>, rule: Option<Rule>, remedy: &'static Remedy| {
            // What waits by itself, or for another record that is listed itself, is no cause of its own.
            if remedy.actor == Actor::Nobody || sync::follows_another(&refusal.code, &refusal.text) {
                return;
            }
            let cause = Cause { code: refusal.code.clone(), field: field.map(str::to_owned), rule, unknown, remedy };
            let (records, since) = self.causes.entry(cause).or_insert((0, refusal.since));
            *records += 1;
            *since = refusal.since.min(*since);
        };
        if refusal.violations.is_empty() {
            count(None, None, reason(kind, refusal));
        }
        for violation in &refusal.violations {
            count(Some(&violation.field), Some(violation.rule), violation.rule.remedy());
        }
    }
}

/// Counts what stands against the records of a feed. The portal is of this kind, if its kind is known.
pub async fn stuck_records(
    ledger: &impl Ledger,
    (portal, feed, id): (&str, &str, FeedId),
    kind: Option<&'static Kind>,
) -> Result<Vec<Stuck>, LedgerError> {
    let mut counted = Counted::default();
    ledger.each_refusal(id, &mut |refusal| counted.add(kind, refusal)).await?;
    let stuck = |(cause, (count, since)): (Cause, (u64, i64))| Stuck {
        portal: portal.to_owned(),
        feed: feed.to_owned(),
        code: cause.code,
        field: cause.field,
        rule: cause.rule,
        unknown: cause.unknown,
        remedy: cause.remedy,
        count,
        since,
    };
    Ok(counted.causes.into_iter().map(stuck).collect())
}
