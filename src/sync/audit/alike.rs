//! A register against the source. Its records may stand under ids of other systems, and it does not give back all that it was given: rows are
//! found by their keys, else by whose record it is and which, and held against some fields alone.
//!
//! What is there is taken over into the ledger, so that it is never sent again. Nothing is sent from here: a register takes a record twice.

use std::collections::{BTreeMap, HashMap};

use super::mend::Finding;
use super::progress::MOST_LISTED;
use super::walk::is_refused;
use super::{AuditError, Auditor, Difference, Kind, Stage};
use crate::ledger::Ledger;
use crate::portal::{Held, Likeness, Portal, Registered};
use crate::record::{Encoder, Fingerprint, Key, RowChunk, Schema, Stage as Reach};
use crate::source::{Query, Read, RowStream, Source};
use crate::sync::line::FeedLine;
use crate::sync::mart::{Mart, Version, fields};

/// Rows that are read again by key at a time.
const PAGE: usize = 500;

/// What is written of each field of the schema.
type Fields = Vec<Option<Box<[u8]>>>;

/// A row, or a record of the register, as far as they are held against each other.
struct Shape {
    likeness: Fingerprint,
    /// Whose and which it is; none where it does not say so.
    identity: Option<Fingerprint>,
}

/// A row of the source.
struct Row {
    key: Key,
    /// The version that the source wants; none when the row breaks rules.
    version: Option<Fingerprint>,
    shape: Shape,
    /// Records of the register that are this row's, by their positions.
    found: Vec<usize>,
    by_identity: bool,
}

impl Shape {
    fn of(schema: &Schema, likeness: &Likeness, fields: &Fields) -> Self {
        let whose = folded(schema, likeness.whose, fields);
        let which = folded(schema, likeness.which, fields);
        let is_told = whose.iter().any(|part| !part.is_empty()) && which.iter().all(|part| !part.is_empty());
        let print = |parts: &[String]| Fingerprint::of(parts.join("\n").as_bytes());
        Shape {
            likeness: print(&folded(schema, likeness.compared, fields)),
            identity: is_told.then(|| print(&[whose, which].concat())),
        }
    }
}

