//! Columns against schemas: what a feed's query gives, and what the portal's document wants.

use std::collections::BTreeSet;

use crate::config::{ActiveFeed, Problems};
use crate::record::{Presence, Schema};
use crate::source::Column;

/// Fields that the document had once and that are not sent.
const REMOVED: &[&str] = &["update_ts", "post_name"];

/// Compares the columns of a feed's query with its schema.
pub(super) fn compare(feed: &ActiveFeed, schema: &Schema, columns: &[Column], problems: &mut Problems) {
    let key = format!("portals.{}.feeds.{}", feed.portal, feed.feed);
    let given: BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    missing(&key, schema, &given, problems);
    extra(&key, feed, schema, &given, problems);
    for (index, column) in columns.iter().enumerate() {
        if columns.iter().take(index).any(|earlier| earlier.name == column.name) {
            problems.error(&key, format!("column {} appears twice; give one of them another name", column.name));
        }
    }
    if let Some(changed_at) = &feed.config.changed_at
        && !given.iter().any(|column| column.eq_ignore_ascii_case(changed_at))
    {
        problems.error(format!("{key}.changed_at"), format!("the query has no column {changed_at}"));
    }
}

fn missing(key: &str, schema: &Schema, given: &BTreeSet<&str>, problems: &mut Problems) {
    let kind = schema.discriminator.unwrap_or("type");
    for field in schema.fields.iter().filter(|field| !has(given, field.name)) {
        let (name, table) = (field.name, schema.table);
        match field.presence {
            Presence::Mandatory | Presence::OrEmpty => {
                problems.error(key, format!("column {name} is missing: it is mandatory in {table}"));
            }
            Presence::OnlyWhen(value) | Presence::MandatoryWhen(value) => {
                let text = format!("column {name} is missing: it is mandatory in {table} when {kind} is {value}");
                problems.warning(key, text);
            }
            Presence::OnlyIf(condition) | Presence::MandatoryIf(condition) => {
                let (field, values) = (condition.field, condition.values.join(" or "));
                let text = format!("column {name} is missing: it is mandatory in {table} when {field} is {values}");
                problems.warning(key, text);
            }
            Presence::Optional | Presence::OptionalIf(_) | Presence::Withdraws | Presence::RemoteId => {}
        }
    }
}

/// As the encoder finds columns: whatever their letter case.
fn has(given: &BTreeSet<&str>, name: &str) -> bool {
    given.iter().any(|column| column.eq_ignore_ascii_case(name))
}

fn extra(key: &str, feed: &ActiveFeed, schema: &Schema, given: &BTreeSet<&str>, problems: &mut Problems) {
    for name in given {
        let used = schema.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
            || feed.config.changed_at.as_ref().is_some_and(|column| column.eq_ignore_ascii_case(name));
        if used {
            continue;
        }
        if REMOVED.contains(name) {
            problems
                .warning(key, format!("column {name} is not sent: the portal takes this field no more; leave it out"));
        } else {
            problems.warning(key, format!("column {name} is not sent: {} has no such field", schema.table));
        }
    }
}
