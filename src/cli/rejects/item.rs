//! One record as JSON: the form that scripts and dashboards read. It is fixed; nothing is added to it lightly.

use serde::Serialize;

use super::filter::Stuck;
use super::gather::FeedRejects;
use crate::cli::moment;
use crate::daemon::trouble::{points, remedy_text};
use crate::ledger::Refusal;
use crate::record::Language;

/// A rejected or held record.
#[derive(Debug, Serialize)]
pub struct Item {
    portal: String,
    feed: String,
    /// None for a row that has no key.
    key: Option<String>,
    state: &'static str,
    code: String,
    violations: Vec<ItemViolation>,
    text: String,
    remedy: String,
    since: String,
}

#[derive(Debug, Serialize)]
struct ItemViolation {
    field: String,
    rule: &'static str,
    text: String,
}

impl Item {
    /// The item of a refusal.
    pub fn new(of: &FeedRejects, refusal: &Refusal, language: Language) -> Self {
        let points = points(of.kind, refusal, language);
        let remedy = remedy_text(&points, language);
        let mut text = String::new();
        let mut violations = Vec::new();
        for point in points {
            match (point.field, point.rule) {
                (Some(field), Some(rule)) => violations.push(ItemViolation {
                    field: field.to_owned(),
                    rule: rule.name(),
                    text: point.text.into_owned(),
                }),
                (Some(_) | None, _) => text = point.text.into_owned(),
            }
        }
        Item {
            portal: of.portal.clone(),
            feed: of.feed.clone(),
            key: refusal.key.as_ref().map(ToString::to_string),
            state: Stuck::of(refusal.state).name(),
            code: refusal.code.clone(),
            violations,
            text,
            remedy,
            since: moment(refusal.since),
        }
    }
}

/// Items as a JSON array, an item a line, in pieces of bounded size.
pub fn array(gathered: &[FeedRejects], language: Language) -> impl Iterator<Item = Result<String, serde_json::Error>> {
    /// Items of one piece.
    const PIECE: usize = 1000;
    let all: Vec<(&FeedRejects, &Refusal)> =
        gathered.iter().flat_map(|feed| feed.refusals.iter().map(move |refusal| (feed, refusal))).collect();
    let count = all.len();
    let pieces = (0..count.div_ceil(PIECE)).map(move |piece| {
        let mut text = String::new();
        for (at, (feed, refusal)) in all.iter().enumerate().skip(piece * PIECE).take(PIECE) {
            text.push_str(if at == 0 { "\n  " } else { ",\n  " });
            text.push_str(&serde_json::to_string(&Item::new(feed, refusal, language))?);
        }
        Ok(text)
    });
    let end = if count == 0 { "]\n" } else { "\n]\n" };
    std::iter::once(Ok("[".to_owned())).chain(pieces).chain(std::iter::once(Ok(end.to_owned())))
}
