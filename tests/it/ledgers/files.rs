//! The SQLite ledger's files: who may open them, and what is said of those that cannot be used.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use vitrina::ledger::{AnyLedger, Counts, Ledger, LedgerError, Settlement, SqliteLedger, Word, WordKind};

use super::*;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    (directory, path)
}

/// A closed ledger with some records.
async fn filled(path: &Path) -> FeedId {
    let ledger = SqliteLedger::open(path).await.unwrap();
    let feed = ledger.feed("fer", "slot").await.unwrap();
    ledger.settle(feed, stating((0..500).map(|key| accepted(key, 1)).collect())).await.unwrap();
    ledger.close().await.unwrap();
    feed
}

/// Runs a statement behind the ledger's back.
async fn meddle(path: &Path, statement: &'static str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn refusal_to_open(path: &Path) -> String {
    SqliteLedger::open(path).await.map(drop).unwrap_err().to_string()
}

async fn refusal_to_read(path: &Path) -> String {
    SqliteLedger::open_read_only(path).await.map(drop).unwrap_err().to_string()
}

/// What portals that make a second record of what comes twice would do to a hospital that just starts again.
const WAY_OUT: &str = "SOUT, POS and EKDO make second records of all. Read \"A lost ledger\" in docs/operations.md";

#[tokio::test]
async fn every_file_is_for_the_owner_alone() {
    let (directory, path) = place();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let ledger = SqliteLedger::open(&path).await.unwrap();
    ledger.feed("fer", "slot").await.unwrap();
    let mut modes: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777))
        .collect();
    modes.sort();
    let names = ["ledger.db", "ledger.db-shm", "ledger.db-wal", "ledger.db.lock"];
    assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)));
}

