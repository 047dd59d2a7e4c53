//! A ledger in memory, for tests and simulations: the same contract, no file, no time, no chance.
//!
//! What would stand on the disk is shared by all handles, so a test can let the engine die ([`MemoryLedger::crash`]) and
//! start another over what was durable at that instant. Calls can be told to fail ([`MemoryLedger::script`]), which a real
//! disk does only rarely.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use super::codec::Body;
use super::journal::{self, Standing};
use super::{
    Close, Counts, Entry, Exchange, ExchangeCounts, ExchangeState, FeedId, FeedSummary, Ledger, LedgerError, MarkId,
    Note, NotePlace, Progress, Refusal, Replay, Settlement, Word, WordId,
};
use crate::record::Key;

/// What becomes of a call, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is served.
    Serve,
    /// It fails and changes nothing.
    Refuse,
    /// It is served, durably, and yet its caller is told that it failed: the disk synced, but the answer did not come back.
    LoseAnswer,
}

/// A ledger in memory. Clones are handles of one process; [`MemoryLedger::crash`] and [`MemoryLedger::reopen`] give those of
/// the next.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    disk: Arc<Mutex<Disk>>,
    process: u64,
}

/// What outlives a process, and which process may write.
#[derive(Debug, Clone, Default)]
struct Disk {
    feeds: BTreeMap<i64, Feed>,
    notes: BTreeMap<NotePlace, String>,
    words: BTreeMap<i64, Word>,
    secrets: BTreeMap<(String, String), SecretString>,
    last_word: i64,
    last_row: i64,
    /// The process that holds the ledger, or held it last.
    process: u64,
    closed: bool,
    /// Rows up to this one were written by earlier processes.
    inherited: i64,
    script: VecDeque<Fate>,
}

#[derive(Debug, Clone, Default)]
struct Feed {
    portal: String,
    name: String,
    journal: BTreeMap<i64, Row>,
    counts: Counts,
    progress: Progress,
    refusals: BTreeMap<Key, Refusal>,
    findings: Vec<Refusal>,
    register: BTreeMap<Key, Exchange>,
}

#[derive(Debug, Clone)]
struct Row {
    standing: Standing,
    entries: u64,
    body: Arc<[u8]>,
}

impl Row {
    fn new(standing: Standing, body: Body) -> Self {
        Row { standing, entries: u64::from(body.entries), body: body.bytes.into() }
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        MemoryLedger::new()
    }
}

impl MemoryLedger {
    /// An empty ledger, open for writing.
    pub fn new() -> Self {
        MemoryLedger { disk: Arc::default(), process: 0 }
    }

    /// Opens the ledger in a new process, once the last one has closed it.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] while it is open.
    pub fn reopen(&self) -> Result<Self, LedgerError> {
        if !self.disk().closed {
            return Err(LedgerError::Locked { path: "in memory".to_owned(), owner: String::new() });
        }
        Ok(self.crash())
    }

    /// Ends the process at this instant and starts the next one over what was durable. Calls on the old handles fail. What
    /// is left of the script goes with the old process.
    pub fn crash(&self) -> Self {
        let mut disk = self.disk();
        disk.begin_process();
        MemoryLedger { disk: Arc::clone(&self.disk), process: disk.process }
    }

    /// A copy of its own of what is durable at this instant, opened in a new process; this ledger goes on undisturbed.
    pub fn snapshot(&self) -> Self {
        let mut disk = self.disk().clone();
        disk.begin_process();
        let process = disk.process;
        MemoryLedger { disk: Arc::new(Mutex::new(disk)), process }
    }

