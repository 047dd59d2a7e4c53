//! Answers to the gateway: the codes of the document's two tables with their texts, and the one row of the site's statements as JSON.

use std::fmt;

use chrono::{DateTime, Datelike};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::Verb;
use super::fault::Fault;
use super::request::{Fields, guid};
use crate::record::{Key, Written, Zone, parse_time};
use crate::source::Row;

/// What the gateway is told, as both tables number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// 0: booked, or cancelled.
    Done,
    /// 1: cancelled before. Of cancellations only.
    AlreadyCancelled,
    /// 11: the slot is taken or blocked.
    Taken,
    /// 12: the patient has another visit at that time.
    SameTime,
    /// 13: the patient has a visit to that doctor or speciality that day.
    SameDay,
    /// 14: the slot is for another age.
    WrongAge,
    /// 15: the slot is annulled.
    Annulled,
    /// 17: nobody knows the patient.
    UnknownPatient,
    /// 18: everything else.
    Failed,
}

/// The codes of bookings.
const OF_BOOK: [Code; 8] = [
    Code::Done,
    Code::Taken,
    Code::SameTime,
    Code::SameDay,
    Code::WrongAge,
    Code::Annulled,
    Code::UnknownPatient,
    Code::Failed,
];
/// The codes of cancellations.
const OF_CANCEL: [Code; 3] = [Code::Done, Code::AlreadyCancelled, Code::Failed];

/// What is said when a request lacks what it must have.
pub(super) const MISMATCH: &str = "Несоответствие в переданных данных для записи";

/// Most characters of a text that the site's statement gives.
const LONGEST_TEXT: usize = 500;
/// Longest visit, in minutes.
const LONGEST_VISIT: f64 = 24.0 * 60.0;

impl Code {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Code::Done => 0,
            Code::AlreadyCancelled => 1,
            Code::Taken => 11,
            Code::SameTime => 12,
            Code::SameDay => 13,
            Code::WrongAge => 14,
            Code::Annulled => 15,
            Code::UnknownPatient => 17,
            Code::Failed => 18,
        }
    }

    /// The codes that a verb may answer.
    pub fn of(verb: Verb) -> &'static [Code] {
        match verb {
            Verb::Book => &OF_BOOK,
            Verb::Cancel => &OF_CANCEL,
        }
    }

    /// The document's text for it, sent where the site's statement gives none.
    pub fn text(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Code::Done, Verb::Book) => "Вы записаны на приём",
            (Code::Done, Verb::Cancel) => "Вы отменили своё заявление",
            (Code::AlreadyCancelled, _) => "Запись с таким ИД уже отменена",
            (Code::Taken, _) => "Слот занят или заблокирован",
            (Code::SameTime, _) => "Есть бирка на то же время",
            (Code::SameDay, _) => "Пациент имеет предстоящую запись к данному врачу или врачу данной специальности",
            (Code::WrongAge, _) => "Слот не соответствует по возрасту",
            (Code::Annulled, _) => "Слот аннулирован",
            (Code::UnknownPatient, _) => "Пациент не найден",
            (Code::Failed, Verb::Book) => "Извините, запись невозможна",
            (Code::Failed, Verb::Cancel) => "Произошла техническая ошибка при отмене в МИС",
        }
    }
}

/// An answer. Whatever is not known of it is null on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The code.
    pub code: Code,
    message: String,
    book_ext_id: Option<String>,
    slot_id: Option<String>,
    visit_time: Option<String>,
    duration: Option<String>,
    service_id: Option<String>,
    organization_id: Option<String>,
    area_id: Option<String>,
    queue_number: Option<String>,
}

impl Answer {
    /// Code 18 to a request, with the document's general text.
    pub fn failed(verb: Verb, fields: &Fields) -> Self {
        Answer::bare(verb, Code::Failed, fields)
    }

    /// Code 18 to a request that lacks what it must have.
    pub fn mismatch(verb: Verb, fields: &Fields) -> Self {
        Answer { message: MISMATCH.to_owned(), ..Answer::failed(verb, fields) }
    }

    fn bare(verb: Verb, code: Code, fields: &Fields) -> Self {
        Answer {
            code,
            message: code.text(verb).to_owned(),
            book_ext_id: fields.get("book_ext_id").map(canonical),
            slot_id: fields.get("slot_id").map(canonical),
            visit_time: None,
            duration: None,
            service_id: None,
            organization_id: None,
            area_id: None,
            queue_number: None,
        }
    }

