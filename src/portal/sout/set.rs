//! The set: records as `Data.xml`, and the archive `.olot` that carries it.

use std::borrow::Cow;
use std::io::{self, Cursor, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde::Deserialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Most records of one set, by the published schema.
pub(super) const MOST_RECORDS: usize = 5000;
/// The set's name inside the archive.
pub(super) const DATA: &str = "Data.xml";
/// Its signature's.
const SIGNATURE: &str = "Data.xml.sig";

/// A record as the encoder wrote it. No `Debug`: it is a person.
#[derive(Deserialize)]
pub(super) struct Training {
    outer_id: String,
    last_name: String,
    first_name: String,
    #[serde(default)]
    middle_name: String,
    snils: Option<String>,
    is_foreign_snils: Option<bool>,
    foreign_snils: Option<String>,
    citizenship: Option<String>,
    position: String,
    employer_inn: String,
    employer_title: String,
    organization_unit_id: Option<i64>,
    organization_inn: String,
    organization_title: String,
    test_date: String,
    protocol_number: String,
    pub learn_program_id: i64,
    pub learn_program_title: Option<String>,
    is_passed: bool,
}

/// Writes `Data.xml`.
pub(super) fn data(records: &[Training]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::with_capacity(records.len() * 1024));
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    writer
        .create_element("RegistrySet")
        .write_inner_content(|set| records.iter().try_for_each(|record| record.write(set)))?;
    Ok(writer.into_inner())
}

impl Training {
    fn write(&self, set: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let record = set.create_element("RegistryRecord").with_attribute(("outerId", self.outer_id.as_str()));
        record.write_inner_content(|record| {
            record.create_element("Worker").write_inner_content(|worker| self.write_worker(worker))?;
            record.create_element("Organization").write_inner_content(|organization| {
                element(organization, "Inn", &self.organization_inn)?;
                element(organization, "Title", &self.organization_title)
            })?;
            let program = self.learn_program_id.to_string();
            let test = record.create_element("Test");
            let test = test.with_attribute(("isPassed", truth(self.is_passed)));
            test.with_attribute(("learnProgramId", program.as_str())).write_inner_content(|test| {
                element(test, "Date", &self.test_date)?;
                element(test, "ProtocolNumber", &self.protocol_number)?;
                exactly(test, "LearnProgramTitle", self.learn_program_title.as_deref().unwrap_or_default())
            })?;
            Ok(())
        })?;
        Ok(())
    }

    fn write_worker(&self, worker: &mut Writer<Vec<u8>>) -> io::Result<()> {
        element(worker, "LastName", &self.last_name)?;
        element(worker, "FirstName", &self.first_name)?;
        element(worker, "MiddleName", &self.middle_name)?;
        optional(worker, "Snils", self.snils.as_deref())?;
        optional(worker, "IsForeignSnils", self.is_foreign_snils.map(truth))?;
        optional(worker, "ForeignSnils", self.foreign_snils.as_deref())?;
        optional(worker, "Citizenship", self.citizenship.as_deref())?;
        element(worker, "Position", &self.position)?;
        element(worker, "EmployerInn", &self.employer_inn)?;
        element(worker, "EmployerTitle", &self.employer_title)?;
        let unit = self.organization_unit_id.map(|unit| unit.to_string());
        optional(worker, "OrganizationUnitId", unit.as_deref())
    }
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn optional(writer: &mut Writer<Vec<u8>>, name: &str, text: Option<&str>) -> io::Result<()> {
    text.map_or(Ok(()), |text| element(writer, name, text))
}

/// An element with its text, escaped.
pub(super) fn element(writer: &mut Writer<Vec<u8>>, name: &str, text: &str) -> io::Result<()> {
    writer.create_element(name).write_text_content(BytesText::new(&one_line(text)))?;
    Ok(())
}

/// An element whose text the portal compares with its own: blanks stay as they are.
fn exactly(writer: &mut Writer<Vec<u8>>, name: &str, text: &str) -> io::Result<()> {
    let carried: String = text.chars().filter(|sign| *sign == '\n' || !is_stray(*sign)).collect();
    writer.create_element(name).write_text_content(BytesText::new(&carried))?;
    Ok(())
}

/// The text on one line. Characters that XML cannot carry at all, not even escaped, come from a slip of the keyboard and stand for nothing:
/// where one of them or a break of lines stands, everything blank becomes one blank.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_stray) {
        return text.into();
    }
    let blank = |sign: char| sign.is_whitespace() || is_stray(sign);
    text.split(blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").into()
}

