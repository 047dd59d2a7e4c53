//! A document as its record's body has it: what is sent of it, and the name of its file.

use chrono::NaiveDate;
use serde::Deserialize;

use super::settings::EkdoSettings;
use crate::record::{Rule, Violation};

/// A record's body as its row made it.
#[derive(Deserialize)]
pub(super) struct Row {
    pub id: String,
    pub employee_name: String,
    pub subtype: String,
    pub number: String,
    pub date: NaiveDate,
    pub file_path: String,
    pub signature_path: String,
    pub signature_type: String,
}

/// A record's body after the look at its files.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(flatten)]
    pub row: Row,
    pub file_hash: String,
    pub signature_hash: String,
}

impl Row {
    /// «ФИО работника + Подтип + № документа + от + Дата документа». What no file name may hold becomes a hyphen.
    pub fn file_name(&self) -> String {
        let date = self.date.format("%d.%m.%Y");
        let name = format!("{} {} {} от {date}.pdf", self.employee_name, self.subtype, self.number);
        let fits =
            |sign: char| !sign.is_control() && !matches!(sign, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
        let name: String = name.chars().map(|sign| if fits(sign) { sign } else { '-' }).collect();
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The document group of the portal; none where the configuration lists no groups.
    pub fn group<'a>(&self, settings: &'a EkdoSettings) -> Option<&'a str> {
        settings.groups.get(self.subtype.trim()).or(settings.default_group.as_ref()).map(String::as_str)
    }

    /// A subtype without a group, where groups are listed.
    pub fn without_group(&self, settings: &EkdoSettings) -> Option<Violation> {
        let missing = !settings.groups.is_empty() && self.group(settings).is_none();
        missing.then(|| Violation {
            field: "subtype".into(),
            rule: Rule::Enum,
            text: "is none of the subtypes to which the portal's `groups` give a document group; add it there, or set default_group"
                .into(),
        })
    }
}

/// Adds the hashes of both files to a body.
pub(super) fn add_hashes(body: &mut Vec<u8>, [file, signature]: &[String; 2]) {
    if body.last() == Some(&b'}') {
        body.pop();
        body.extend_from_slice(format!(r#","file_hash":"{file}","signature_hash":"{signature}"}}"#).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, subtype: &str, number: &str) -> Row {
        Row {
            id: "1".into(),
            employee_name: name.into(),
            subtype: subtype.into(),
            number: number.into(),
            date: NaiveDate::from_ymd_opt(2026, 3, 2).unwrap(),
            file_path: String::new(),
            signature_path: String::new(),
            signature_type: "УКЭП".into(),
        }
    }

    #[test]
    fn the_files_name_is_made_as_the_document_says() {
        let name = row("Иванов Иван Иванович", "Приказ о приеме", "17-к").file_name();
        assert_eq!(name, "Иванов Иван Иванович Приказ о приеме 17-к от 02.03.2026.pdf");
    }

    #[test]
    fn no_sign_of_a_row_breaks_out_of_the_name() {
        let name = row("Иванов\r\n \"Иван\"", "../Приказ", "17/к:<2>").file_name();
        assert_eq!(name, "Иванов-- -Иван- ..-Приказ 17-к--2- от 02.03.2026.pdf");
    }

    #[test]
    fn hashes_join_the_body() {
        let mut body = br#"{"id":"1"}"#.to_vec();
        add_hashes(&mut body, &["aa".into(), "bb".into()]);
        assert_eq!(body, br#"{"id":"1","file_hash":"aa","signature_hash":"bb"}"#);
    }
}
