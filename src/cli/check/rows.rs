//! Rows that go out as they are and deserve a look all the same: a feed is read once, and what its portal's kind says of rows is counted.

use std::collections::BTreeMap;

use crate::config::{ActiveFeed, Problems};
use crate::portal::{self, AdviceOn};
use crate::record::{EncodeSettings, Encoder, Key, RowChunk, Schema, VisitTimeZone};
use crate::source::{Query, Read, RowStream, Source, SourceError};

/// What was said of some rows: how many, and the first of them.
type Said = BTreeMap<&'static str, (u64, Key)>;

/// Warns of what is said of a feed's rows. Feeds of which nothing can be said are not read.
pub(super) async fn advise<S: Source>(
    (kind, feed, schema): (&str, &ActiveFeed, &'static Schema),
    source: &S,
    problems: &mut Problems,
) -> Result<(), SourceError> {
    let Some(advice) = portal::kind(kind).and_then(portal::Kind::advice) else { return Ok(()) };
    for (text, (rows, first)) in read(feed, schema, advice, source).await? {
        let key = format!("portals.{}.feeds.{}", feed.portal, feed.feed);
        let count = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        problems.warning(key, format!("{count}, {first} the first: {text}"));
    }
    Ok(())
}

async fn read<S: Source>(
    feed: &ActiveFeed,
    schema: &'static Schema,
    advice: AdviceOn,
    source: &S,
) -> Result<Said, SourceError> {
    let query = Query { label: schema.feed, sql: &feed.query };
    let mut rows = source.read(query, Read::All).await?;
    let columns: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
    let settings = EncodeSettings {
        zone: feed.zone,
        visit_time_zone: VisitTimeZone::default(),
        defaults: BTreeMap::new(),
        salt: None,
    };
    let mut said = Said::new();
    // What is wrong with the columns was said already.
    let Ok(mut encoder) = Encoder::bind(schema, &columns, &settings) else { return Ok(said) };
    let mut chunk = RowChunk::default();
    while rows.next(&mut chunk).await? {
        for row in chunk.rows() {
            let sound = encoder.encode(row);
            let Some((text, key)) = sound.then(|| advice(schema, encoder.body())).flatten().zip(encoder.key()) else {
                continue;
            };
            said.entry(text).or_insert((0, key)).0 += 1;
        }
    }
    Ok(said)
}
