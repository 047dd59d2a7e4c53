//! A query with which a person finds the rows whose key cannot be read.

use crate::config::Config;
use crate::ledger::Refusal;
use crate::record::{Kind, Rule, Schema};
use crate::source::{Sought, rows_with_key};

/// As many characters of a key are shown at most; of a longer one the end is not known.
const WHOLE: usize = 64;
/// Characters that are left of a masked key.
const TAIL: usize = 2;

/// The query that finds the rows of this refusal in the feed's view, in the dialect of its database; none where the key is not the trouble.
pub(super) fn query(config: &Config, portal: &str, schema: &Schema, refusal: &Refusal) -> Option<String> {
    let rule = refusal.violations.iter().find(|broken| broken.field == schema.key).map(|broken| broken.rule)?;
    if rule == Rule::DuplicateKey {
        return None;
    }
    let section = config.portals.get(portal)?.feeds.get(schema.feed);
    let only = || Some(config.sources.keys().next()?.as_str()).filter(|_| config.sources.len() == 1);
    let source = section.map(|section| section.source.as_str()).or_else(only)?;
    let engine = config.sources.get(source)?.url.engine();
    let from = match section.and_then(|section| section.query.as_deref()) {
        Some(query) => format!("({})", query.trim().trim_end_matches(';')),
        None => view(config, portal, schema.feed)?,
    };
    let shown = refusal.key.as_ref().map(ToString::to_string);
    Some(rows_with_key(engine.into(), &from, schema.key, &sought(schema, rule, shown.as_deref())))
}

/// The default view that the feed reads, as far as the configuration alone can tell.
fn view(config: &Config, portal: &str, feed: &str) -> Option<String> {
    let kind = config.portals.get(portal)?.kind();
    let is_alone = config.portals.values().filter(|other| other.kind() == kind).count() == 1;
    Some(if is_alone { format!("vitrina_{}_{feed}", kind.name()) } else { format!("vitrina_{portal}_{feed}") })
}

fn sought<'a>(schema: &Schema, rule: Rule, shown: Option<&'a str>) -> Vec<Sought<'a>> {
    let is_guid = schema.fields.iter().any(|field| field.name == schema.key && field.kind == Kind::Guid);
    let mut all = Vec::new();
    match shown {
        None if rule == Rule::Mandatory => return vec![Sought::Missing],
        Some(text) if !schema.persons && text.chars().count() < WHOLE => return vec![Sought::Whole(text)],
        None | Some(_) => {}
    }
    if is_guid {
        all.push(Sought::NoGuid);
    }
    if let Some(end) = shown.and_then(tail).filter(|_| schema.persons) {
        all.push(Sought::Ending(end));
    }
    if all.is_empty() { vec![Sought::Missing] } else { all }
}

/// The last characters of a masked key, where they are not masked as well.
fn tail(text: &str) -> Option<&str> {
    let (start, _) = text.char_indices().rev().nth(TAIL - 1)?;
    Some(&text[start..]).filter(|end| !end.contains('*'))
}
