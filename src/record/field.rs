//! Fields: how one cell of any type becomes one JSON value, or which rule it breaks.

use std::borrow::Cow;

use chrono_tz::Tz;

use super::datetime::{self, TimeWriter, Written};
use super::zone::Zone;
use super::{Cell, Kind, Rule, VisitTimeZone, guid, snils};

/// What was learnt of a field while it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// The cell is empty; nothing was written.
    Absent,
    /// A GUID.
    Guid(u128),
    /// A time: seconds since 1970-01-01T00:00:00 on the source's clock.
    Time(i64),
    /// A word of an enum, by its index.
    Word(u8),
    /// Anything else.
    Plain,
}

/// A broken rule and the sentence about it.
pub(super) type Broken = (Rule, Cow<'static, str>);

/// Writes fields; holds what makes writing many times fast.
#[derive(Debug)]
pub(super) struct FieldWriter {
    zone: Zone,
    visit_time_zone: VisitTimeZone,
    times: TimeWriter,
    visits: TimeWriter,
}

impl FieldWriter {
    pub(super) fn new(zone: Tz, visit_time_zone: VisitTimeZone) -> Self {
        FieldWriter {
            zone: Zone::new(zone),
            visit_time_zone,
            times: TimeWriter::default(),
            visits: TimeWriter::default(),
        }
    }

    /// The moment at which the source's clock shows `local`.
    pub(super) fn utc(&mut self, local: i64) -> i64 {
        self.zone.utc(local)
    }

    /// Writes a cell as a JSON value of a kind.
    pub(super) fn write(&mut self, kind: Kind, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
        if matches!(cell, Cell::Null) || matches!(cell, Cell::Text(text) if text.trim().is_empty()) {
            return Ok(Value::Absent);
        }
        match kind {
            Kind::Guid => write_guid(cell, out),
            Kind::Oid => write_oid(cell, out),
            Kind::Text(most) => write_text(cell, most, out),
            Kind::Int { min, max } => write_int(cell, min, max, out),
            Kind::Number => write_number(cell, out),
            Kind::Enum(words) | Kind::EnumWithAliases(words, _) => write_word(cell, kind, words, out),
            Kind::EnumList(words) => write_words(cell, words, out),
            Kind::IntEnum(numbers) => write_listed(cell, numbers, out),
            Kind::Time => self.write_time(cell, out),
            Kind::VisitTime => self.write_visit_time(cell, out),
            Kind::Snils => write_snils(cell, out),
        }
    }

    /// Seconds on the source's clock that a cell means.
    fn local_seconds(&mut self, cell: Cell<'_>) -> Result<i64, Broken> {
        let text = match cell {
            Cell::LocalTime(micros) => return Ok(micros.div_euclid(1_000_000)),
            Cell::Instant(micros) => return Ok(self.zone.local(micros.div_euclid(1_000_000))),
            Cell::Date(days) => return Ok(i64::from(days) * 86_400),
            Cell::Text(text) => text,
            _ => return Err(wrong_type("a date or time")),
        };
        match datetime::parse(text) {
            Some(Written::Local(seconds)) => Ok(seconds),
            Some(Written::Instant(seconds)) => Ok(self.zone.local(seconds)),
            None => Err(not_a_date()),
        }
    }

    fn write_time(&mut self, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
        let local = self.local_seconds(cell)?;
        out.push(b'"');
        if !self.times.write(local, out) {
            return Err(not_a_date());
        }
        out.push(b'"');
        Ok(Value::Time(local))
    }

    fn write_visit_time(&mut self, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
        let local = self.local_seconds(cell)?;
        let shown = match self.visit_time_zone {
            VisitTimeZone::Source | VisitTimeZone::Offset => local,
            VisitTimeZone::Utc => self.zone.utc(local),
        };
        out.push(b'"');
        if !self.visits.write(shown, out) {
            return Err(not_a_date());
        }
        if self.visit_time_zone == VisitTimeZone::Offset {
            datetime::write_offset(self.zone.offset_at_local(local), out);
        }
        out.push(b'"');
        Ok(Value::Time(local))
    }
}

fn not_a_date() -> Broken {
    (Rule::Date, "is not a date and time that exists; wanted is YYYY-MM-DDTHH:MM:SS".into())
}

fn wrong_type(wanted: &str) -> Broken {
    (Rule::Type, format!("comes from a column whose type cannot become {wanted}; cast it in the query").into())
}

fn write_guid(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let broken = || (Rule::Guid, Cow::from("is not a GUID; wanted are 32 hex digits, lower case, with hyphens"));
    let value = match cell {
        Cell::Guid(value) => value,
        Cell::Text(text) => guid::parse(text).ok_or_else(broken)?,
        Cell::Bytes(bytes) => u128::from_be_bytes(bytes.try_into().map_err(|_| broken())?),
        _ => return Err(broken()),
    };
    out.push(b'"');
    guid::write(value, out);
    out.push(b'"');
    Ok(Value::Guid(value))
}

fn write_oid(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let broken = || (Rule::Oid, Cow::from("is not an OID; wanted are numbers joined by dots, at most 45 characters"));
    let Cell::Text(text) = cell else { return Err(broken()) };
    let text = text.trim();
    let numbers = text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !numbers || !text.contains('.') || text.len() > 45 {
        return Err(broken());
    }
    write_json_string(text, out);
    Ok(Value::Plain)
}

fn write_text(cell: Cell<'_>, most: usize, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let start = out.len();
    match cell {
        Cell::Text(text) => {
            let text = text.trim();
            if text.len() > most && text.chars().count() > most {
                return Err(too_long(most));
            }
            write_json_string(text, out);
            return Ok(Value::Plain);
        }
        Cell::Int(value) => write_quoted(itoa::Buffer::new().format(value), out),
        Cell::Decimal(text) => write_quoted(without_trailing_zeros(text), out),
        Cell::Float(value) if value.is_finite() => write_quoted(&value.to_string(), out),
        Cell::Bool(value) => write_quoted(if value { "true" } else { "false" }, out),
        Cell::Guid(value) => {
            out.push(b'"');
            guid::write(value, out);
            out.push(b'"');
        }
        _ => return Err(wrong_type("text")),
    }
    if out.len() - start > most + 2 { Err(too_long(most)) } else { Ok(Value::Plain) }
}

fn too_long(most: usize) -> Broken {
    (Rule::Length, format!("is longer than {most} characters").into())
}

fn whole(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(value),
        Cell::Text(text) | Cell::Decimal(text) => without_zero_fraction(text.trim()).parse().ok(),
        Cell::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value as i64),
        Cell::Bool(_)
        | Cell::Float(_)
        | Cell::Null
        | Cell::Bytes(_)
        | Cell::Guid(_)
        | Cell::Date(_)
        | Cell::LocalTime(_)
        | Cell::Instant(_) => None,
    }
}