/// What stands in these fields, whatever the letter case: registers write names in their own way.
fn folded(schema: &Schema, names: &[&str], fields: &Fields) -> Vec<String> {
    let of = |name: &&str| {
        let written = schema.position(name).and_then(|at| fields.get(at)?.as_deref()).unwrap_or_default();
        let text = String::from_utf8_lossy(written).trim_matches('"').to_lowercase().replace('ё', "е");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    names.iter().map(of).collect()
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    /// Reads the register, tells what differs, and takes over what is there.
    pub(super) async fn read_register(
        &mut self,
        feed: &FeedLine<S>,
        likeness: &'static Likeness,
    ) -> Result<(), AuditError> {
        let schema = feed.plan.schema;
        let mut rows = self.shaped_rows(feed, likeness).await?;
        let registered = self.ask_register(schema).await?;
        let mut mart = Mart::new(schema, &feed.plan.encode)?;
        let held: Vec<Fields> = registered.iter().map(|record| written(&mut mart, record)).collect();
        let shapes: Vec<Shape> = held.iter().map(|fields| Shape::of(schema, likeness, fields)).collect();
        let mut foreign = assign(&mut rows, &registered, &shapes);
        let mut stale = Vec::new();
        let mut findings = Vec::new();
        self.feed().steps = (0, rows.len() as u64);
        for row in &mut rows {
            self.feed().steps.0 += 1;
            let Some(at) = row.choose(&shapes) else {
                self.judge_absent(feed, row);
                continue;
            };
            foreign.extend(row.found.iter().filter(|found| **found != at));
            let same = shapes[at].likeness == row.shape.likeness;
            findings.extend(self.judge_found(feed, row, &registered[at], same));
            if !same && row.version.is_some() {
                stale.push((row.key.clone(), at));
            }
        }
        for at in foreign {
            let record = &registered[at];
            let name = record.key.as_ref().map_or_else(|| record.label.clone(), ToString::to_string);
            self.list_difference(name, Kind::Foreign, Vec::new());
        }
        for page in stale.chunks(PAGE) {
            self.list_stale(feed, likeness, page, &held).await?;
        }
        self.restate(feed, findings).await?;
        self.feed().stage = Stage::Compared;
        self.save().await
    }

    /// A row that the register shows: the ledger takes it over where it does not know it.
    fn judge_found(&mut self, feed: &FeedLine<S>, row: &Row, record: &Registered, same: bool) -> Option<Finding> {
        let repair = self.progress.order.repair;
        // What differs is held in a version that no row has: it is told, and never sent over what is there.
        let fingerprint = match row.version {
            Some(version) if same => version,
            Some(_) | None => version_of(record),
        };
        let held = Version { fingerprint, record: None };
        let mut receipt = record.receipt.clone();
        if row.by_identity {
            // By our id it will never be found: there is nothing to wait for.
            receipt.stage = Reach::Confirmed;
        }
        let finding = Finding::new(feed, &row.key, Some(held), row.version);
        let tally = &mut self.feed().tally;
        match row.version {
            None => tally.unsendable += 1,
            Some(_) if same => {
                tally.equal += 1;
                tally.unknown += u64::from(finding.is_some());
                tally.adopted += u64::from(finding.is_some() && repair);
            }
            Some(_) => {}
        }
        finding.filter(|_| repair).map(|finding| finding.with(receipt))
    }

    /// A row that the register does not show.
    fn judge_absent(&mut self, feed: &FeedLine<S>, row: &Row) {
        let Some(version) = row.version else {
            self.feed().tally.unsendable += 1;
            return;
        };
        let is_open = feed.register().is_some_and(|register| register.open(row.key.id()).is_some());
        let may_be_there = {
            let index = feed.index();
            index.find(row.key.id()).is_some_and(|at| index.may_be_at_portal(at))
        };
        if may_be_there && is_open {
            self.feed().tally.on_the_way += 1;
        } else if is_refused(feed, &row.key, version) {
            self.feed().tally.unsendable += 1;
        } else {
            self.list_difference(row.key.to_string(), Kind::Missing, Vec::new());
        }
    }

    /// Lists records of the register that say something else than their rows, with the fields.
    async fn list_stale(
        &mut self,
        feed: &FeedLine<S>,
        likeness: &Likeness,
        page: &[(Key, usize)],
        held: &[Fields],
    ) -> Result<(), AuditError> {
        let keys: Vec<Key> = page.iter().map(|(key, _)| key.clone()).collect();
        let rows = self.rows_again(feed, &keys).await?;
        for (key, at) in page {
            let schema = feed.plan.schema;
            let theirs = folded(schema, likeness.compared, &held[*at]);
            let ours = rows.get(key).map(|row| folded(schema, likeness.compared, &row.fields)).unwrap_or_default();
            let sides = likeness.compared.iter().zip(ours.iter().zip(&theirs));
            let fields = sides.filter(|(_, (ours, theirs))| ours != theirs).map(|(name, _)| (*name).to_owned());
            self.list_difference(key.to_string(), Kind::Stale, fields.collect());
        }
        Ok(())
    }

    fn list_difference(&mut self, key: String, kind: Kind, fields: Vec<String>) {
        if self.progress.listed() < MOST_LISTED {
            self.feed().differences.push(Difference { key, kind, fields, repaired: false });
        } else {
            self.feed().tally.unlisted[kind as usize] += 1;
        }
    }

    async fn shaped_rows(&self, feed: &FeedLine<S>, likeness: &Likeness) -> Result<Vec<Row>, AuditError> {
        let query = Query { label: feed.plan.schema.feed, sql: &feed.plan.query };
        let mut stream = feed.plan.source.read(query, Read::All).await?;
        let columns: Vec<&str> = stream.columns().iter().map(|column| column.name.as_str()).collect();
        let mut encoder = Encoder::bind(feed.plan.schema, &columns, &feed.plan.encode)?;
        let mut rows = BTreeMap::new();
        let mut chunk = RowChunk::default();
        while stream.next(&mut chunk).await? {
            if self.line.stopping.is_cancelled() {
                return Err(AuditError::Stopped);
            }
            for cells in chunk.rows() {
                let sound = encoder.encode(cells);
                // A row without a key is no record; the engine reports it.
                let Some(record) = encoder.record() else { continue };
                let shape = Shape::of(feed.plan.schema, likeness, &fields(&encoder));
                let version = sound.then_some(record.fingerprint);
                let key = record.key.clone();
                rows.entry(key.clone()).or_insert(Row { key, version, shape, found: Vec::new(), by_identity: false });
            }
        }
        Ok(rows.into_values().collect())
    }
}

impl Row {
    /// The record of the register that counts: one that says what the row says, else the first.
    fn choose(&self, shapes: &[Shape]) -> Option<usize> {
        let same = |at: &&usize| shapes[**at].likeness == self.shape.likeness;
        self.found.iter().find(same).or(self.found.first()).copied()
    }
}

/// Gives each record of the register to the row that it is; gives those that are no row's.
fn assign(rows: &mut [Row], registered: &[Registered], shapes: &[Shape]) -> Vec<usize> {
    let by_key: HashMap<Key, usize> = rows.iter().enumerate().map(|(at, row)| (row.key.clone(), at)).collect();
    let mut rest = Vec::new();
    for (at, record) in registered.iter().enumerate() {
        match record.key.as_ref().and_then(|key| by_key.get(key)) {
            Some(row) => rows[*row].found.push(at),
            None => rest.push(at),
        }
    }
    let mut by_identity: HashMap<Fingerprint, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.found.is_empty()) {
        if let Some(identity) = row.shape.identity {
            by_identity.entry(identity).or_default().push(at);
        }
    }
    let mut foreign = Vec::new();
    for at in rest {
        let row = shapes[at].identity.and_then(|identity| by_identity.get_mut(&identity)?.pop());
        match row {
            Some(row) => {
                rows[row].found.push(at);
                rows[row].by_identity = true;
            }
            None => foreign.push(at),
        }
    }
    foreign
}

fn written(mart: &mut Mart, record: &Registered) -> Fields {
    let key = record.key.clone().unwrap_or_else(|| Key::parse(&record.label));
    mart.read(&Held { key, record: record.record.clone() });
    mart.fields()
}

/// Stands for what the register holds where that is not what the row says. No body of ours has it.
fn version_of(record: &Registered) -> Fingerprint {
    let mut text = serde_json::to_vec(&record.record).unwrap_or_default();
    text.push(b'!');
    Fingerprint::of(&text)
}