    /// What becomes of the next calls of the trait but `close`, in their order. Without a script calls are served.
    pub fn script(&self, fates: impl IntoIterator<Item = Fate>) {
        self.disk().script.extend(fates);
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one call as the script will have it.
    fn serve<T>(
        &self,
        action: &'static str,
        call: impl FnOnce(&mut Disk) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut disk = self.disk();
        if disk.closed || disk.process != self.process {
            return Err(LedgerError::Closed);
        }
        let scripted = LedgerError::Storage { action, reason: "the script says so".to_owned() };
        match disk.script.pop_front().unwrap_or(Fate::Serve) {
            Fate::Serve => call(&mut disk),
            Fate::Refuse => Err(scripted),
            Fate::LoseAnswer => call(&mut disk).and(Err(scripted)),
        }
    }
}

impl Disk {
    fn begin_process(&mut self) {
        self.process += 1;
        self.closed = false;
        self.inherited = self.last_row;
        self.script.clear();
    }

    fn feed(&mut self, action: &'static str, feed: FeedId) -> Result<&mut Feed, LedgerError> {
        let reason = format!("no feed has the number {}", feed.0);
        self.feeds.get_mut(&feed.0).ok_or(LedgerError::Storage { action, reason })
    }

    fn append(&mut self, action: &'static str, feed: FeedId, row: Row) -> Result<i64, LedgerError> {
        let id = self.last_row + 1;
        self.feed(action, feed)?.journal.insert(id, row);
        self.last_row = id;
        Ok(id)
    }

    fn named(&mut self, portal: &str, name: &str) -> FeedId {
        let known = self.feeds.iter().find(|(_, feed)| feed.portal == portal && feed.name == name);
        if let Some((id, _)) = known {
            return FeedId(*id);
        }
        let id = self.feeds.last_key_value().map_or(1, |(id, _)| id + 1);
        self.feeds.insert(id, Feed { portal: portal.to_owned(), name: name.to_owned(), ..Feed::default() });
        FeedId(id)
    }

    fn settle(&mut self, feed: FeedId, settlement: Settlement) -> Result<(), LedgerError> {
        journal::check(&settlement)?;
        let rows = journal::stated(&settlement);
        // All or nothing: whatever can fail comes before the first change.
        self.feed(SETTLING, feed)?.end_marks(&settlement.close)?;
        for body in rows {
            self.append(SETTLING, feed, Row::new(Standing::Stated, body))?;
        }
        self.feed(SETTLING, feed)?.report(settlement);
        Ok(())
    }
}

impl Feed {
    fn end_marks(&mut self, close: &[(MarkId, Close)]) -> Result<(), LedgerError> {
        let mut seen = BTreeSet::new();
        let is_open = |mark: &MarkId| self.journal.get(&mark.0).is_some_and(|row| row.standing == Standing::Open);
        if let Some((mark, _)) = close.iter().find(|(mark, _)| !is_open(mark) || !seen.insert(*mark)) {
            return Err(journal::settling(format!("the feed has no open mark {}", mark.0)));
        }
        for (mark, how) in close {
            match (how, self.journal.get_mut(&mark.0)) {
                (Close::Acknowledged, Some(row)) => row.standing = Standing::Acknowledged,
                (Close::Restated, _) | (_, None) => drop(self.journal.remove(&mark.0)),
            }
        }
        Ok(())
    }

    fn report(&mut self, settlement: Settlement) {
        for key in &settlement.cleared {
            self.refusals.remove(key);
        }
        let keyed = |refusal: Refusal| Some((refusal.key.clone()?, refusal));
        self.refusals.extend(settlement.refused.into_iter().filter_map(keyed));
        for exchange in settlement.exchanged {
            let earlier = self.register.remove(&exchange.key);
            self.register.insert(exchange.key.clone(), exchange.over(earlier));
        }
        for remark in settlement.remarked {
            if let Some(row) = self.register.get_mut(&remark.key) {
                row.code = remark.code.map(str::to_owned);
            }
        }
        for key in &settlement.dropped {
            if self.register.get(key).is_some_and(|row| row.state == ExchangeState::Ready) {
                self.register.remove(key);
            }
        }
        if let Some(findings) = settlement.findings {
            self.findings = findings;
        }
        if let Some(counts) = settlement.counts {
            self.counts = counts;
        }
    }