/// `20.00` is the whole number 20.
fn without_zero_fraction(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    }
}

fn write_int(cell: Cell<'_>, min: i64, max: i64, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let value = whole(cell).ok_or((Rule::Integer, Cow::from("is not a whole number")))?;
    if !(min..=max).contains(&value) {
        return Err((Rule::Range, format!("is not between {min} and {max}").into()));
    }
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    Ok(Value::Plain)
}

fn write_listed(cell: Cell<'_>, numbers: &[i64], out: &mut Vec<u8>) -> Result<Value, Broken> {
    let value = whole(cell).ok_or((Rule::Integer, Cow::from("is not a whole number")))?;
    let Some(index) = numbers.iter().position(|number| *number == value) else {
        let list: Vec<_> = numbers.iter().map(i64::to_string).collect();
        return Err((Rule::Enum, format!("is none of {}", list.join(", ")).into()));
    };
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    Ok(Value::Word(index as u8))
}

fn write_number(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let broken = || (Rule::Number, Cow::from("is not a number of at most 30 digits"));
    let floating;
    let text = match cell {
        Cell::Int(value) => {
            floating = value.to_string();
            floating.as_str()
        }
        Cell::Decimal(text) | Cell::Text(text) => text.trim(),
        Cell::Float(value) if value.is_finite() && value.abs() < 1e15 => {
            floating = value.to_string();
            floating.as_str()
        }
        _ => return Err(broken()),
    };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || digits.len() > 30 {
        return Err(broken());
    }
    let whole = Some(whole.trim_start_matches('0')).filter(|rest| !rest.is_empty()).unwrap_or("0");
    let fraction = fraction.trim_end_matches('0');
    if !sign.is_empty() && (whole != "0" || !fraction.is_empty()) {
        return Err((Rule::Range, "is negative".into()));
    }
    out.extend_from_slice(whole.as_bytes());
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
    Ok(Value::Plain)
}

