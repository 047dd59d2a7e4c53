//! Personnel: two documents, each a PDF with its detached signature in a file beside it.

use std::path::Path;

use chrono::NaiveDate;
use sqlx::{Row, SqliteConnection};
use xxhash_rust::xxh3::xxh3_128;

use super::Office;
use crate::demo::fer::Records;
use crate::demo::hospital::people;
use crate::demo::hospital::wire::Wire;

/// Subtype, number, the name of the files, whether the signature is a qualified one.
const DOCUMENTS: [(&str, &str, &str, bool); 2] =
    [("Приказ о приеме", "12/к", "order-12", true), ("Трудовой договор", "31", "contract-31", false)];

/// The documents' rows; their files are written by [`super::write_papers`].
pub(super) async fn fill(office: &mut Office<'_>) -> Result<(), sqlx::Error> {
    for (subtype, number, file, qualified) in DOCUMENTS {
        let person = people::person(office.rng);
        let name = [person.last_name.as_str(), person.first_name, person.middle_name.as_deref().unwrap_or_default()];
        let query = "INSERT INTO documents (employee, subtype, number, signed_on, file, signature, qualified) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(query)
            .bind(name.join(" ").trim_end())
            .bind(subtype)
            .bind(number)
            .bind(office.days_ago(3))
            .bind(format!("{file}.pdf"))
            .bind(format!("{file}.sig"))
            .bind(qualified)
            .execute(&mut *office.conn)
            .await?;
    }
    Ok(())
}

/// The documents' files, without their endings, and what they are about.
pub(super) fn files() -> impl Iterator<Item = (&'static str, String)> {
    DOCUMENTS.into_iter().map(|(subtype, number, file, _)| (file, format!("{subtype} {number}")))
}

/// The documents as the portal should hold them: name, group, and the hashes of what lies in the folder.
pub(super) async fn expected(conn: &mut SqliteConnection, papers: &Path) -> Result<Records, sqlx::Error> {
    let mut records = Records::new();
    for row in sqlx::query("SELECT * FROM documents").fetch_all(conn).await? {
        let text = |column: &str| row.try_get::<String, _>(column);
        let date: NaiveDate = row.try_get("signed_on")?;
        let (subtype, number) = (text("subtype")?, text("number")?.replace('/', "-"));
        let name = format!("{} {subtype} {number} от {}.pdf", text("employee")?, date.format("%d.%m.%Y"));
        let group = if subtype.starts_with("Приказ") {
            "Приказы по личному составу"
        } else {
            "Трудовые договоры"
        };
        let mut out = Wire::new(&row);
        out.put("file_name", Some(name.into()));
        out.put("group", Some(group.into()));
        out.word("signature_type", "qualified", &["УНЭП", "УКЭП"])?;
        out.put("document", digest_of(&papers.join(text("file")?)).map(Into::into));
        out.put("signature", digest_of(&papers.join(text("signature")?)).map(Into::into));
        out.returned("id", "ekdo_id")?;
        records.insert(format!("K-{}", row.try_get::<i64, _>("id")?), out.record());
    }
    Ok(records)
}

/// The digest of a file; none where it cannot be read, which shows as a difference.
fn digest_of(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| digest(&bytes))
}

/// By what a comparison knows bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