    fn summary(&self, id: i64) -> FeedSummary {
        FeedSummary {
            id: FeedId(id),
            portal: self.portal.clone(),
            feed: self.name.clone(),
            counts: self.counts,
            progress: self.progress,
        }
    }
}

const SETTLING: &str = "settling a batch";
const REWRITING: &str = "rewriting the journal";

impl Ledger for MemoryLedger {
    async fn feed(&self, portal: &str, feed: &str) -> Result<FeedId, LedgerError> {
        self.serve("adding a feed", |disk| Ok(disk.named(portal, feed)))
    }

    async fn feeds(&self) -> Result<Vec<FeedSummary>, LedgerError> {
        self.serve("reading feeds", |disk| {
            let mut feeds: Vec<_> = disk.feeds.iter().map(|(id, feed)| feed.summary(*id)).collect();
            feeds.sort_by(|one, other| (&one.portal, one.id).cmp(&(&other.portal, other.id)));
            Ok(feeds)
        })
    }

    async fn load(&self, feed: FeedId, visit: &mut (dyn FnMut(Replay) + Send)) -> Result<(), LedgerError> {
        let rows: Vec<_> = self
            .serve("loading the journal", |disk| {
                Ok(disk.feeds.get(&feed.0).map(|feed| feed.journal.clone()).unwrap_or_default())
            })?
            .into_iter()
            .collect();
        for (id, row) in rows {
            journal::replay(row.standing, &row.body, visit).map_err(|damage| LedgerError::Unusable {
                path: "in memory".to_owned(),
                reason: format!("journal row {id}: {damage}"),
            })?;
        }
        Ok(())
    }

    async fn mark(&self, feed: FeedId, entries: &[Entry]) -> Result<MarkId, LedgerError> {
        let body = journal::marked(entries)?;
        let action = "marking a batch";
        self.serve(action, |disk| disk.append(action, feed, Row::new(Standing::Open, body)).map(MarkId))
    }

    async fn settle(&self, feed: FeedId, settlement: Settlement) -> Result<(), LedgerError> {
        self.serve(SETTLING, |disk| disk.settle(feed, settlement))
    }

    async fn progress(&self, feed: FeedId) -> Result<Progress, LedgerError> {
        let action = "reading progress";
        self.serve(action, |disk| Ok(disk.feed(action, feed)?.progress))
    }

    async fn set_progress(&self, feed: FeedId, progress: Progress) -> Result<(), LedgerError> {
        let action = "writing progress";
        self.serve(action, |disk| {
            disk.feed(action, feed)?.progress = progress;
            Ok(())
        })
    }

    async fn refusals(&self, feed: FeedId) -> Result<Vec<Refusal>, LedgerError> {
        self.serve("reading refusals", |disk| {
            let Some(feed) = disk.feeds.get(&feed.0) else { return Ok(Vec::new()) };
            let mut all: Vec<_> = feed.refusals.values().chain(&feed.findings).cloned().collect();
            // Stable: a key's refusal stays before its findings, and these in the order of the scan.
            all.sort_by(|one, other| (one.key.is_none(), &one.key).cmp(&(other.key.is_none(), &other.key)));
            Ok(all)
        })
    }

    async fn wants_rewrite(&self, feed: FeedId, live: u64) -> Result<bool, LedgerError> {
        let action = "reading the journal's size";
        self.serve(action, |disk| {
            let journal = &disk.feed(action, feed)?.journal;
            let steps = journal.values().map(|row| row.entries).sum();
            Ok(journal::is_long(journal.len() as u64, steps, live))
        })
    }

    async fn rewrite(
        &self,
        feed: FeedId,
        entries: &mut (dyn Iterator<Item = Entry> + Send),
    ) -> Result<(), LedgerError> {
        let rows: Vec<_> = journal::snapshot(entries).map(|body| Row::new(Standing::Stated, body)).collect();
        self.serve(REWRITING, |disk| {
            let inherited = disk.inherited;
            let journal = &mut disk.feed(REWRITING, feed)?.journal;
            let in_flight = |(id, row): &(&i64, &Row)| row.standing == Standing::Open && **id > inherited;
            let open = journal.iter().filter(in_flight).count();
            if open > 0 {
                let reason = format!("{open} marks of the feed are open; settle them first");
                return Err(LedgerError::Storage { action: REWRITING, reason });
            }
            journal.clear();
            rows.into_iter().try_for_each(|row| disk.append(REWRITING, feed, row).map(drop))
        })
    }

