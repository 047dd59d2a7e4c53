//! The ledger that the configuration names. The engine is generic over [`Ledger`]; the daemon and the verbs use this one.

use secrecy::SecretString;

use super::{
    Entry, Exchange, ExchangeCounts, FeedId, FeedSummary, Ledger, LedgerError, MarkId, MemoryLedger, Note, NotePlace,
    Progress, Refusal, Replay, Room, Settlement, SqliteLedger, Word, WordId,
};
use crate::record::Key;

/// Any ledger.
#[derive(Debug)]
pub enum AnyLedger {
    /// In a SQLite file.
    Sqlite(SqliteLedger),
    /// In memory, for tests.
    Memory(MemoryLedger),
}

/// Calls the same thing on whichever ledger it is.
macro_rules! each {
    ($self:ident, $ledger:ident => $call:expr) => {
        match $self {
            AnyLedger::Sqlite($ledger) => $call,
            AnyLedger::Memory($ledger) => $call,
        }
    };
}

impl AnyLedger {
    /// Opens the ledger of a `[ledger] url` for writing.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] when the url is none that is known, and as [`SqliteLedger::open`].
    pub async fn open(url: &str) -> Result<Self, LedgerError> {
        SqliteLedger::open(sqlite_path(url)?).await.map(AnyLedger::Sqlite)
    }

    /// Opens the ledger of a `[ledger] url` for reading only.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] when the url is none that is known, and as [`SqliteLedger::open_read_only`].
    pub async fn open_read_only(url: &str) -> Result<Self, LedgerError> {
        SqliteLedger::open_read_only(sqlite_path(url)?).await.map(AnyLedger::Sqlite)
    }

    /// Opens the ledger of a `[ledger] url` for reading, and for leaving words to the process that holds it.
    ///
    /// # Errors
    /// As [`SqliteLedger::open_for_words`].
    pub async fn open_for_words(url: &str) -> Result<Self, LedgerError> {
        SqliteLedger::open_for_words(sqlite_path(url)?).await.map(AnyLedger::Sqlite)
    }

    /// What it takes of its disk; none where it lies on none, or the disk does not say.
    pub fn room(&self) -> Option<Room> {
        match self {
            AnyLedger::Sqlite(ledger) => ledger.room(),
            AnyLedger::Memory(_) => None,
        }
    }
}

/// The path in a `sqlite:` url, with or without `//`. Taken as it stands: no percent signs, no parameters.
fn sqlite_path(url: &str) -> Result<&str, LedgerError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(bad_url("without a scheme", "[ledger] url must look like sqlite:/var/lib/vitrina/ledger.db"));
    };
    if scheme != "sqlite" {
        // The rest of an url may hold a password.
        return Err(bad_url(&format!("{scheme}:…"), "[ledger] url must begin with sqlite:"));
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match path {
        "" => Err(bad_url(url, "the path is missing; write sqlite:/var/lib/vitrina/ledger.db")),
        ":memory:" => Err(bad_url(url, "a ledger in memory forgets what was sent when the daemon stops; name a file")),
        path if path.contains('?') => Err(bad_url(url, "parameters are not supported; write the path alone")),
        path => Ok(path),
    }
}

fn bad_url(url: &str, reason: &str) -> LedgerError {
    LedgerError::Unusable { path: url.to_owned(), reason: reason.to_owned() }
}

impl Ledger for AnyLedger {
    async fn feed(&self, portal: &str, feed: &str) -> Result<FeedId, LedgerError> {
        each!(self, ledger => ledger.feed(portal, feed).await)
    }

    async fn feeds(&self) -> Result<Vec<FeedSummary>, LedgerError> {
        each!(self, ledger => ledger.feeds().await)
    }

