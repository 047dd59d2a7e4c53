//! The worked example of docs/views.md: installed by the databases' own clients, checked and synchronised by the program as a hospital would, and
//! printed in both languages as it stands in the files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vitrina::demo::fer::{GatewaySettings, Subsystem};
use vitrina::record::Kind;
use vitrina::source::Engine;

use super::site::run_client;
use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::database::{self, TestDb};
use crate::support::mart::Mart;

const PAGES: [&str; 2] = [include_str!("../../../docs/views.md"), include_str!("../../../docs/ru/views.md")];
const POSTGRES: &str = include_str!("../../../docs/examples/fer-postgres.sql");
const MARIADB: &str = include_str!("../../../docs/examples/fer-mariadb.sql");

/// The example in a database, the mock gateway, and a configuration that leads from one to the other.
struct Example {
    db: TestDb,
    mart: Mart,
    config: PathBuf,
    _folder: tempfile::TempDir,
}

impl Example {
    async fn install(db: TestDb) -> Example {
        let file = if db.engine == Engine::Postgres { "fer-postgres.sql" } else { "fer-mariadb.sql" };
        run_client(&db, &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(file)).await;
        let mart = Mart::start(GatewaySettings::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let config = write_private(folder.path(), "vitrina.toml", &configuration(&db, &mart, folder.path()));
        Example { db, mart, config, _folder: folder }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = vitrina(arguments);
        command.arg("--config").arg(&self.config);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap()
    }

    /// The ids of a feed's records at the mart: what stands behind their common beginning.
    fn ids(&self, subsystem: Subsystem) -> Vec<String> {
        let records = self.mart.running.gateway().snapshot(subsystem);
        let mut ids: Vec<String> = records.keys().map(|id| id.chars().last().into_iter().collect()).collect();
        ids.sort();
        ids
    }

    /// A field of the record whose id ends so.
    fn field(&self, subsystem: Subsystem, number: u8, field: &str) -> Value {
        let records = self.mart.running.gateway().snapshot(subsystem);
        let found = records.into_iter().find(|(id, _)| id.ends_with(&format!("{number:012}")));
        found.and_then(|(_, record)| record.get(field).cloned()).unwrap_or_default()
    }
}

fn configuration(db: &TestDb, mart: &Mart, folder: &Path) -> String {
    let account = GatewaySettings::default();
    let mut text = format!(
        "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n[ledger]\nurl = \"sqlite:{}\"\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\n",
        db.url,
        folder.join("ledger.db").display(),
        mart.running.url(),
        account.username,
        account.password,
    );
    for subsystem in Subsystem::ALL {
        text.push_str(&format!("[portals.fer.feeds.{}]\nchanged_at = \"updated_at\"\n", subsystem.name()));
    }
    text
}

async fn both() -> [Example; 2] {
    [Example::install(database::postgres().await).await, Example::install(database::mariadb().await).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_passes_the_check_and_reaches_the_portal_as_the_page_says() {
    for example in both().await {
        let engine = example.db.engine;
        let ran = example.run(&["check"]).await;
        assert!(ran.code == 0 && !ran.out.contains("error: "), "{engine:?}: {}", ran.out);
        assert!(!ran.out.contains("column "), "{engine:?}: every column is one of the portal's: {}", ran.out);
        let ran = example.run(&["sync"]).await;
        assert_eq!(ran.code, 0, "{engine:?}: {} {}", ran.out, ran.err);
        let expected = [
            (Subsystem::Mo, vec!["1", "2"]),
            (Subsystem::Resource, vec!["1", "2", "3"]),
            (Subsystem::Service, vec!["1"]),
            (Subsystem::ProfilecodeResource, vec!["1", "2"]),
            (Subsystem::UnaccessablePeriod, vec!["1"]),
            (Subsystem::Slot, vec!["1", "2", "3", "4", "5"]),
            (Subsystem::Referral, vec!["1", "2"]),
            (Subsystem::Book, vec!["1", "2", "3", "4"]),
        ];
        for (subsystem, ids) in expected {
            assert_eq!(example.ids(subsystem), ids, "{engine:?}: {}", subsystem.name());
        }
        for (subsystem, field) in [(Subsystem::UnaccessablePeriod, "end_date"), (Subsystem::Referral, "end_date")] {
            let end = example.field(subsystem, 1, field);
            let is_end_of_day = end.as_str().is_some_and(|end| end.ends_with("T23:59:59"));
            assert!(is_end_of_day, "{engine:?}: {}: a last day counts whole: {end}", subsystem.name());
        }
        for (subsystem, number, field, value) in [
            (Subsystem::Mo, 1, "parent_id", json!("1.2.643.5.1.13.13.12.2.86.8902")),
            (Subsystem::Mo, 1, "branch_oid", json!("1.2.643.5.1.13.13.12.2.86.8902.0.101")),
            (Subsystem::Resource, 1, "snils", json!("11223344595")),
            (Subsystem::Resource, 2, "room_name", Value::Null),
            (Subsystem::Slot, 1, "tag_type", json!("EPGU,REFERRAL")),
            (Subsystem::Referral, 2, "to_mo_oid", json!("1.2.643.5.1.13.13.12.2.86.8902")),
            (Subsystem::Referral, 2, "from_mo_oid", json!("1.2.643.5.1.13.13.12.2.86.8902.0.101")),
            (Subsystem::Mo, 1, "address_fias_guid", json!("0fa50000-0000-4000-8000-000000000001")),
            (Subsystem::Referral, 1, "patient_id", json!("09000000-0000-4000-8000-000000000001")),
            (Subsystem::Book, 2, "patient_id", json!("09000000-0000-4000-8000-000000000002")),
            (Subsystem::Book, 2, "referral_id", json!("0b000000-0000-4000-8000-000000000002")),
            (Subsystem::Book, 4, "status_code", json!(5030)),
        ] {
            let found = example.field(subsystem, number, field);
            assert_eq!(found, value, "{engine:?}: {} {number} {field}", subsystem.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_leaves_its_view_is_removed_with_what_hangs_on_it_and_a_visit_of_yesterday_still_arrives() {
    for example in both().await {
        let engine = example.db.engine;
        assert_eq!(example.run(&["sync"]).await.code, 0);
        example
            .db
            .execute(&[
                "UPDATE visit SET state = 3, updated_at = CURRENT_TIMESTAMP WHERE id = 4",
                "DELETE FROM visit WHERE timetable_id = 2",
                "DELETE FROM timetable WHERE id = 2",
            ])
            .await;
        let ran = example.run(&["sync", "--full"]).await;
        assert_eq!(ran.code, 0, "{engine:?}: {} {}", ran.out, ran.err);
        assert_eq!(example.ids(Subsystem::Slot), ["1", "3", "4", "5"], "{engine:?}");
        assert_eq!(example.ids(Subsystem::Book), ["2", "3", "4"], "{engine:?}");
        assert_eq!(example.field(Subsystem::Book, 4, "status_code"), json!(5020), "{engine:?}: it took place");
    }
}

/// The statements that a page quotes.
fn quoted(page: &str) -> Vec<String> {
    let blocks = page.split("```sql\n").skip(1).filter_map(|block| block.split("```").next());
    let own = |block: &&str| block.starts_with("CREATE TABLE") || block.starts_with("CREATE VIEW");
    blocks.filter(own).flat_map(|block| block.trim_end().split("\n\n")).map(str::to_owned).collect()
}

#[test]
fn the_pages_quote_every_table_and_view_of_the_example_as_it_is() {
    let statements = |kind: &str| POSTGRES.matches(&format!("\n{kind} ")).count();
    let all = statements("CREATE TABLE") + statements("CREATE VIEW");
    for page in PAGES {
        let quoted = quoted(page);
        assert_eq!(quoted.len(), all, "each once");
        for statement in quoted {
            assert!(POSTGRES.contains(&format!("\n{statement}\n")), "{statement}");
        }
    }
}

#[test]
fn the_two_examples_differ_in_nothing_but_the_types_of_their_tables() {
    let body = |text: &'static str| text.split_once("-- ----").unwrap().1;
    let (tables, rest) = body(POSTGRES).split_once("CREATE VIEW").unwrap();
    let words = |text: &str, from: &str, to: &str| text.replace(&format!(" {from}"), &format!(" {to}"));
    let tables = words(&words(tables, "uuid", "char(36)"), "timestamp", "datetime");
    assert_eq!(body(MARIADB), format!("{tables}CREATE VIEW{rest}"));
}

/// The words that a field may hold.
fn words(kind: Kind) -> Vec<String> {
    match kind {
        Kind::Enum(words) | Kind::EnumList(words) | Kind::EnumWithAliases(words, _) => {
            words.iter().map(|word| format!("`{word}`")).collect()
        }
        Kind::IntEnum(numbers) => numbers.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_pages_know_every_column_and_every_word_of_every_feed() {
    let kind = vitrina::portal::kind("fer").unwrap();
    for page in PAGES {
        for schema in kind.schemas {
            let from = page.find(&format!("\n### {}\n", schema.feed)).unwrap_or_else(|| panic!("{}", schema.feed));
            let section = &page[from + 5..];
            let section = &section[..section.find("\n### ").or(section.find("\n## ")).unwrap()];
            for field in schema.fields {
                assert!(section.contains(&format!("`{}`", field.name)), "{}.{}", schema.feed, field.name);
                for word in words(field.kind) {
                    // Resources are told to be received as departments are.
                    let told = section.contains(&word) || (field.name == "enabled" && page.contains(&word));
                    assert!(told, "{}.{}: {word}", schema.feed, field.name);
                }
            }
        }
    }
}
