//! Grouping: a hundred thousand records that fail for one reason are one line to a person.

use std::collections::BTreeMap;

use super::filter::{Filter, Stuck};
use super::gather::FeedRejects;
use crate::daemon::trouble::{Point, points};
use crate::ledger::Refusal;
use crate::record::{Language, Remedy, Rule};

/// What the records of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reason<'a> {
    field: Option<&'a str>,
    rule: Option<Rule>,
    code: &'a str,
    state: &'static str,
    remedy: &'static Remedy,
}

/// Records of one feed that fail for one reason.
#[derive(Debug)]
pub struct Group<'a> {
    /// Why they do not flow.
    pub state: Stuck,
    /// The code of their refusal.
    pub code: &'a str,
    /// The field to blame, if one is.
    pub field: Option<&'a str>,
    /// The rule that it breaks.
    pub rule: Option<Rule>,
    /// Who must act and what helps.
    pub remedy: &'static Remedy,
    /// How many records.
    pub count: usize,
    /// Since when the one that has been in it longest is.
    pub oldest: i64,
    /// Since when the last to come is.
    pub newest: i64,
    /// One of them: the last to come, which people remember best.
    pub example: &'a Refusal,
    /// What is wrong with that one.
    pub text: String,
}

/// The groups of a feed, the largest first. A record with several faults is in several.
pub fn groups<'a>(of: &'a FeedRejects, filter: &Filter, language: Language) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Reason<'a>, Group<'a>> = BTreeMap::new();
    for refusal in &of.refusals {
        for point in points(of.kind, refusal, language) {
            if filter.admits_field(point.field) {
                let reason = reason(refusal, &point);
                groups.entry(reason).or_insert_with(|| Group::empty(refusal, &point)).add(refusal, point);
            }
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn reason<'a>(refusal: &'a Refusal, point: &Point<'a>) -> Reason<'a> {
    Reason {
        field: point.field,
        rule: point.rule,
        code: &refusal.code,
        state: Stuck::of(refusal.state).name(),
        remedy: point.remedy,
    }
}

impl<'a> Group<'a> {
    fn empty(refusal: &'a Refusal, point: &Point<'a>) -> Self {
        Group {
            state: Stuck::of(refusal.state),
            code: &refusal.code,
            field: point.field,
            rule: point.rule,
            remedy: point.remedy,
            count: 0,
            oldest: refusal.since,
            newest: refusal.since,
            example: refusal,
            text: String::new(),
        }
    }

    fn add(&mut self, refusal: &'a Refusal, point: Point<'a>) {
        let is_better = refusal.since > self.newest || (self.example.key.is_none() && refusal.key.is_some());
        if self.count == 0 || is_better {
            self.example = refusal;
            self.text = point.text.into_owned();
        }
        self.count += 1;
        self.oldest = self.oldest.min(refusal.since);
        self.newest = self.newest.max(refusal.since);
    }
}
