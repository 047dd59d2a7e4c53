//! What must hold of values and rows, which come from databases that others fill, and of keys that a portal repeats.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::datetime::{TimeWriter, Written, parse};
use super::{Cell, EncodeSettings, Encoder, Key, Kind, Row, RowChunk, Schema, VisitTimeZone, Zone, guid, snils};
use crate::fuzzing::{Input, PERSON, assert_hidden};
use crate::portal::fer::SCHEMAS;

const ZONES: [Tz; 5] =
    [Tz::Asia__Yekaterinburg, Tz::Europe__Moscow, Tz::America__St_Johns, Tz::Pacific__Apia, Tz::Europe__Dublin];

/// What was read is read again after it was written; a number of a person has its eleven digits; no moment is too far for a clock.
pub(crate) fn values(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (zone, number) = (input.pick(ZONES), input.number());
    clock(&mut Zone::new(zone), number);
    if let Some(digits) = snils::from_number(number) {
        let padded = String::from_utf8_lossy(&digits).into_owned();
        assert_eq!(padded, format!("{number:011}"));
        assert_eq!(snils::from_text(&padded), Some(digits));
    }
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    if let Some(guid) = guid::parse(text) {
        let printed = guid::format(guid);
        assert_eq!((guid::parse(&printed), guid::parse_canonical(printed.as_bytes())), (Some(guid), Some(guid)));
        let digits = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
        assert_eq!(digits(&printed), digits(text));
    }
    let key = Key::parse(text);
    assert_eq!((key.to_string().as_str(), Key::parse(&key.to_string())), (text, key));
    if let Some(digits) = snils::from_text(text) {
        assert!(text.bytes().filter(u8::is_ascii_digit).eq(digits));
    }
    time(&mut Zone::new(zone), text);
}

fn time(zone: &mut Zone, text: &str) {
    let local = match parse(text) {
        Some(Written::Local(seconds) | Written::Day(seconds)) => seconds,
        Some(Written::Instant(seconds)) => zone.local(seconds),
        None => return,
    };
    clock(zone, local);
    let mut written = Vec::new();
    if TimeWriter::default().write(local, &mut written) {
        assert_eq!(parse(&String::from_utf8_lossy(&written)), Some(Written::Local(local)));
    } else {
        assert!(written.is_empty());
    }
}

fn clock(zone: &mut Zone, seconds: i64) {
    for moment in [seconds, seconds.saturating_add(1)] {
        let (local, utc) = (zone.offset_at_utc(moment), zone.offset_at_local(moment));
        assert!(local.abs() < 86_400 && utc.abs() < 86_400);
    }
    let there = zone.local(seconds);
    let back = zone.utc(there);
    assert!(seconds.abs_diff(back) <= 86_400, "{seconds} came back as {back}");
}

/// A row is a record or breaks rules. A record is canonical: each field is what its kind says, and the body read as a row gives the
/// same body again. No complaint shows a value.
pub(crate) fn rows(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let schema = SCHEMAS[usize::from(input.byte()) % SCHEMAS.len()];
    let settings = EncodeSettings {
        zone: input.pick(ZONES),
        visit_time_zone: VisitTimeZone::Source,
        defaults: std::collections::BTreeMap::new(),
        salt: None,
    };
    let columns: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
    let Ok(mut encoder) = Encoder::bind(schema, &columns, &settings) else { panic!("all columns are there") };
    let mut chunk = RowChunk::default();
    chunk.reset(columns.len());
    for _ in schema.fields {
        push(&mut chunk, input.line());
    }
    let Some(row) = chunk.rows().next() else { panic!("a row was pushed") };
    if encode(&mut encoder, row) {
        check_record(schema, &mut encoder);
    }
}

/// A cell from a line: its first byte says of which type.
fn push(chunk: &mut RowChunk, line: &[u8]) {
    let (kind, rest) = line.split_first().map_or((b'n', line), |(kind, rest)| (*kind, rest));
    let text = String::from_utf8_lossy(rest);
    let number: i64 = text.trim().parse().unwrap_or_default();
    chunk.push(match kind {
        b't' => Cell::Text(&text),
        b'u' => Cell::Undecodable,
        b'b' => Cell::Bytes(rest),
        b'g' => Cell::Guid(guid::parse(&text).unwrap_or_default()),
        b'i' => Cell::Int(number),
        b'f' => Cell::Float(text.trim().parse().unwrap_or_default()),
        b'd' if text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)) => Cell::Decimal(&text),
        b'o' => Cell::Bool(number != 0),
        b'D' => Cell::Date(number as i32),
        b'L' => Cell::LocalTime(number),
        b'I' => Cell::Instant(number),
        _ => Cell::Null,
    });
}

