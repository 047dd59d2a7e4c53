//! The education platform: courses that specialists take, and how far each of them got.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::Office;
use crate::demo::fer::Records;
use crate::demo::hospital::people;
use crate::demo::hospital::wire::Wire;

/// Courses of the first fill.
const COURSES: i64 = 12;
/// One course in this many finds nobody: such a one may be closed again.
const UNLOVED: i64 = 3;
/// Open courses that are always left.
const FEWEST: i64 = 8;
/// What courses are about: title, speciality, and whether it is one of nurses'.
const SUBJECTS: [(&str, &str, bool); 6] = [
    ("Артериальная гипертензия на амбулаторном приёме", "Терапия", false),
    ("Острый живот: первые десять минут", "Хирургия", false),
    ("Ведение беременности низкого риска", "Акушерство и гинекология", false),
    ("Вакцинация детей первого года жизни", "Педиатрия", false),
    ("Профилактика внутрибольничных инфекций", "Сестринское дело", true),
    ("Хранение и учёт лекарственных препаратов", "Сестринское дело", true),
];
/// Signs of a pin.
const PIN: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Where a specialist stands, as the hospital codes it.
mod progress {
    pub(super) const BEGAN: i64 = 0;
    pub(super) const LEARNS: i64 = 1;
    pub(super) const FAILED: i64 = 2;
    pub(super) const PASSED: i64 = 3;
}

/// The first courses with their first learners.
pub(super) async fn fill(office: &mut Office<'_>) -> Result<(), sqlx::Error> {
    for _ in 0..COURSES {
        open(office).await?;
    }
    for _ in 0..COURSES * 3 {
        join(office).await?;
    }
    for _ in 0..COURSES * 3 {
        learn(office).await?;
    }
    Ok(())
}

/// A new course.
pub(super) async fn open(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let id: i64 =
        sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM courses").fetch_one(&mut *office.conn).await?;
    let (title, speciality, nurses) = SUBJECTS[id.unsigned_abs() as usize % SUBJECTS.len()];
    let guideline = (id % 4 == 0).then(|| format!("Клинические рекомендации «{title}»"));
    let query = "INSERT INTO courses (id, code, title, description, annotation, hours, price, opened_on, speciality, \
                 for_nurses, guideline, guideline_year) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    sqlx::query(query)
        .bind(id)
        .bind(format!("VT-{id:03}"))
        .bind(format!("{title}, выпуск {id}"))
        .bind("Интерактивный модуль с разбором клинических случаев и итоговым тестом; сведения для рецензента")
        .bind("Разберите случай и проверьте себя")
        .bind(office.rng.random_range(1..=4_i64))
        .bind(office.rng.random_bool(0.25).then(|| f64::from(office.rng.random_range(2_000..8_000)) / 4.0))
        .bind(office.days_ago(30))
        .bind(speciality)
        .bind(nurses)
        .bind(guideline.as_deref())
        .bind(guideline.as_ref().map(|_| i64::from(office.year()) - 2))
        .execute(&mut *office.conn)
        .await?;
    Ok(1)
}

/// A course gets another length and another annotation.
pub(super) async fn correct(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let query = "UPDATE courses SET hours = hours % 6 + 1, annotation = $1 \
                 WHERE id = (SELECT id FROM courses WHERE NOT closed ORDER BY id * $2 % 97 LIMIT 1)";
    let annotation = format!("Разберите случай и проверьте себя: {} вопросов", office.rng.random_range(10..40));
    let done = sqlx::query(query).bind(annotation).bind(office.rng.random_range(1..97_i64));
    Ok(done.execute(&mut *office.conn).await?.rows_affected())
}

/// A course that found nobody is closed, unless few are left.
pub(super) async fn close(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let query = "UPDATE courses SET closed = 1 WHERE (SELECT count(*) FROM courses WHERE NOT closed) > $1 AND id = \
                 (SELECT id FROM courses WHERE NOT closed AND id % $2 = 0 ORDER BY id LIMIT 1)";
    Ok(sqlx::query(query).bind(FEWEST).bind(UNLOVED).execute(&mut *office.conn).await?.rows_affected())
}

/// A specialist begins a course.
pub(super) async fn join(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let query = "INSERT INTO learners (course_id, snils, pin, progress, changed_on) \
                 SELECT id, $1, $2, $3, $4 FROM courses WHERE NOT closed AND id % $5 <> 0 \
                 ORDER BY id * $6 % 97 LIMIT 1";
    let done = sqlx::query(query)
        .bind(people::snils(office.rng))
        .bind(pin(office.rng))
        .bind(progress::BEGAN)
        .bind(office.today.to_string())
        .bind(UNLOVED)
        .bind(office.rng.random_range(1..97_i64));
    Ok(done.execute(&mut *office.conn).await?.rows_affected())
}

