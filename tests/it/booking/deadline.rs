//! The gateway waits ten seconds, and not one longer: whatever the database does, an answer comes in time, and what it says is true.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::Value;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use vitrina::source::Engine;

use super::site::{LIMIT, all, code, mariadb, postgres, request};
use super::wire::{Mode, Wire};
use crate::support::mart::send;

/// Whatever comes between the limit and the answer.
const SLACK: std::time::Duration = std::time::Duration::from_millis(900);

/// Somebody who holds a slot's row, as long as this is kept.
enum Holder {
    Postgres(PgConnection),
    MariaDb(MySqlConnection),
    Sqlite(SqliteConnection),
}

async fn hold(engine: Engine, url: &str, slot: &str) -> Holder {
    let lock = format!("SELECT id FROM slot WHERE id = '{slot}' FOR UPDATE");
    match engine {
        Engine::Postgres => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {lock}")))).await.unwrap();
            Holder::Postgres(connection)
        }
        Engine::MySql => {
            let mut connection = MySqlConnection::connect(url).await.unwrap();
            connection.execute(sqlx::raw_sql("START TRANSACTION")).await.unwrap();
            connection.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.unwrap();
            Holder::MariaDb(connection)
        }
        Engine::Sqlite => {
            let mut connection = SqliteConnection::connect(url).await.unwrap();
            connection.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.unwrap();
            Holder::Sqlite(connection)
        }
    }
}

impl Holder {
    async fn let_go(self) {
        match self {
            Holder::Postgres(connection) => connection.close().await.unwrap(),
            Holder::MariaDb(connection) => connection.close().await.unwrap(),
            Holder::Sqlite(connection) => connection.close().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_slot_that_somebody_holds_is_answered_18_in_time_and_nothing_is_left_of_it() {
    for hospital in all().await {
        let site = hospital.open().await;
        let (slot, patient) = (&hospital.slots[0], &hospital.patients[0]);
        let holder = hold(hospital.settings.engine().unwrap(), &hospital.settings.url, slot).await;
        let start = Instant::now();
        assert_eq!(code(&site.book(slot, patient).await), 18, "{}", hospital.name);
        assert!(start.elapsed() < LIMIT + SLACK, "{}: {:?}", hospital.name, start.elapsed());
        holder.let_go().await;
        assert_eq!(hospital.standing(slot).await, "0", "{}", hospital.name);
        assert!(site.status().uncertain.is_empty(), "{}: it was rolled back, certainly", hospital.name);
        assert_eq!(code(&site.book(slot, &hospital.patients[1]).await), 0, "{}", hospital.name);
    }
}

#[tokio::test]
async fn what_is_begun_is_answered_when_the_listener_is_asked_to_stop() {
    let hospital = postgres().await;
    let site = hospital.open().await;
    let slot = hospital.slots[0].clone();
    let holder = hold(Engine::Postgres, &hospital.settings.url, &slot).await;
    let (url, body) = (format!("{}/booking/book", site.url), request(&slot, &hospital.patients[0], Value::Null));
    let asked = site.client.post(&url).json(&body);
    let asked = tokio::spawn(async move { send(asked).await });
    let db = hospital.db.as_ref().unwrap();
    let waiting =
        "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while db.number(waiting).await == "0" {
        tokio::task::yield_now().await;
    }
    let client = site.client.clone();
    let (_, answer) = tokio::join!(site.stop(), asked);
    assert_eq!(code(&answer.unwrap().1), 18, "held to the end of its time");
    assert!(client.post(&url).json(&body).send().await.is_err(), "nobody listens any more");
    holder.let_go().await;
}

#[tokio::test]
async fn while_the_database_is_away_or_silent_everybody_is_answered_18_in_time_and_after_it_all_works() {
    for mut hospital in [postgres().await, mariadb().await] {
        let wire = Wire::before(&mut hospital.settings).await;
        let site = hospital.open().await;
        assert_eq!(code(&site.book(&hospital.slots[0], &hospital.patients[0]).await), 0, "{}", hospital.name);
        for mode in [Mode::Silent, Mode::Away] {
            wire.set(mode);
            let asked = (1..30).map(|number| async move { number });
            let asked = join_all(asked).await.into_iter().map(|number| {
                let (site, hospital) = (&site, &hospital);
                async move {
                    let start = Instant::now();
                    let code = code(&site.book(&hospital.slots[number], &hospital.patients[number]).await);
                    (code, start.elapsed())
                }
            });
            for (code, took) in join_all(asked).await {
                assert_eq!(code, 18, "{} {mode:?}", hospital.name);
                assert!(took < LIMIT + SLACK, "{} {mode:?}: {took:?}", hospital.name);
            }
            wire.set(Mode::Open);
        }
        for slot in &hospital.slots[1..30] {
            assert_eq!(hospital.standing(slot).await, "0", "{}", hospital.name);
        }
        assert_eq!(code(&site.book(&hospital.slots[1], &hospital.patients[1]).await), 0, "{}", hospital.name);
        assert!(site.status().uncertain.is_empty(), "{}", hospital.name);
    }
}
