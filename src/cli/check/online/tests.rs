//! The online check against a world of the test's own.

use super::*;
use crate::config::{Environment, load};
use crate::record::{Expiry, Kind, RowChunk, Schema, Unit, may, must, must_when};
use crate::source::{Advice, Column, Read, RowStream};

static SLOT: Schema = Schema {
    feed: "slot",
    table: "приложение 1, таблица 4",
    fields: &[
        must("id", Kind::Guid),
        must("type", Kind::Enum(&["A", "B"])),
        must_when("A", "speciality_id", Kind::Text(10)),
        may("note", Kind::Text(10)),
    ],
    key: "id",
    discriminator: Some("type"),
    parents: &[],
    cascades: &[],
    urgent: false,
    persons: false,
    derived_key: &[],
    shown: &[],
    unit: Unit::None,
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
};

static SCHEMAS: &[&Schema] = &[&SLOT];

/// A database with one view of these columns.
struct Fake {
    columns: Vec<&'static str>,
    advice: Vec<&'static str>,
}

struct NoRows;

impl RowStream for NoRows {
    fn columns(&self) -> &[Column] {
        &[]
    }

    fn key_columns(&self) -> &[Column] {
        &[]
    }

    async fn next_keys(&mut self, _: &mut RowChunk) -> Result<bool, SourceError> {
        Ok(false)
    }

    async fn next(&mut self, _: &mut RowChunk) -> Result<bool, SourceError> {
        Ok(false)
    }
}

impl Source for Fake {
    type Rows = NoRows;

    async fn columns(&self, _: Query<'_>) -> Result<Vec<Column>, SourceError> {
        Ok(self.columns.iter().map(|name| Column { name: (*name).into(), type_name: "text".into() }).collect())
    }

    async fn read(&self, _: Query<'_>, _: Read<'_>) -> Result<NoRows, SourceError> {
        Ok(NoRows)
    }

    async fn now(&self) -> Result<i64, SourceError> {
        Ok(0)
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        Ok(name == "vitrina_fer_slot")
    }

    async fn advice(&self) -> Result<Vec<Advice>, SourceError> {
        Ok(self.advice.iter().map(|text| Advice { key: "url", text: (*text).into() }).collect())
    }
}

/// A world with that database, or one that cannot be reached, and a portal that answers so.
struct Answers {
    columns: Option<Vec<&'static str>>,
    portal: Result<Option<TimeDelta>, String>,
    advice: Vec<&'static str>,
}

impl World for Answers {
    type Source = Fake;

    async fn connect(&self, name: &str, _: &SourceConfig) -> Result<Fake, SourceError> {
        let refused = || SourceError::Connect { source_name: name.into(), reason: "connection refused".into() };
        let fake = |columns| Fake { columns, advice: self.advice.clone() };
        self.columns.clone().map(fake).ok_or_else(refused)
    }

    async fn connect_for_writing(&self, _: &str, _: &SourceConfig) -> Result<(), String> {
        Err("the database only lets us read".into())
    }

    async fn booking_columns(&self, _: &Config) -> Result<Vec<(&'static str, BookingColumns)>, String> {
        Ok(Vec::new())
    }

    async fn sign_in(&self, _: &str, _: &PortalConfig) -> Result<Option<TimeDelta>, String> {
        self.portal.clone()
    }

    fn schemas(&self, _: &PortalConfig) -> &'static [&'static Schema] {
        SCHEMAS
    }
}

async fn problems(world: Answers) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = directory.path().join("ledger.db");
    problems_with(world, &ledger.display().to_string(), directory.path()).await
}

async fn problems_with(world: Answers, ledger: &str, directory: &std::path::Path) -> String {
    problems_of(world, ledger, directory, "").await
}