fn without_trailing_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// The word of an enum that a cell means, if it means one.
pub(super) fn word(cell: Cell<'_>, kind: Kind) -> Option<&'static str> {
    let Cell::Text(text) = cell else { return None };
    let (words, aliases): (_, &'static [(&str, &str)]) = match kind {
        Kind::Enum(words) => (words, &[]),
        Kind::EnumWithAliases(words, aliases) => (words, aliases),
        _ => return None,
    };
    if let Some(exact) = words.iter().find(|word| **word == text) {
        return Some(exact);
    }
    let text = text.trim();
    let meant = aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(text)).map_or(text, |(_, word)| word);
    words.iter().copied().find(|word| word.eq_ignore_ascii_case(meant))
}

fn none_of(words: &[&str]) -> Broken {
    (Rule::Enum, format!("is none of {}", words.join(", ")).into())
}

fn write_word(cell: Cell<'_>, kind: Kind, words: &'static [&'static str], out: &mut Vec<u8>) -> Result<Value, Broken> {
    let found = word(cell, kind).ok_or_else(|| none_of(words))?;
    let index = words.iter().position(|word| *word == found).unwrap_or(0);
    write_quoted(found, out);
    Ok(Value::Word(index as u8))
}

fn write_words(cell: Cell<'_>, words: &'static [&'static str], out: &mut Vec<u8>) -> Result<Value, Broken> {
    let broken = || (Rule::Enum, Cow::from(format!("is not a list, joined by commas, of {}", words.join(", "))));
    let Cell::Text(text) = cell else { return Err(broken()) };
    if let Some(single) = words.iter().find(|word| **word == text) {
        write_quoted(single, out);
        return Ok(Value::Plain);
    }
    let mut given = 0u64;
    out.push(b'"');
    let mut written = 0;
    for part in text.split(',').map(str::trim) {
        let index = words.iter().position(|word| word.eq_ignore_ascii_case(part)).ok_or_else(broken)?;
        let bit = 1u64 << (index % 64);
        if given & bit != 0 {
            continue;
        }
        given |= bit;
        if written > 0 {
            out.push(b',');
        }
        out.extend_from_slice(words[index].as_bytes());
        written += 1;
    }
    out.push(b'"');
    Ok(Value::Plain)
}

fn write_snils(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let digits = match cell {
        Cell::Text(text) => snils::from_text(text),
        Cell::Int(_) | Cell::Decimal(_) | Cell::Float(_) => whole(cell).and_then(snils::from_number),
        _ => None,
    };
    let digits =
        digits.ok_or((Rule::Snils, Cow::from("is not a SNILS: eleven digits whose last two are the check sum")))?;
    out.push(b'"');
    out.extend_from_slice(&digits);
    out.push(b'"');
    Ok(Value::Plain)
}

fn write_quoted(plain: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(plain.as_bytes());
    out.push(b'"');
}

/// Appends a JSON string. Text without quotes, backslashes and control characters, that is nearly all, is copied in one piece.
fn write_json_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