    /// Reads the row of the site's statement. Times without a zone are those of `zone`.
    pub fn read(verb: Verb, fields: &Fields, row: Option<&Row>, mut zone: Zone) -> Result<Self, Fault> {
        let row = row.ok_or(Fault::NoRow)?;
        let number: u8 = row.get("status_code").and_then(whole).ok_or(Fault::NoCode)?;
        let code = Code::of(verb).iter().copied().find(|code| code.number() == number);
        let code = code.ok_or(Fault::UnknownCode)?;
        let text = |name: &str| row.get(name).map(str::trim).filter(|text| !text.is_empty());
        let bare = Answer::bare(verb, code, fields);
        let answer = Answer {
            message: text("status_message").map_or(bare.message, |text| text.chars().take(LONGEST_TEXT).collect()),
            book_ext_id: text("book_ext_id").map(canonical).or(bare.book_ext_id),
            slot_id: text("slot_id").map(canonical).or(bare.slot_id),
            visit_time: text("visit_time").and_then(|text| with_offset(text, &mut zone)),
            duration: text("duration").and_then(minutes),
            service_id: text("service_id").map(str::to_owned),
            organization_id: text("organization_id").map(str::to_owned),
            area_id: text("area_id").map(str::to_owned),
            queue_number: text("queue_number").map(str::to_owned),
            code,
        };
        match (verb, code) {
            (Verb::Book, Code::Done) => answer.booked(fields),
            (Verb::Cancel, Code::Done) => answer.cancelled(fields),
            _ => Ok(answer),
        }
    }

    /// The gateway stores the booking under `book_ext_id` at the slot it asked for, and takes an answer without time and duration for none: a
    /// booking must not be made with anything else.
    fn booked(self, fields: &Fields) -> Result<Self, Fault> {
        if self.book_ext_id.is_none() {
            Err(Fault::NoBooking)
        } else if self.book().is_none() {
            Err(Fault::BookingNoGuid)
        } else if self.slot_id != fields.get("slot_id").map(canonical) {
            Err(Fault::OtherSlot)
        } else if self.visit_time.is_none() {
            Err(Fault::NoVisitTime)
        } else if self.duration.is_none() {
            Err(Fault::NoDuration)
        } else {
            Ok(self)
        }
    }

    /// Only the booking that was named may be given up. A slot that no mart can hold counts as not given.
    fn cancelled(mut self, fields: &Fields) -> Result<Self, Fault> {
        if self.book_ext_id != fields.get("book_ext_id").map(canonical) {
            return Err(Fault::OtherBooking);
        }
        self.slot_id = self.slot_id.filter(|slot| guid(slot).is_some());
        Ok(self)
    }

    /// True when it says which visit it is about.
    pub(super) fn is_complete(&self) -> bool {
        self.slot_id.is_some() && self.visit_time.is_some() && self.duration.is_some()
    }

    /// Takes from a visit what is missing.
    pub(super) fn fill(&mut self, visit: Visit) {
        // A time of another slot than the answer's would be wrong.
        if self.slot_id.is_some() && visit.slot_id.is_some() && self.slot_id != visit.slot_id {
            return;
        }
        self.slot_id = self.slot_id.take().or(visit.slot_id);
        self.visit_time = self.visit_time.take().or(visit.visit_time);
        self.duration = self.duration.take().or(visit.duration);
    }

    /// The id of the booking it is about.
    pub(super) fn book_ext_id(&self) -> Option<&str> {
        self.book_ext_id.as_deref()
    }

    /// The booking it is about, as the key of a record.
    pub fn book(&self) -> Option<Key> {
        self.book_ext_id.as_deref().and_then(guid)
    }

    /// The slot it is about, as the key of a record.
    pub fn slot(&self) -> Option<Key> {
        self.slot_id.as_deref().and_then(guid)
    }
}

/// The visit that a booking is for, as far as it is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Visit {
    slot_id: Option<String>,
    visit_time: Option<String>,
    duration: Option<String>,
}

impl Visit {
    /// Reads a visit from texts as a database prints them. Times without a zone are those of `zone`; what cannot be read counts as not given.
    pub fn read(slot_id: Option<&str>, visit_time: Option<&str>, duration: Option<&str>, mut zone: Zone) -> Self {
        Visit {
            slot_id: slot_id.and_then(guid).map(|slot| slot.to_string()),
            visit_time: visit_time.and_then(|text| with_offset(text, &mut zone)),
            duration: duration.and_then(minutes),
        }
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("slot_id", &self.slot_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_struct("Answer", 9)?;
        answer.serialize_field("book_ext_id", &self.book_ext_id)?;
        answer.serialize_field("slot_id", &self.slot_id)?;
        answer.serialize_field("visit_time", &self.visit_time)?;
        answer.serialize_field("duration", &self.duration)?;
        answer.serialize_field("service_id", &self.service_id)?;
        answer.serialize_field("organization_id", &self.organization_id)?;
        answer.serialize_field("area_id", &self.area_id)?;
        answer.serialize_field("queue_number", &self.queue_number)?;
        let status = Status { status_code: self.code.number(), status_message: &self.message };
        answer.serialize_field("status", &status)?;
        answer.end()
    }
}

#[derive(Serialize)]
struct Status<'a> {
    status_code: u8,
    status_message: &'a str,
}