#[tokio::test]
async fn a_second_writer_is_told_who_holds_the_ledger() {
    let (_directory, path) = place();
    let first = SqliteLedger::open(&path).await.unwrap();
    let refused = refusal_to_open(&path).await;
    assert!(refused.contains(&format!("(pid {})", std::process::id())), "{refused}");
    first.close().await.unwrap();
    SqliteLedger::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_reader_sees_what_the_writer_has_just_settled() {
    let (_directory, path) = place();
    let writer = SqliteLedger::open(&path).await.unwrap();
    let feed = writer.feed("fer", "slot").await.unwrap();
    let reader = AnyLedger::open_read_only(&format!("sqlite:{}", path.display())).await.unwrap();
    let counts = Counts { accepted: 3, ..Counts::default() };
    let progress = vitrina::ledger::Progress { last_success: Some(5), ..Default::default() };
    writer.settle(feed, Settlement { counts: Some(counts), ..stating(vec![accepted(1, 1)]) }).await.unwrap();
    writer.set_progress(feed, progress).await.unwrap();
    let seen = reader.feeds().await.unwrap().remove(0);
    assert_eq!((seen.counts, seen.progress), (counts, progress));
    assert_eq!(only(&reader, feed).await, Some(accepted(1, 1)));
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (_directory, path) = place();
    let feed = filled(&path).await;
    let reader = SqliteLedger::open_read_only(&path).await.unwrap();
    let refused = reader.mark(feed, &[sent(1, 1)]).await.unwrap_err().to_string();
    assert!(refused.contains("opened for reading only"), "{refused}");
    assert!(reader.rewrite(feed, &mut std::iter::empty()).await.is_err());
}

#[tokio::test]
async fn a_reader_makes_no_ledger() {
    let (_directory, path) = place();
    let refused = refusal_to_read(&path).await;
    assert!(refused.contains("does not exist yet"), "{refused}");
    assert!(!path.exists());
}

#[tokio::test]
async fn the_tables_of_a_newer_program_are_left_alone() {
    let (_directory, path) = place();
    filled(&path).await;
    meddle(&path, "INSERT INTO _sqlx_migrations VALUES (9999, 'later', '2030-01-01', true, x'00', 0)").await;
    for refused in [refusal_to_open(&path).await, refusal_to_read(&path).await] {
        assert!(refused.contains("a newer version of vitrina"), "{refused}");
    }
}

#[tokio::test]
async fn a_reader_does_not_read_older_tables() {
    let (_directory, path) = place();
    filled(&path).await;
    meddle(&path, "DELETE FROM _sqlx_migrations").await;
    let refused = refusal_to_read(&path).await;
    assert!(refused.contains("brings them up to date"), "{refused}");
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_finished_by_the_next() {
    let (_directory, path) = place();
    meddle(&path.with_file_name("x.db"), "PRAGMA application_id = 1448366670; CREATE TABLE t (a); DROP TABLE t").await;
    fs::rename(path.with_file_name("x.db"), &path).unwrap();
    assert!(refusal_to_read(&path).await.contains("brings them up to date"));
    filled(&path).await;
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_refused_and_left_as_it_was() {
    let (_directory, path) = place();
    for content in ["short".to_owned(), "0123456789".repeat(500)] {
        fs::write(&path, &content).unwrap();
        for refused in [refusal_to_open(&path).await, refusal_to_read(&path).await] {
            assert!(refused.contains("it is not a") && refused.contains(WAY_OUT), "{refused}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_refused() {
    let (_directory, path) = place();
    meddle(&path, "CREATE TABLE patients (name TEXT)").await;
    let before = fs::read(&path).unwrap();
    let refused = refusal_to_open(&path).await;
    assert!(refused.contains("another program"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_truncated_ledger_is_refused_with_the_way_out() {
    let (_directory, path) = place();
    filled(&path).await;
    let half = fs::metadata(&path).unwrap().len() / 2;
    OpenOptions::new().write(true).open(&path).unwrap().set_len(half).unwrap();
    for refused in [refusal_to_open(&path).await, refusal_to_read(&path).await] {
        assert!(
            refused.contains("damaged") && refused.contains(WAY_OUT) && refused.contains("vitrina audit"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_flipped_byte_in_a_journal_row_is_named_when_it_is_loaded() {
    let (_directory, path) = place();
    let feed = filled(&path).await;
    meddle(&path, "UPDATE journal_body SET body = CAST(x'00' || substr(body, 2) AS BLOB)").await;
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let mut seen = 0;
    let failed = ledger.load(feed, &mut |_| seen += 1).await.unwrap_err();
    assert!(matches!(failed, LedgerError::Unusable { .. }));
    let words = failed.to_string();
    assert!(words.contains("journal row 1") && words.contains("checksum") && words.contains(WAY_OUT), "{words}");
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn a_journal_row_that_lost_its_body_is_noticed() {
    let (_directory, path) = place();
    let feed = filled(&path).await;
    meddle(&path, "DELETE FROM journal_body").await;
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let failed = ledger.load(feed, &mut |_| {}).await.unwrap_err().to_string();
    assert!(failed.contains("has no body"), "{failed}");
}

#[tokio::test]
async fn overwritten_pages_are_an_error_and_no_panic() {
    let (_directory, path) = place();
    let feed = filled(&path).await;
    let page = 8192;
    let pages = fs::metadata(&path).unwrap().len() / page;
    for number in 1..pages {
        let copy = path.with_file_name(format!("copy{number}.db"));
        fs::copy(&path, &copy).unwrap();
        let mut file = OpenOptions::new().write(true).open(&copy).unwrap();
        file.seek(SeekFrom::Start(number * page)).unwrap();
        file.write_all(&vec![0xa5; page as usize]).unwrap();
        let whole = match SqliteLedger::open(&copy).await {
            Err(refused) => Err(refused),
            Ok(ledger) => match (ledger.verify().await, ledger.load(feed, &mut |_| {}).await) {
                (Ok(()), Ok(())) => Ok(()),
                (Err(refused), _) | (_, Err(refused)) => Err(refused),
            },
        };
        let words = whole.unwrap_err().to_string();
        assert!(words.contains("damaged"), "page {number}: {words}");
    }
}

#[tokio::test]
async fn a_whole_ledger_verifies() {
    let (_directory, path) = place();
    filled(&path).await;
    SqliteLedger::open(&path).await.unwrap().verify().await.unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let (directory, _) = place();
    let missing = directory.path().join("nowhere");
    let refused = refusal_to_open(&missing.join("ledger.db")).await;
    assert!(refused.contains(&format!("{} does not exist; make it", missing.display())), "{refused}");
}

#[tokio::test]
async fn a_directory_in_the_ledgers_place_is_refused() {
    let (directory, _) = place();
    let inside = directory.path().join("ledger.db");
    fs::create_dir(&inside).unwrap();
    let refused = refusal_to_open(&inside).await;
    assert!(refused.contains("it is not a file"), "{refused}");
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_named() {
    // Here not even the superuser, which may run this test, can make a file.
    let refused = refusal_to_open(Path::new("/proc/self/ledger.db")).await;
    assert!(refused.contains("/proc/self"), "{refused}");
}

#[tokio::test]
async fn a_rewrite_that_its_caller_gives_up_changes_nothing() {
    let (_directory, path) = place();
    let feed = filled(&path).await;
    let ledger = SqliteLedger::open(&path).await.unwrap();
    let mut endless = (0..).map(|key| accepted(key, 2));
    let mut seen = 0;
    let mut counted = endless.by_ref().inspect(|_| seen += 1);
    {
        let mut rewrite = std::pin::pin!(ledger.rewrite(feed, &mut counted));
        // Many turns are enough for it to have begun: it never ends by itself.
        for _ in 0..200 {
            tokio::select! { biased; done = &mut rewrite => panic!("{done:?}"), () = tokio::task::yield_now() => {} }
        }
    }
    assert!(seen > 0);
    let untouched: Vec<_> = standing(&ledger, feed).await.into_values().collect();
    assert_eq!(untouched, (0..500).map(|key| accepted(key, 1)).collect::<Vec<_>>());
    ledger.settle(feed, stating(vec![accepted(1, 2)])).await.unwrap();
}

/// A verb leaves its words while the daemon holds the ledger, and cannot write anything else.
#[tokio::test]
async fn words_are_left_beside_the_process_that_holds_the_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let daemon = SqliteLedger::open(&path).await.unwrap();
    let verb = SqliteLedger::open_for_words(&path).await.unwrap();
    let word =
        Word { portal: "fer".into(), feed: String::new(), kind: WordKind::ResumeUnit, argument: "{}".into(), said: 1 };
    let id = verb.say(&word).await.unwrap();
    assert!(verb.heard(&[id]).await.is_err());
    assert_eq!(daemon.words().await.unwrap(), [(id, word)]);
    verb.close().await.unwrap();
    daemon.heard(&[id]).await.unwrap();
    assert!(daemon.words().await.unwrap().is_empty());
}
