//! Labour protection: workers of several employers are tested in programmes of occupational safety, by protocols.

use rand::RngExt;
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use super::Office;
use crate::demo::fer::Records;
use crate::demo::hospital::people::{self, POSTS, pick};
use crate::demo::hospital::wire::Wire;
use crate::demo::sout::PROGRAMS;

/// Protocols of the first fill: some three hundred tests.
const PROTOCOLS: u32 = 40;
/// Workers of one protocol.
const WORKERS: std::ops::RangeInclusive<u32> = 4..=11;
/// The hospital itself comes first, then who else trains, then other employers.
const ORGANIZATIONS: [&str; 5] = [
    "БУ «Демонстрационная городская больница»",
    "ЧОУ ДПО «Учебный центр „Берёзка“»",
    "ООО «Клининг & Порядок»",
    "АУ «Демонстрационная стоматологическая поликлиника»",
    "ИП-Сервис «Лифт»",
];
/// How many of them train.
const TRAINERS: i64 = 2;
/// One worker in this many is insured abroad.
const FOREIGN: u32 = 20;

/// Organisations and their first protocols.
pub(super) async fn fill(office: &mut Office<'_>) -> Result<(), sqlx::Error> {
    for title in ORGANIZATIONS {
        sqlx::query("INSERT INTO organizations (inn, title) VALUES ($1, $2)")
            .bind(people::inn(office.rng))
            .bind(title)
            .execute(&mut *office.conn)
            .await?;
    }
    for _ in 0..PROTOCOLS {
        let (workers, days) = (office.rng.random_range(WORKERS), office.rng.random_range(1..60));
        protocol(office, workers, days).await?;
    }
    Ok(())
}

/// A protocol of so many workers, of so many days ago.
pub(super) async fn protocol(office: &mut Office<'_>, workers: u32, days_ago: u64) -> Result<u64, sqlx::Error> {
    let next: i64 =
        sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM protocols").fetch_one(&mut *office.conn).await?;
    sqlx::query("INSERT INTO protocols VALUES ($1, $2, $3, $4, $5)")
        .bind(next)
        .bind(format!("{}/{next:03}-ОТ", office.year()))
        .bind(office.days_ago(days_ago))
        .bind(pick(office.rng, &PROGRAMS).0)
        .bind(office.rng.random_range(1..=TRAINERS))
        .execute(&mut *office.conn)
        .await?;
    for _ in 0..workers {
        worker(office, next).await?;
    }
    Ok(u64::from(workers))
}

async fn worker(office: &mut Office<'_>, protocol: i64) -> Result<(), sqlx::Error> {
    let person = people::person(office.rng);
    let foreign = office.rng.random_range(0..FOREIGN) == 0;
    let query = "INSERT INTO tests (protocol_id, employer_id, last_name, first_name, middle_name, snils, foreign_no, \
                 citizenship, post, passed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    sqlx::query(query)
        .bind(protocol)
        .bind(office.rng.random_range(1..=ORGANIZATIONS.len() as i64))
        .bind(person.last_name)
        .bind(person.first_name)
        .bind(person.middle_name)
        .bind((!foreign).then(|| people::snils(office.rng)))
        .bind(foreign.then(|| format!("KZ-{:08}", office.rng.random_range(0..100_000_000))))
        .bind(foreign.then_some("Казахстан"))
        .bind(POSTS[office.rng.random_range(0..POSTS.len())].title)
        .bind(office.rng.random_bool(0.95))
        .execute(&mut *office.conn)
        .await?;
    Ok(())
}

/// All tests as the register should hold them, with its own numbers.
pub(super) async fn expected(conn: &mut SqliteConnection) -> Result<Records, sqlx::Error> {
    let query = "SELECT t.*, p.number, p.tested_on, p.program, e.inn AS e_inn, e.title AS e_title, \
                 (SELECT inn FROM organizations WHERE id = p.trainer_id) AS o_inn, \
                 (SELECT title FROM organizations WHERE id = p.trainer_id) AS o_title \
                 FROM tests t, protocols p, organizations e WHERE p.id = t.protocol_id AND e.id = t.employer_id";
    let mut records = Records::new();
    for row in sqlx::query(query).fetch_all(conn).await? {
        let mut out = Wire::new(&row);
        for field in ["last_name", "first_name", "citizenship"] {
            out.text(field, field)?;
        }
        let middle_name: Option<String> = row.try_get("middle_name")?;
        out.put("middle_name", Some(middle_name.unwrap_or_default().into()));
        let snils: Option<i64> = row.try_get("snils")?;
        out.put("snils", snils.map(|snils| printed(snils).into()));
        out.text("foreign_snils", "foreign_no")?;
        out.put("is_foreign_snils", Some(snils.is_none().into()));
        for (field, column) in [
            ("position", "post"),
            ("employer_inn", "e_inn"),
            ("employer_title", "e_title"),
            ("organization_inn", "o_inn"),
            ("organization_title", "o_title"),
            ("test_date", "tested_on"),
            ("protocol_number", "number"),
        ] {
            out.text(field, column)?;
        }
        out.number("learn_program_id", "program")?;
        let program: i64 = row.try_get("program")?;
        let title = PROGRAMS.iter().find(|(id, _)| *id == program).map(|(_, title)| Value::from(*title));
        out.put("learn_program_title", title);
        out.truth("is_passed", "passed")?;
        out.put("sent", Some(true.into()));
        out.returned("base_no", "register_no")?;
        out.returned("set_id", "set_no")?;
        records.insert(format!("T-{}", row.try_get::<i64, _>("id")?), out.record());
    }
    Ok(records)
}

/// `XXX-XXX-XXX XX`
fn printed(snils: i64) -> String {
    let digits = format!("{snils:011}");
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    format!("{}-{}-{} {}", part(0..3), part(3..6), part(6..9), part(9..11))
}