/// Control characters, and the two of Unicode that are none.
fn is_stray(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}')
}

/// The archive with the set and its signature, if it is signed.
pub(super) fn olot(data: &[u8], signature: Option<&[u8]>) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(data.len() / 4)));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    archive.start_file(DATA, options)?;
    archive.write_all(data)?;
    if let Some(signature) = signature {
        archive.start_file(SIGNATURE, options)?;
        archive.write_all(signature)?;
    }
    Ok(archive.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use serde_json::json;

    use super::*;

    fn record(change: serde_json::Value) -> Training {
        let mut body = json!({
            "outer_id": "a-1", "last_name": "Петрова", "first_name": "Анна", "snils": "112-233-445 95",
            "position": "врач", "employer_inn": "7707083893", "employer_title": "ООО", "organization_inn": "7707083893",
            "organization_title": "УЦ", "test_date": "2026-10-02", "protocol_number": "17/2", "learn_program_id": 4,
            "learn_program_title": "Первая помощь", "is_passed": true,
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn written(change: serde_json::Value) -> String {
        String::from_utf8(data(&[record(change)]).unwrap()).unwrap()
    }

    #[test]
    fn a_record_is_written_as_the_published_schema_wants() {
        assert_eq!(
            written(json!({})),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><RegistrySet><RegistryRecord outerId=\"a-1\">\
             <Worker><LastName>Петрова</LastName><FirstName>Анна</FirstName><MiddleName></MiddleName>\
             <Snils>112-233-445 95</Snils><Position>врач</Position><EmployerInn>7707083893</EmployerInn>\
             <EmployerTitle>ООО</EmployerTitle></Worker><Organization><Inn>7707083893</Inn><Title>УЦ</Title></Organization>\
             <Test isPassed=\"true\" learnProgramId=\"4\"><Date>2026-10-02</Date><ProtocolNumber>17/2</ProtocolNumber>\
             <LearnProgramTitle>Первая помощь</LearnProgramTitle></Test></RegistryRecord></RegistrySet>"
        );
    }

    #[test]
    fn a_worker_insured_abroad_and_a_unit_are_written() {
        let text = written(json!({
            "snils": null, "is_foreign_snils": true, "foreign_snils": "A-77", "citizenship": "Узбекистан",
            "organization_unit_id": 12, "is_passed": false,
        }));
        for part in [
            "<MiddleName></MiddleName><IsForeignSnils>true</IsForeignSnils><ForeignSnils>A-77</ForeignSnils>",
            "<Citizenship>Узбекистан</Citizenship><Position>",
            "<OrganizationUnitId>12</OrganizationUnitId></Worker>",
            "<Test isPassed=\"false\" ",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn signs_of_xml_are_escaped_and_what_xml_cannot_carry_becomes_a_blank() {
        let text = written(json!({
            "employer_title": "А&Б <\"В\"> ]]>", "position": "\u{1}врач\u{0}-\u{b}терапевт\r\n по\u{ffff} вызовам\u{85}",
        }));
        assert!(text.contains("<EmployerTitle>А&amp;Б &lt;&quot;В&quot;&gt; ]]&gt;</EmployerTitle>"), "{text}");
        assert!(text.contains("<Position>врач - терапевт по вызовам</Position>"), "{text}");
    }

    #[test]
    fn the_archive_holds_the_set_and_its_signature_only_when_there_is_one() {
        let names = |signature: Option<&[u8]>| {
            let mut archive = zip::ZipArchive::new(Cursor::new(olot(b"<x/>", signature).unwrap())).unwrap();
            let mut set = String::new();
            archive.by_name(DATA).unwrap().read_to_string(&mut set).unwrap();
            assert_eq!(set, "<x/>");
            archive.file_names().map(|name| name.unwrap().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["Data.xml"]);
        assert_eq!(names(Some(b"MII")), ["Data.xml", "Data.xml.sig"]);
    }
}