/// A GUID as the mart holds it, whatever form the database keeps it in; other texts as they are.
pub(super) fn canonical(text: &str) -> String {
    guid(text).map_or_else(|| text.trim().to_owned(), |key| key.to_string())
}

/// A whole number, which some databases print with decimals.
fn whole<N: std::str::FromStr>(text: &str) -> Option<N> {
    let (number, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    rest.bytes().all(|digit| digit == b'0').then(|| number.parse().ok()).flatten()
}

/// A duration in minutes, as the document's sample has it: a text.
fn minutes(text: &str) -> Option<String> {
    let minutes: u32 = whole(text)?;
    (minutes > 0 && f64::from(minutes) <= LONGEST_VISIT).then(|| minutes.to_string())
}

/// `2022-12-14T08:00:00+05:00`: what the clock on the source's wall shows, with its offset.
fn with_offset(text: &str, zone: &mut Zone) -> Option<String> {
    let (local, offset) = match parse_time(text)? {
        Written::Local(seconds) | Written::Day(seconds) => (seconds, zone.offset_at_local(seconds)),
        Written::Instant(seconds) => {
            let offset = zone.offset_at_utc(seconds);
            (seconds + offset, offset)
        }
    };
    let shown = DateTime::from_timestamp(local, 0).filter(|shown| (1900..=9999).contains(&shown.year()))?;
    let shown = shown.format("%Y-%m-%dT%H:%M:%S");
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    Some(format!("{shown}{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use serde_json::json;

    use super::*;

    const SLOT: &str = "ac46c807-9d59-4f56-b30c-2d165ab21753";

    fn fields(verb: Verb) -> Fields {
        Fields::parse(verb, format!("{{\"slot_id\": \"{SLOT}\", \"book_ext_id\": \"b-1\"}}").as_bytes()).unwrap()
    }

    fn read(verb: Verb, columns: &[(&str, Option<&str>)]) -> Result<Answer, Fault> {
        let columns = columns.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)));
        let row = Row::new(columns.collect());
        Answer::read(verb, &fields(verb), Some(&row), Zone::new(Tz::Asia__Yekaterinburg))
    }

    const BOOKED: [(&str, Option<&str>); 5] = [
        ("STATUS_CODE", Some("0")),
        ("status_message", None),
        ("book_ext_id", Some("00000000-0000-0001-0000-000001017307")),
        ("visit_time", Some("2022-12-14 08:00:00")),
        ("duration", Some("40.0")),
    ];

    /// [`BOOKED`] with another value in one column.
    fn booked_but(column: &str, value: Option<&'static str>) -> Result<Answer, Fault> {
        let mut row = BOOKED;
        row.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case(column)).for_each(|(_, old)| *old = value);
        read(Verb::Book, &row)
    }

    #[test]
    fn a_booking_is_answered_as_the_documents_sample_is() {
        assert_eq!(
            serde_json::to_value(read(Verb::Book, &BOOKED).unwrap()).unwrap(),
            json!({
                "book_ext_id": "00000000-0000-0001-0000-000001017307",
                "slot_id": SLOT,
                "visit_time": "2022-12-14T08:00:00+05:00",
                "duration": "40",
                "service_id": null, "organization_id": null, "area_id": null, "queue_number": null,
                "status": {"status_code": 0, "status_message": "Вы записаны на приём"},
            })
        );
    }

    #[test]
    fn times_come_with_the_offset_of_the_sources_wall_clock() {
        let time = |text| booked_but("visit_time", Some(text)).unwrap().visit_time.unwrap();
        assert_eq!(time("2022-12-14 03:00:00+00"), "2022-12-14T08:00:00+05:00");
        assert_eq!(time("2022-12-14T08:00:00.000"), "2022-12-14T08:00:00+05:00");
        let mut west = Zone::new(Tz::America__St_Johns);
        assert_eq!(with_offset("2022-12-14 08:00:00", &mut west).unwrap(), "2022-12-14T08:00:00-03:30");
    }

    #[test]
    fn every_code_of_both_tables_is_answered_with_its_text() {
        let numbers = |verb| Code::of(verb).iter().map(|code| code.number()).collect::<Vec<_>>();
        assert_eq!(numbers(Verb::Book), [0, 11, 12, 13, 14, 15, 17, 18]);
        assert_eq!(numbers(Verb::Cancel), [0, 1, 18]);
        for verb in [Verb::Book, Verb::Cancel] {
            for code in Code::of(verb).iter().filter(|code| **code != Code::Done) {
                let answer = read(verb, &[("status_code", Some(&code.number().to_string()))]).unwrap();
                assert_eq!((answer.code, answer.message.as_str()), (*code, code.text(verb)));
            }
        }
    }

    #[test]
    fn the_sites_own_text_goes_before_the_documents() {
        let row = [("status_code", Some("14")), ("status_message", Some("Бирка только для детей до 18 лет"))];
        assert_eq!(read(Verb::Book, &row).unwrap().message, "Бирка только для детей до 18 лет");
    }

    #[test]
    fn a_row_that_makes_no_sense_is_no_answer() {
        for (row, expected) in [
            (booked_but("status_code", None), Fault::NoCode),
            (booked_but("status_code", Some("booked")), Fault::NoCode),
            (booked_but("status_code", Some("16")), Fault::UnknownCode),
            (booked_but("status_code", Some("1")), Fault::UnknownCode),
            (booked_but("book_ext_id", None), Fault::NoBooking),
            (booked_but("visit_time", Some("tomorrow")), Fault::NoVisitTime),
            (booked_but("duration", Some("0")), Fault::NoDuration),
            (booked_but("duration", Some("00:20:00")), Fault::NoDuration),
        ] {
            assert_eq!(row.unwrap_err(), expected);
        }
        let nothing = Answer::read(Verb::Cancel, &Fields::default(), None, Zone::new(Tz::UTC));
        assert_eq!(nothing.unwrap_err(), Fault::NoRow);
    }

    #[test]
    fn a_booking_that_the_mart_could_not_store_is_no_answer() {
        for id in ["17", "V-2026/17", "00000000-0000-0001-0000-00000101730"] {
            assert_eq!(booked_but("book_ext_id", Some(id)).unwrap_err(), Fault::BookingNoGuid, "{id}");
        }
        let with_slot = |slot: &'static str| {
            let mut row = BOOKED.to_vec();
            row.push(("slot_id", Some(slot)));
            read(Verb::Book, &row)
        };
        assert_eq!(with_slot("bc46c807-9d59-4f56-b30c-2d165ab21753").unwrap_err(), Fault::OtherSlot);
        assert_eq!(with_slot("4711").unwrap_err(), Fault::OtherSlot);
        assert_eq!(with_slot("{AC46C807-9D59-4F56-B30C-2D165AB21753}").unwrap().slot_id.as_deref(), Some(SLOT));
    }

    #[test]
    fn a_cancellation_is_of_the_booking_that_was_named_and_of_a_slot_that_a_mart_can_hold() {
        let other = read(Verb::Cancel, &[("status_code", Some("0")), ("book_ext_id", Some("b-2"))]);
        assert_eq!(other.unwrap_err(), Fault::OtherBooking);
        let number = read(Verb::Cancel, &[("status_code", Some("0")), ("slot_id", Some("4711"))]).unwrap();
        assert_eq!((number.slot_id.as_deref(), number.is_complete()), (None, false));
    }

    #[test]
    fn what_an_answer_lacks_is_taken_from_its_own_visit_alone() {
        let zone = || Zone::new(Tz::Asia__Yekaterinburg);
        let visit = |slot| Visit::read(Some(slot), Some("2022-12-14 08:00:00"), Some("40"), zone());
        let given =
            |slot| read(Verb::Cancel, &[("status_code", Some("0")), ("slot_id", slot), ("duration", Some("20"))]);
        let mut answer = given(Some(SLOT)).unwrap();
        answer.fill(visit("bc46c807-9d59-4f56-b30c-2d165ab21753"));
        assert!(!answer.is_complete(), "another slot's time is none of its own");
        answer.fill(visit(SLOT));
        assert_eq!(
            (answer.visit_time.as_deref(), answer.duration.as_deref()),
            (Some("2022-12-14T08:00:00+05:00"), Some("20"))
        );
    }

    #[test]
    fn a_cancellation_needs_no_more_than_its_code() {
        let answer = read(Verb::Cancel, &[("status_code", Some("0"))]).unwrap();
        assert_eq!((answer.book_ext_id.as_deref(), answer.code), (Some("b-1"), Code::Done));
    }

    #[test]
    fn ids_are_answered_as_the_mart_holds_them() {
        let answer = booked_but("book_ext_id", Some("{00000000-0000-0001-0000-0000010173AF}")).unwrap();
        assert_eq!(answer.book_ext_id.as_deref(), Some("00000000-0000-0001-0000-0000010173af"));
    }
}