/// Encodes a row twice: what the encoder remembers changes nothing.
fn encode(encoder: &mut Encoder, row: Row<'_>) -> bool {
    let sound = encoder.encode(row);
    let (body, violations) = (encoder.body().to_vec(), encoder.violations().to_vec());
    assert_eq!(encoder.encode(row), sound);
    assert_eq!((encoder.body(), encoder.violations()), (body.as_slice(), violations.as_slice()));
    assert_eq!(sound, violations.is_empty());
    for violation in &violations {
        assert_hidden(&violation.text, &PERSON);
    }
    if let Some(Key::Text(shown)) = encoder.unreadable_key(row) {
        assert!(shown.chars().count() <= 64 && !shown.chars().any(char::is_control), "{shown}");
        let told = shown.chars().filter(|c| c.is_alphanumeric()).count();
        assert!(!encoder.schema().persons || told <= 2, "{shown}");
    }
    sound
}

fn check_record(schema: &'static Schema, encoder: &mut Encoder) {
    let body = encoder.body().to_vec();
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        panic!("no JSON object: {}", String::from_utf8_lossy(&body));
    };
    let Some(record) = encoder.record() else { panic!("a record has a key") };
    assert_eq!(Some(record.key.id()), encoder.key_id());
    assert_eq!(members.get(schema.key).and_then(Value::as_str), Some(record.key.to_string().as_str()));
    let names: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
    assert!(members.keys().map(|name| names.iter().position(|field| field == name)).is_sorted());
    let mut chunk = RowChunk::default();
    chunk.reset(schema.fields.len());
    for field in schema.fields {
        match members.get(field.name) {
            None => chunk.push(Cell::Null),
            Some(Value::String(text)) => {
                check_text(field.kind, text);
                chunk.push(Cell::Text(text));
            }
            Some(Value::Number(number)) => chunk.push(Cell::Text(&number.to_string())),
            Some(other) => panic!("{}: {other}", field.name),
        }
    }
    let Some(row) = chunk.rows().next() else { panic!("a row was pushed") };
    assert!(encode(encoder, row), "{:?}", encoder.violations());
    let again = encoder.body();
    assert_eq!(String::from_utf8_lossy(again), String::from_utf8_lossy(&body));
    assert_eq!(encoder.record(), Some(record));
}

fn check_text(kind: Kind, text: &str) {
    assert!(!text.trim().is_empty(), "an empty text is no value");
    match kind {
        Kind::Guid => assert!(guid::parse_canonical(text.as_bytes()).is_some(), "{text}"),
        Kind::Oid => assert!(text.len() <= 45 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')),
        Kind::Text(most) | Kind::IdText(most) | Kind::GuidOrText(most) => assert!(text.chars().count() <= most),
        Kind::Enum(words) | Kind::EnumWithAliases(words, _) => assert!(words.contains(&text), "{text}"),
        Kind::EnumList(words) => assert!(text.split(',').all(|word| words.contains(&word)), "{text}"),
        Kind::Time | Kind::PeriodEnd | Kind::VisitTime => {
            assert!(matches!(parse(text), Some(Written::Local(_))), "{text}");
        }
        Kind::Snils => assert!(snils::from_text(text).is_some() && text.len() == 11, "{text}"),
        Kind::PrintedSnils => assert!(snils::from_text(text).is_some() && text.len() == 14, "{text}"),
        Kind::Date => assert!(text.len() == 10 && matches!(parse(text), Some(Written::Day(_))), "{text}"),
        Kind::Inn => assert!(super::inn::is_valid(text), "{text}"),
        Kind::Oktmo(count) => assert!(text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())),
        Kind::Digits(counts) => assert!(counts.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())),
        Kind::Identifier(most) => assert!(text.len() <= most && text.is_ascii(), "{text}"),
        Kind::Version => assert!(text.chars().count() <= 255, "{text}"),
        Kind::Int { .. }
        | Kind::Number
        | Kind::IntEnum(_)
        | Kind::Bool
        | Kind::Epoch
        | Kind::EpochEnd
        | Kind::Objects(_) => {
            panic!("{text} should be no text")
        }
    }
}
