//! What comes with a push: `Request.xml`, the archive, and the set in it, checked by the published schema a second time, by other code than
//! the one that wrote it.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::programs;

/// Most bytes of a file in the archive.
const FILE_LIMIT: u64 = 256 << 20;

/// `Request.xml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    #[serde(rename = "ApiKey")]
    pub(super) api_key: String,
    #[serde(rename = "NeedSend", default)]
    pub(super) need_send: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrySet {
    #[serde(rename = "RegistryRecord", default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    #[serde(rename = "@outerId")]
    pub(super) outer_id: Option<String>,
    #[serde(rename = "Worker")]
    pub(super) worker: Worker,
    #[serde(rename = "Organization")]
    pub(super) organization: Organization,
    #[serde(rename = "Test")]
    pub(super) test: Test,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Worker {
    pub(super) last_name: String,
    pub(super) first_name: String,
    pub(super) middle_name: String,
    pub(super) snils: Option<String>,
    pub(super) is_foreign_snils: Option<bool>,
    pub(super) foreign_snils: Option<String>,
    pub(super) citizenship: Option<String>,
    pub(super) position: String,
    pub(super) employer_inn: String,
    pub(super) employer_title: String,
    #[serde(rename = "OrganizationUnitId")]
    _unit: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Organization {
    pub(super) inn: String,
    pub(super) title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    #[serde(rename = "@isPassed")]
    pub(super) passed: bool,
    #[serde(rename = "@learnProgramId")]
    pub(super) program: i64,
    #[serde(rename = "Date")]
    pub(super) date: NaiveDate,
    #[serde(rename = "ProtocolNumber")]
    pub(super) protocol: String,
    #[serde(rename = "LearnProgramTitle")]
    pub(super) title: String,
}

/// A set and whether it is signed.
pub(super) struct Parcel {
    pub(super) records: Vec<Record>,
    pub(super) signed: bool,
}

/// Reads XML of this root into its form; unknown elements and attributes are refused.
pub(super) fn read<T: DeserializeOwned>(root: &str, bytes: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "Файл не в кодировке UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start)) if start.name().as_ref() == root => break,
            Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Text(_)) => {}
            Ok(_) | Err(_) => return Err(format!("Файл не содержит тега {root}")),
        }
    }
    quick_xml::de::from_str(text).map_err(|error| format!("Файл не соответствует схеме: {error}"))
}

/// Opens the archive and checks the set.
pub(super) fn open(olot: &[u8]) -> Result<Parcel, String> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(olot)).map_err(|_| "Файл olot не является архивом".to_owned())?;
    let names: HashSet<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    if names.iter().any(|name| name != "Data.xml" && name != "Data.xml.sig") {
        return Err("В архиве olot есть лишние файлы".to_owned());
    }
    let data = file(&mut archive, "Data.xml").ok_or("В архиве olot нет файла Data.xml")?;
    let signature = file(&mut archive, "Data.xml.sig");
    if signature.as_deref().is_some_and(|signature| !is_signature(signature)) {
        return Err("Подпись набора не распознана".to_owned());
    }
    let set: RegistrySet = read("RegistrySet", &data)?;
    if !(1..=5000).contains(&set.records.len()) {
        return Err("Набор должен содержать от 1 до 5000 записей".to_owned());
    }
    for (at, record) in set.records.iter().enumerate() {
        if let Some(fault) = record.fault() {
            let id = record.outer_id.as_deref().unwrap_or("нет");
            return Err(format!("Запись {} (outerId={id}): {fault}", at + 1));
        }
    }
    Ok(Parcel { records: set.records, signed: signature.is_some() })
}

fn file(archive: &mut zip::ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    archive.by_name(name).ok()?.take(FILE_LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A text of base64, or DER: either begins a structure.
fn is_signature(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).ok();
    let decoded = text.and_then(|text| STANDARD.decode(text.trim()).ok());
    decoded.as_deref().unwrap_or(bytes).first() == Some(&0x30)
}

impl Record {
    /// Its fields, for who compares.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let (worker, organization, test) = (&self.worker, &self.organization, &self.test);
        let fields = [
            ("last_name", Value::from(worker.last_name.as_str())),
            ("first_name", worker.first_name.as_str().into()),
            ("middle_name", worker.middle_name.as_str().into()),
            ("snils", worker.snils.clone().into()),
            ("is_foreign_snils", worker.is_foreign_snils.unwrap_or(false).into()),
            ("foreign_snils", worker.foreign_snils.clone().into()),
            ("citizenship", worker.citizenship.clone().into()),
            ("position", worker.position.as_str().into()),
            ("employer_inn", worker.employer_inn.as_str().into()),
            ("employer_title", worker.employer_title.as_str().into()),
            ("organization_inn", organization.inn.as_str().into()),
            ("organization_title", organization.title.as_str().into()),
            ("test_date", test.date.to_string().into()),
            ("protocol_number", test.protocol.as_str().into()),
            ("learn_program_id", test.program.into()),
            ("learn_program_title", test.title.as_str().into()),
            ("is_passed", test.passed.into()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The first rule that the record breaks.
    fn fault(&self) -> Option<&'static str> {
        let worker = &self.worker;
        let foreign = worker.is_foreign_snils == Some(true);
        let mandatory = [
            &worker.last_name,
            &worker.first_name,
            &worker.position,
            &worker.employer_title,
            &self.organization.title,
            &self.test.protocol,
        ];
        let id = self.outer_id.as_deref().unwrap_or("x");
        let checks = [
            (mandatory.iter().all(|text| !text.trim().is_empty()), "не заполнено обязательное поле"),
            (
                !id.is_empty() && id.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-'),
                "недопустимые символы в outerId",
            ),
            (worker.middle_name.len() < 1000, "слишком длинное отчество"),
            (worker.snils.as_deref().is_none_or(is_snils), "неверный СНИЛС"),
            (!foreign || worker.snils.is_none(), "СНИЛС не указывается для иностранного работника"),
            (worker.foreign_snils.as_deref() != Some(""), "пустой ForeignSnils"),
            (worker.citizenship.as_deref() != Some(""), "пустое гражданство"),
            (is_inn(&worker.employer_inn), "неверный ИНН работодателя"),
            (is_inn(&self.organization.inn), "неверный ИНН организации"),
            (programs::title(self.test.program).is_some(), "неизвестная программа обучения"),
            (
                programs::title(self.test.program).is_none_or(|title| title == self.test.title),
                "наименование программы не совпадает со справочником",
            ),
        ];
        checks.into_iter().find(|(sound, _)| !sound).map(|(_, fault)| fault)
    }
}

/// `XXX-XXX-XXX XX` with its check number.
fn is_snils(text: &str) -> bool {
    let shape: String = text.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect();
    let digits: Vec<u32> = text.chars().filter_map(|sign| sign.to_digit(10)).collect();
    let [numbers @ .., tens, ones] = digits.as_slice() else { return false };
    let sum: u32 = numbers.iter().zip((1..=9).rev()).map(|(digit, weight)| digit * weight).sum();
    shape == "000-000-000 00" && sum % 101 % 100 == tens * 10 + ones
}

/// Ten digits or twelve with their check digits.
fn is_inn(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|sign| sign.to_digit(10)).collect();
    let check = |weights: &[u32]| {
        let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
        digits.get(weights.len()) == Some(&(sum % 11 % 10))
    };
    match (text.len(), digits.len()) {
        (10, 10) => check(&[2, 4, 10, 3, 5, 9, 4, 6, 8]),
        (12, 12) => check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) && check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]),
        _ => false,
    }
}