fn pin(rng: &mut StdRng) -> String {
    (0..6).map(|_| char::from(PIN[rng.random_range(0..PIN.len())])).collect()
}

/// A specialist who is under way gets further: through the first half, then to the end, good or bad.
pub(super) async fn learn(office: &mut Office<'_>) -> Result<u64, sqlx::Error> {
    let query = "SELECT id, progress FROM learners WHERE progress IN ($1, $2) ORDER BY id * $3 % 97, id LIMIT 1";
    let under_way = sqlx::query_as::<_, (i64, i64)>(query)
        .bind(progress::BEGAN)
        .bind(progress::LEARNS)
        .bind(office.rng.random_range(1..97_i64));
    let Some((id, now)) = under_way.fetch_optional(&mut *office.conn).await? else { return Ok(0) };
    let (next, percent, mark) = match (now, office.rng.random_range(0..8)) {
        (progress::BEGAN, dice) => (progress::LEARNS, Some(20 + dice * 5), None),
        (_, 0) => (progress::FAILED, None, Some(2_i64)),
        (_, dice) => (progress::PASSED, None, Some(3 + dice % 3)),
    };
    let certificate = (next == progress::PASSED).then(|| format!("VT {}-{id:05}", office.year()));
    let query =
        "UPDATE learners SET progress = $1, changed_on = $2, percent = $3, mark = $4, certificate = $5 WHERE id = $6";
    let done = sqlx::query(query)
        .bind(next)
        .bind(office.today.to_string())
        .bind(percent)
        .bind(mark)
        .bind(certificate)
        .bind(id);
    Ok(done.execute(&mut *office.conn).await?.rows_affected())
}

/// The courses that are open, as the portal should hold them.
pub(super) async fn modules(conn: &mut SqliteConnection) -> Result<Records, sqlx::Error> {
    let query =
        "SELECT c.*, o.inn, o.title AS organization FROM courses c, organizations o WHERE o.id = 1 AND NOT c.closed";
    let mut records = Records::new();
    for row in sqlx::query(query).fetch_all(conn).await? {
        let mut out = Wire::new(&row);
        for (field, column) in [
            ("module_id", "code"),
            ("name", "title"),
            ("description", "description"),
            ("annotation", "annotation"),
            ("available_from", "opened_on"),
            ("kr_name", "guideline"),
        ] {
            out.text(field, column)?;
        }
        out.number("hours", "hours")?;
        out.number("kr_develop_year", "guideline_year")?;
        out.put("is_paid", Some(row.try_get::<Option<f64>, _>("price")?.is_some().into()));
        out.decimal("price", "price")?;
        let guideline: Option<String> = row.try_get("guideline")?;
        out.put("type", Some(if guideline.is_some() { "iomKR" } else { "iomT" }.into()));
        out.put("kind", Some("interSituationTask".into()));
        let (inn, organization): (String, String) = (row.try_get("inn")?, row.try_get("organization")?);
        out.put("organization", Some(json!({"inn": inn, "name": organization})));
        let level = if row.try_get::<bool, _>("for_nurses")? { "middle_spec" } else { "university" };
        let speciality: String = row.try_get("speciality")?;
        out.put("specialities", Some(json!([{"level": level, "name": speciality, "main": true}])));
        out.returned("url", "nmo_url")?;
        out.returned("state", "nmo_state")?;
        records.insert(row.try_get("code")?, out.record());
    }
    Ok(records)
}

/// Where every learner stands, as the portal should have been told.
pub(super) async fn results(conn: &mut SqliteConnection) -> Result<Records, sqlx::Error> {
    let query = "SELECT l.*, c.code FROM learners l, courses c WHERE c.id = l.course_id";
    let mut records = Records::new();
    for row in sqlx::query(query).fetch_all(conn).await? {
        let mut out = Wire::new(&row);
        out.text("module_id", "code")?;
        out.put("snils", Some(format!("{:011}", row.try_get::<i64, _>("snils")?).into()));
        out.text("pin", "pin")?;
        out.word("status", "progress", &["started", "in_progress", "failed", "completed"])?;
        out.text("status_date", "changed_on")?;
        out.number("result_mark", "mark")?;
        out.number("completion_percentage", "percent")?;
        out.text("certificate_number", "certificate")?;
        records.insert(format!("R-{}", row.try_get::<i64, _>("id")?), out.record());
    }
    Ok(records)
}
