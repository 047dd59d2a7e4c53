//! Public relations: polls, votings, and what is voted on.

use chrono::{Days, NaiveTime};
use rand::RngExt;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Office;
use crate::demo::fer::Records;
use crate::demo::hospital::people::STREETS;
use crate::demo::hospital::wire::Wire;

/// Votings of the first fill.
const VOTINGS: u32 = 4;
/// The region and the municipality of the demo.
const REGION: &str = "71";
const MUNICIPALITY: &str = "71887000";

/// Two polls and the first votings.
pub(super) async fn fill(office: &mut Office<'_>) -> Result<(), sqlx::Error> {
    let (begins, ends) = period(office, 40);
    for (title, description) in [
        ("Удовлетворённость качеством приёма в поликлинике", Some("Анонимный опрос посетителей регистратуры")),
        ("Удобство записи на приём через портал услуг", None),
    ] {
        sqlx::query("INSERT INTO surveys (title, description, people, begins, ends) VALUES ($1, $2, $3, $4, $5)")
            .bind(title)
            .bind(description)
            .bind(office.rng.random_range(100..2_000_i64))
            .bind(begins)
            .bind(ends)
            .execute(&mut *office.conn)
            .await?;
    }
    for _ in 0..VOTINGS {
        open(office).await?;
    }
    Ok(())
}

/// Seconds since 1970 of a beginning so many days ago and of an end a month behind today.
fn period(office: &Office<'_>, days_ago: u64) -> (i64, i64) {
    let midnight = |day: chrono::NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    let begins = office.today.checked_sub_days(Days::new(days_ago)).unwrap_or(office.today);
    (midnight(begins), midnight(office.today) + 30 * 24 * 3600)
}

/// A voting with three objects.
pub(super) async fn open(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let (begins, ends) = period(office, 10);
    let municipal = office.rng.random_bool(0.5);
    let next: i64 =
        sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM votings").fetch_one(&mut *office.conn).await?;
    sqlx::query("INSERT INTO votings (id, title, municipal, people, begins, ends) VALUES ($1, $2, $3, 0, $4, $5)")
        .bind(next)
        .bind(format!("Где открыть фельдшерский пункт, этап {next}"))
        .bind(municipal)
        .bind(begins)
        .bind(ends)
        .execute(&mut *office.conn)
        .await?;
    let from = office.rng.random_range(0..STREETS.len());
    for place in 0..3 {
        sqlx::query("INSERT INTO candidates (voting_id, title, votes) VALUES ($1, $2, 0)")
            .bind(next)
            .bind(STREETS[(from + place) % STREETS.len()])
            .execute(&mut *office.conn)
            .await?;
    }
    Ok(4)
}

/// Some people vote for one object of a voting that is not decided.
pub(super) async fn vote(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let query = "SELECT id, voting_id FROM candidates WHERE voting_id NOT IN \
                 (SELECT voting_id FROM candidates WHERE winner) ORDER BY id * $1 % 97, id LIMIT 1";
    let found = sqlx::query_as::<_, (i64, i64)>(query).bind(office.rng.random_range(1..97_i64));
    let Some((object, voting)) = found.fetch_optional(&mut *office.conn).await? else { return Ok(0) };
    let votes = office.rng.random_range(1..30_i64);
    for (query, id) in [
        ("UPDATE candidates SET votes = votes + $1 WHERE id = $2", object),
        ("UPDATE votings SET people = people + $1 WHERE id = $2", voting),
    ] {
        sqlx::query(query).bind(votes).bind(id).execute(&mut *office.conn).await?;
    }
    Ok(2)
}

/// The oldest voting in which somebody voted is decided: whoever leads has won. Two stay open.
pub(super) async fn decide(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let query = "UPDATE candidates SET winner = 1 WHERE id = (SELECT id FROM candidates WHERE voting_id = \
                 (SELECT min(v.id) FROM votings v WHERE v.people > 0 AND v.id <= (SELECT max(id) - 2 FROM votings) AND \
                 NOT EXISTS (SELECT 1 FROM candidates c WHERE c.voting_id = v.id AND c.winner)) \
                 ORDER BY votes DESC, id LIMIT 1)";
    Ok(sqlx::query(query).execute(&mut *office.conn).await?.rows_affected())
}

/// More people have taken part in a poll than was said.
pub(super) async fn correct(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("UPDATE surveys SET people = people + $1, note = $2 WHERE id = $3")
        .bind(office.rng.random_range(1..20_i64))
        .bind("Учтены анкеты на бумаге")
        .bind(office.rng.random_range(1..=2_i64));
    Ok(done.execute(&mut *office.conn).await?.rows_affected())
}

/// Polls as the portal should hold them.
pub(super) async fn polls(conn: &mut SqliteConnection) -> Result<Records, sqlx::Error> {
    records(conn, "SELECT *, 0 AS municipal FROM surveys", "P", |out| {
        out.text("description", "description")?;
        out.text("service_info", "note")?;
        out.number("start_date", "begins")?;
        out.number("end_date", "ends")
    })
    .await
}

/// Votings as the portal should hold them.
pub(super) async fn votings(conn: &mut SqliteConnection) -> Result<Records, sqlx::Error> {
    records(conn, "SELECT * FROM votings", "V", |out| {
        out.number("start_date", "begins")?;
        out.number("end_date", "ends")
    })
    .await
}

/// What is voted on, as the portal should hold it.
pub(super) async fn objects(conn: &mut SqliteConnection) -> Result<Records, sqlx::Error> {
    let query = "SELECT c.*, v.people, v.municipal FROM candidates c, votings v WHERE v.id = c.voting_id";
    records(conn, query, "O", |out| {
        let voting: i64 = out.row.try_get("voting_id")?;
        out.put("external_voting_id", Some(format!("V-{voting}").into()));
        out.number("votes_for", "votes")?;
        out.truth("is_winner", "winner")
    })
    .await
}

/// Records of one kind: what all three have, and what `more` adds.
async fn records(
    conn: &mut SqliteConnection,
    query: &'static str,
    letter: &str,
    more: fn(&mut Wire<'_>) -> Result<(), sqlx::Error>,
) -> Result<Records, sqlx::Error> {
    let mut records = Records::new();
    for row in sqlx::query(query).fetch_all(conn).await? {
        let (key, mut out) = (key(&row, letter)?, Wire::new(&row));
        out.put("external_id", Some(Value::from(key.as_str())));
        out.text("title", "title")?;
        out.number("participants_count", "people")?;
        let municipal: bool = row.try_get("municipal")?;
        out.put("level", Some(if municipal { "Муниципальный" } else { "Региональный" }.into()));
        out.put("reg_oktmo", Some(REGION.into()));
        out.put("mun_oktmo", municipal.then(|| MUNICIPALITY.into()));
        more(&mut out)?;
        out.returned("id", "pos_id")?;
        records.insert(key, out.record());
    }
    Ok(records)
}

fn key(row: &SqliteRow, letter: &str) -> Result<String, sqlx::Error> {
    Ok(format!("{letter}-{}", row.try_get::<i64, _>("id")?))
}
