//! The read-back: the filter of the document, and its answer in each of the shapes that were seen.

use chrono::{NaiveDate, NaiveDateTime};
use quick_xml::escape::escape;
use serde::Deserialize;

use super::register::{Entry, Question};
use super::settings::Envelope;

/// The page when no size is asked for, and the largest that may be.
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 5000;

/// `EducatedPersonFilter`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Filter {
    pub(super) api_key: String,
    no: Option<String>,
    page_no: Option<usize>,
    page_size: Option<usize>,
    last_name: Option<String>,
    outer_id: Option<String>,
    snils: Option<String>,
    set_id: Option<String>,
    date_created_from: Option<String>,
    date_created_before: Option<String>,
    learn_program_id: Option<i64>,
    first_name: Option<String>,
    middle_name: Option<String>,
    position: Option<String>,
    test_date_from: Option<String>,
    test_date_before: Option<String>,
    protocol_number: Option<String>,
}

impl Filter {
    /// What is asked for: the question, the page, its size.
    pub(super) fn question(self) -> Result<(Question, usize, usize), String> {
        let size = self.page_size.unwrap_or(DEFAULT_PAGE);
        if !(1..=LARGEST_PAGE).contains(&size) {
            return Err("Значение PageSize не должно превышать 5000".to_owned());
        }
        let page = self.page_no.unwrap_or(1);
        if page == 0 {
            return Err("Значение PageNo начинается с 1".to_owned());
        }
        let question = Question {
            outer_id: self.outer_id,
            set: self.set_id,
            base_no: self.no,
            last_name: self.last_name,
            first_name: self.first_name,
            middle_name: self.middle_name,
            position: self.position,
            protocol: self.protocol_number,
            tested_from: self.test_date_from.map(day).transpose()?,
            tested_before: self.test_date_before.map(day).transpose()?,
            snils: self.snils,
            from: self.date_created_from.map(day).transpose()?,
            before: self.date_created_before.map(day).transpose()?,
            program: self.learn_program_id,
        };
        Ok((question, page, size))
    }
}

fn day(text: String) -> Result<NaiveDate, String> {
    let with_time = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S").map(|time| time.date());
    text.parse().or_else(|_| with_time()).map_err(|_| "Неверный формат даты в фильтре".to_owned())
}

/// The answer.
pub(super) fn page(envelope: Envelope, entries: &[Entry<'_>]) -> String {
    let records: String = entries.iter().map(|entry| record(envelope, entry)).collect();
    match envelope {
        Envelope::Printed => format!("<EducatedPersons>{records}</EducatedPersons>"),
        Envelope::Serialized => format!("<ArrayOfRegistryRecord>{records}</ArrayOfRegistryRecord>"),
        Envelope::Wrapped => format!("<Response>{records}</Response>"),
    }
}

fn record(envelope: Envelope, entry: &Entry<'_>) -> String {
    let (record, worker, test) = (entry.record, &entry.record.worker, &entry.record.test);
    let text = |value: &str| escape(value).into_owned();
    let optional = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let (set, base_no, outer_id) = (entry.set, entry.base_no.clone().unwrap_or_default(), optional(&record.outer_id));
    let inside = format!(
        "<Worker><LastName>{}</LastName><FirstName>{}</FirstName><MiddleName>{}</MiddleName><Snils>{}</Snils>\
         <ForeignSnils>{}</ForeignSnils><IsForeignSnils>{}</IsForeignSnils><Citizenship>{}</Citizenship>\
         <Position>{}</Position><EmployerInn>{}</EmployerInn><EmployerTitle>{}</EmployerTitle></Worker>\
         <EmployerOrganization><Inn>{}</Inn><Title>{}</Title></EmployerOrganization>\
         <Test isPassed=\"{}\" learnProgramId=\"{}\"><Date>{}</Date><ProtocolNumber>{}</ProtocolNumber>\
         <LearnProgramTitle>{}</LearnProgramTitle></Test>",
        text(&worker.last_name),
        text(&worker.first_name),
        text(&worker.middle_name),
        optional(&worker.snils),
        optional(&worker.foreign_snils),
        worker.is_foreign_snils.unwrap_or(false),
        optional(&worker.citizenship),
        text(&worker.position),
        worker.employer_inn,
        text(&worker.employer_title),
        record.organization.inn,
        text(&record.organization.title),
        test.passed,
        test.program,
        test.date,
        text(&test.protocol),
        text(&test.title),
    );
    match envelope {
        Envelope::Printed => format!(
            "<RegistryRecord setId=\"{set}\" internalExamination=\"false\" baseNo=\"{base_no}\" baseDateCreated=\"{}\" \
             outerId=\"{outer_id}\">{inside}</RegistryRecord>",
            entry.day
        ),
        Envelope::Serialized | Envelope::Wrapped => format!(
            "<RegistryRecord><SetId>{set}</SetId><BaseNo>{base_no}</BaseNo><BaseDateCreated>{}T00:00:00</BaseDateCreated>\
             <OuterId>{outer_id}</OuterId>{inside}</RegistryRecord>",
            entry.day
        ),
    }
}