    async fn load(&self, feed: FeedId, visit: &mut (dyn FnMut(Replay) + Send)) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.load(feed, visit).await)
    }

    async fn mark(&self, feed: FeedId, entries: &[Entry]) -> Result<MarkId, LedgerError> {
        each!(self, ledger => ledger.mark(feed, entries).await)
    }

    async fn settle(&self, feed: FeedId, settlement: Settlement) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.settle(feed, settlement).await)
    }

    async fn progress(&self, feed: FeedId) -> Result<Progress, LedgerError> {
        each!(self, ledger => ledger.progress(feed).await)
    }

    async fn set_progress(&self, feed: FeedId, progress: Progress) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.set_progress(feed, progress).await)
    }

    async fn refusals(&self, feed: FeedId) -> Result<Vec<Refusal>, LedgerError> {
        each!(self, ledger => ledger.refusals(feed).await)
    }

    async fn each_refusal(&self, feed: FeedId, visit: &mut (dyn FnMut(&Refusal) + Send)) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.each_refusal(feed, visit).await)
    }

    async fn wants_rewrite(&self, feed: FeedId, live: u64) -> Result<bool, LedgerError> {
        each!(self, ledger => ledger.wants_rewrite(feed, live).await)
    }

    async fn rewrite(
        &self,
        feed: FeedId,
        entries: &mut (dyn Iterator<Item = Entry> + Send),
    ) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.rewrite(feed, entries).await)
    }

    async fn notes(&self, portal: &str) -> Result<Vec<Note>, LedgerError> {
        each!(self, ledger => ledger.notes(portal).await)
    }

    async fn set_note(&self, note: &Note) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.set_note(note).await)
    }

    async fn drop_note(&self, place: &NotePlace) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.drop_note(place).await)
    }

    async fn exchanges(&self, feed: FeedId, after: Option<&Key>, most: usize) -> Result<Vec<Exchange>, LedgerError> {
        each!(self, ledger => ledger.exchanges(feed, after, most).await)
    }

    async fn exchange(&self, feed: FeedId, key: &Key) -> Result<Option<Exchange>, LedgerError> {
        each!(self, ledger => ledger.exchange(feed, key).await)
    }

    async fn exchange_counts(&self, feed: FeedId) -> Result<ExchangeCounts, LedgerError> {
        each!(self, ledger => ledger.exchange_counts(feed).await)
    }

    async fn secret(&self, portal: &str, name: &str) -> Result<Option<SecretString>, LedgerError> {
        each!(self, ledger => ledger.secret(portal, name).await)
    }

    async fn keep_secret(&self, portal: &str, name: &str, secret: SecretString) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.keep_secret(portal, name, secret).await)
    }

    async fn say(&self, word: &Word) -> Result<WordId, LedgerError> {
        each!(self, ledger => ledger.say(word).await)
    }

    async fn words(&self) -> Result<Vec<(WordId, Word)>, LedgerError> {
        each!(self, ledger => ledger.words().await)
    }

    async fn heard(&self, words: &[WordId]) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.heard(words).await)
    }

    async fn close(&self) -> Result<(), LedgerError> {
        each!(self, ledger => ledger.close().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_from_either_form_of_the_url() {
        for url in ["sqlite:/var/lib/v.db", "sqlite:///var/lib/v.db"] {
            assert_eq!(sqlite_path(url).unwrap(), "/var/lib/v.db");
        }
        assert_eq!(sqlite_path("sqlite:v.db").unwrap(), "v.db");
    }

    #[test]
    fn an_url_that_names_no_file_is_refused_with_what_to_write() {
        for (url, hint) in [
            ("/var/lib/v.db", "must look like sqlite:"),
            ("sqlite:", "path is missing"),
            ("sqlite::memory:", "name a file"),
            ("sqlite:/v.db?mode=ro", "path alone"),
        ] {
            let refused = sqlite_path(url).unwrap_err().to_string();
            assert!(refused.contains(hint), "{refused}");
        }
    }

    #[test]
    fn a_password_in_a_foreign_url_is_not_repeated() {
        let refused = sqlite_path("postgres://vitrina:secret@host/db").unwrap_err().to_string();
        assert!(refused.contains("postgres:") && !refused.contains("secret"), "{refused}");
    }
}