    async fn notes(&self, portal: &str) -> Result<Vec<Note>, LedgerError> {
        self.serve("reading notes", |disk| {
            let of_portal = disk.notes.iter().filter(|(place, _)| place.portal == portal);
            Ok(of_portal.map(|(place, body)| Note { place: place.clone(), body: body.clone() }).collect())
        })
    }

    async fn set_note(&self, note: &Note) -> Result<(), LedgerError> {
        self.serve("writing a note", |disk| {
            disk.notes.insert(note.place.clone(), note.body.clone());
            Ok(())
        })
    }

    async fn drop_note(&self, place: &NotePlace) -> Result<(), LedgerError> {
        self.serve("forgetting a note", |disk| {
            disk.notes.remove(place);
            Ok(())
        })
    }

    async fn exchanges(&self, feed: FeedId, after: Option<&Key>, most: usize) -> Result<Vec<Exchange>, LedgerError> {
        self.serve("reading the register of exchange", |disk| {
            let Some(feed) = disk.feeds.get(&feed.0) else { return Ok(Vec::new()) };
            let behind = feed.register.values().filter(|row| after.is_none_or(|after| row.key > *after));
            Ok(behind.take(most).cloned().collect())
        })
    }

    async fn exchange(&self, feed: FeedId, key: &Key) -> Result<Option<Exchange>, LedgerError> {
        self.serve("reading the register of exchange", |disk| {
            Ok(disk.feeds.get(&feed.0).and_then(|feed| feed.register.get(key)).cloned())
        })
    }

    async fn exchange_counts(&self, feed: FeedId) -> Result<ExchangeCounts, LedgerError> {
        self.serve("reading the register of exchange", |disk| {
            let mut counts = ExchangeCounts::default();
            for row in disk.feeds.get(&feed.0).iter().flat_map(|feed| feed.register.values()) {
                *counts.at(row.state) += 1;
                counts.write_back += u64::from(row.write_back.is_some());
            }
            Ok(counts)
        })
    }

    async fn secret(&self, portal: &str, name: &str) -> Result<Option<SecretString>, LedgerError> {
        let place = (portal.to_owned(), name.to_owned());
        self.serve("reading a secret", |disk| Ok(disk.secrets.get(&place).cloned()))
    }

    async fn keep_secret(&self, portal: &str, name: &str, secret: SecretString) -> Result<(), LedgerError> {
        let place = (portal.to_owned(), name.to_owned());
        self.serve("keeping a secret", |disk| {
            disk.secrets.insert(place, secret);
            Ok(())
        })
    }

    async fn say(&self, word: &Word) -> Result<WordId, LedgerError> {
        self.serve("leaving a word", |disk| {
            disk.last_word += 1;
            disk.words.insert(disk.last_word, word.clone());
            Ok(WordId(disk.last_word))
        })
    }

    async fn words(&self) -> Result<Vec<(WordId, Word)>, LedgerError> {
        self.serve("reading words", |disk| {
            Ok(disk.words.iter().map(|(id, word)| (WordId(*id), word.clone())).collect())
        })
    }

    async fn heard(&self, words: &[WordId]) -> Result<(), LedgerError> {
        self.serve("taking words up", |disk| {
            words.iter().for_each(|word| drop(disk.words.remove(&word.0)));
            Ok(())
        })
    }

    async fn close(&self) -> Result<(), LedgerError> {
        let mut disk = self.disk();
        if disk.closed || disk.process != self.process {
            return Err(LedgerError::Closed);
        }
        disk.closed = true;
        Ok(())
    }
}
