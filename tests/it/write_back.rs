//! Write-back from end to end: what the portal accepted returns to the database by the site's statement, through the built program.

use std::net::SocketAddr;
use std::path::Path;

use vitrina::demo::fer::{FerGateway, GatewaySettings, Running};
use vitrina::source::{Run, Script, Writer, Written};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::database::{self, TestDb};
use crate::support::hospital::Hospital;

/// A configuration between a database and a gateway, with a statement for the feed `mo`.
fn configure(folder: &Path, gateway: &Running, source: &str, statement: &str) -> std::path::PathBuf {
    let account = GatewaySettings::default();
    let text = format!(
        "[sources.mis]\n{source}\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\n\
         [portals.fer.feeds.mo]\nwrite_back = {statement}\n",
        folder.join("ledger.db").display(),
        gateway.url(),
        account.username,
        account.password,
    );
    write_private(folder, "vitrina.toml", &text)
}

async fn sync(config: &Path) -> Ran {
    let config = config.to_str().unwrap().to_owned();
    tokio::task::spawn_blocking(move || run(vitrina(&["sync", "--config", &config, "fer.mo"]))).await.unwrap()
}

async fn gateway() -> Running {
    FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), GatewaySettings::default()).await.unwrap()
}

async fn count(db: &TestDb, condition: &str) -> u32 {
    let select = format!("SELECT count(*) AS n FROM returned WHERE {condition}");
    let script = Script::parse(db.engine, &[select], &[]).unwrap();
    let limit = std::time::Duration::from_secs(20);
    let run = Run { key: "test", script: &script, values: &[], limit };
    match Writer::open(db.settings()).unwrap().run(run).await {
        Written::Done(Some(row)) => row.get("n").unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_portal_accepted_is_written_by_the_account_that_may_write() {
    let db = database::postgres().await;
    let hospital = Hospital::new(10, true);
    hospital.fill(&db).await;
    let role = format!("only_reads_{}", db.url.rsplit('_').next().unwrap());
    db.execute(&[
        "CREATE TABLE returned (id uuid PRIMARY KEY, state text, times integer NOT NULL)",
        &format!("CREATE ROLE {role} LOGIN"),
        &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"),
    ])
    .await;
    let reader = db.url.replace("postgres@", &format!("{role}@"));
    let source = format!("url = \"{reader}\"\nwrite_url = \"{}\"", db.url);
    let statement = "\"INSERT INTO returned VALUES (:key, :status, 1) \
                     ON CONFLICT (id) DO UPDATE SET state = excluded.state, times = returned.times + 1\"";
    let (folder, gateway) = (tempfile::tempdir().unwrap(), gateway().await);
    let config = configure(folder.path(), &gateway, &source, statement);

    let first = sync(&config).await;
    let accepted = u32::try_from(hospital.sound["mo"].len()).unwrap();
    assert!(accepted > 0);
    assert_eq!(count(&db, "state = 'confirmed' AND times = 1").await, accepted, "{}{}", first.out, first.err);

    sync(&config).await;
    assert_eq!(count(&db, "times = 1").await, accepted, "what is written is not written again");
    assert_eq!(count(&db, "true").await, accepted);
}

#[tokio::test]
async fn a_statement_that_fails_is_named_and_its_records_stay_due() {
    let db = database::sqlite().await;
    let hospital = Hospital::new(10, true);
    hospital.fill(&db).await;
    let source = format!("url = \"{}\"", db.url);
    let statement = "[\"INSERT INTO returned (id) VALUES (:key)\"]";
    let (folder, gateway) = (tempfile::tempdir().unwrap(), gateway().await);
    let config = configure(folder.path(), &gateway, &source, statement);

    let failed = sync(&config).await;
    let told = "portals.fer.feeds.mo.write_back: source mis: failed with SQLite error 1";
    assert!(failed.err.contains(told), "{}{}", failed.out, failed.err);

    let path = config.to_str().unwrap().to_owned();
    let status = tokio::task::spawn_blocking(move || run(vitrina(&["status", "--config", &path]))).await.unwrap();
    assert!(status.out.contains("to be written back"), "{}", status.out);
}