async fn problems_of(world: Answers, ledger: &str, directory: &std::path::Path, more: &str) -> String {
    let text = format!(
        r#"
        [sources.mis]
        url = "sqlite:/mis.db"
        timezone = "Europe/Moscow"
        [ledger]
        url = "sqlite:{ledger}"
        [portals.fer]
        kind = "fer"
        url = "http://127.0.0.1:1"
        username = "u"
        password = "p"
        [portals.fer.feeds.slot]
        changed_at = "touched"
        {more}
        "#
    );
    let path = directory.join("vitrina.toml");
    std::fs::write(&path, text).expect("a file");
    let config = load(&path, &Environment::default()).expect("a configuration").config;
    check(&config, &world).await.to_string()
}

fn well(columns: &[&'static str]) -> Answers {
    Answers { columns: Some(columns.to_vec()), portal: Ok(Some(TimeDelta::zero())), advice: Vec::new() }
}

#[tokio::test]
async fn a_world_that_fits_has_no_problems() {
    assert_eq!(problems(well(&["id", "type", "speciality_id", "touched"])).await, "");
    assert_eq!(
        problems(well(&["ID", "Type", "SPECIALITY_ID", "touched"])).await,
        "",
        "columns are found in any letter case"
    );
}

#[tokio::test]
async fn columns_are_held_against_the_document() {
    let found = problems(well(&["ident", "type", "update_ts", "colour", "colour", "touched"])).await;
    for expected in [
        "error: portals.fer.feeds.slot: column id is missing: it is mandatory in приложение 1",
        "warning: portals.fer.feeds.slot: column speciality_id is missing: it is mandatory in приложение 1, таблица 4 when type is A",
        "warning: portals.fer.feeds.slot: column update_ts is not sent: the portal takes this field no more",
        "warning: portals.fer.feeds.slot: column colour is not sent: приложение 1, таблица 4 has no such field",
        "error: portals.fer.feeds.slot: column colour appears twice",
    ] {
        assert!(found.contains(expected), "{expected}\nis not in\n{found}");
    }
    assert!(!found.contains("column note"), "an optional column may be left out: {found}");
}

#[tokio::test]
async fn a_change_column_must_be_among_the_columns() {
    let found = problems(well(&["id", "type", "speciality_id"])).await;
    assert_eq!(found, "error: portals.fer.feeds.slot.changed_at: the query has no column touched");
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_one_problem() {
    let found = problems(Answers { columns: None, portal: Ok(None), advice: Vec::new() }).await;
    assert_eq!(found, "error: sources.mis: source mis: cannot connect: connection refused");
}

#[tokio::test]
async fn what_a_source_advises_is_a_warning_of_its_key() {
    let advised =
        Answers { advice: vec!["keeps its texts in WIN1251"], ..well(&["id", "type", "speciality_id", "touched"]) };
    assert_eq!(problems(advised).await, "warning: sources.mis.url: keeps its texts in WIN1251");
}

#[tokio::test]
async fn a_portal_that_refuses_and_one_whose_clock_is_off_are_named() {
    let refusing = Answers { portal: Err("wrong username or password".into()), ..well(&[]) };
    assert!(problems(refusing).await.contains("error: portals.fer: wrong username or password"));
    let late = Answers { portal: Ok(Some(TimeDelta::seconds(-90))), ..well(&[]) };
    assert!(problems(late).await.contains("error: portals.fer: its clock is 1m 30s behind this machine's"));
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = well(&["id", "type", "speciality_id", "touched"]);
    let found = problems_with(world, "/nowhere/ledger.db", directory.path()).await;
    assert!(found.starts_with("error: ledger.url: /nowhere/ledger.db cannot be written"), "{found}");
}

#[tokio::test]
async fn booking_needs_an_account_that_may_write() {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = directory.path().join("ledger.db").display().to_string();
    let world = || well(&["id", "type", "speciality_id", "touched"]);
    let booking = "[booking]\nbook = \"builtin\"\ncancel = \"builtin\"";
    let found = problems_of(world(), &ledger, directory.path(), booking).await;
    assert_eq!(found, "error: sources.mis.url: booking cannot write there: the database only lets us read");
}
