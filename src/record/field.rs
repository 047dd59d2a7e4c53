//! Fields: how one cell of any type becomes one JSON value, or which rule it breaks.

use std::borrow::Cow;

use chrono_tz::Tz;

use super::datetime::{self, TimeWriter, Written};
use super::zone::Zone;
use super::{Cell, Field, Kind, Presence, Rule, VisitTimeZone, guid, inn, snils};

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
        if cell == Cell::Undecodable {
            return Err((Rule::Encoding, "has bytes that are no text in the database's encoding".into()));
        }
        match kind {
            Kind::Guid => write_guid(cell, out),
            Kind::Oid => write_oid(cell, out),
            Kind::Text(most) => write_text(cell, most, out),
            Kind::IdText(most) => write_text(as_guid(cell), most, out),
            Kind::GuidOrText(most) => write_guid_or_text(cell, most, out),
            Kind::Int { min, max } => write_int(cell, min, max, out),
            Kind::Number => write_number(cell, out),
            Kind::Enum(words) | Kind::EnumWithAliases(words, _) => write_word(cell, kind, words, out),
            Kind::EnumList(words) => write_words(cell, words, out),
            Kind::IntEnum(numbers) => write_listed(cell, numbers, out),
            Kind::Time => self.write_time(cell, out),
            Kind::PeriodEnd => self.write_time(end_of_period(cell), out),
            Kind::VisitTime => self.write_visit_time(cell, out),
            Kind::Snils => write_snils(cell, out),
            Kind::PrintedSnils => write_printed_snils(cell, out),
            Kind::Bool => write_bool(cell, out),
            Kind::Date => self.write_date(cell, out),
            Kind::Epoch => self.write_epoch(cell, out),
            Kind::EpochEnd => self.write_epoch(end_of_period(cell), out),
            Kind::Inn => write_inn(cell, out),
            Kind::Digits(counts) => write_digits(cell, counts, out),
            Kind::Oktmo(count) => write_oktmo(cell, count, out),
            Kind::Identifier(most) => write_identifier(cell, most, out),
            Kind::Version => write_version(cell, out),
            Kind::Objects(fields) => self.write_objects(cell, fields, out),
        }
    }

    /// Seconds on the source's clock that a cell means.
    fn local_seconds(&mut self, cell: Cell<'_>) -> Result<i64, Broken> {
        let text = match cell {
            Cell::LocalTime(micros) => return Ok(micros.div_euclid(1_000_000)),
            Cell::Instant(micros) => return Ok(self.zone.local(micros.div_euclid(1_000_000))),
            Cell::Date(days) => return Ok(i64::from(days) * datetime::DAY),
            Cell::Text(text) => text,
            _ => return Err(wrong_type("a date or time")),
        };
        match datetime::parse(text) {
            Some(Written::Local(seconds) | Written::Day(seconds)) => Ok(seconds),
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

impl FieldWriter {
    fn write_date(&mut self, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
        let wrong = || (Rule::Date, Cow::from("is not a date that exists; wanted is YYYY-MM-DD"));
        let local =
            self.local_seconds(cell).map_err(|(rule, text)| if rule == Rule::Date { wrong() } else { (rule, text) })?;
        let start = out.len();
        out.push(b'"');
        if !self.times.write(local, out) {
            return Err(wrong());
        }
        // The date is what stands before the time.
        out.truncate(start + 1 + "YYYY-MM-DD".len());
        out.push(b'"');
        Ok(Value::Plain)
    }

    fn write_epoch(&mut self, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
        let seconds = match whole(cell) {
            Some(number) => match no_epoch(number) {
                Some((rule, text)) => return Err((rule, text.into())),
                None => number,
            },
            None => {
                let local = self.local_seconds(cell)?;
                self.zone.utc(local)
            }
        };
        if !EPOCH.contains(&seconds) {
            return Err((Rule::Range, format!("is not between {} and {}", EPOCH.start(), EPOCH.end()).into()));
        }
        out.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
        Ok(Value::Plain)
    }

    fn write_objects(&mut self, cell: Cell<'_>, fields: &'static [Field], out: &mut Vec<u8>) -> Result<Value, Broken> {
        let wrong = || (Rule::List, Cow::from("is not a JSON array of objects, at least one"));
        let Cell::Text(text) = cell else { return Err(wrong()) };
        let objects: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(text).map_err(|_| wrong())?;
        if objects.is_empty() || objects.len() > MOST_OBJECTS {
            return Err(wrong());
        }
        for (at, object) in objects.iter().enumerate() {
            out.push(if at == 0 { b'[' } else { b',' });
            self.write_object(at + 1, object, fields, out)?;
        }
        out.push(b']');
        Ok(Value::Plain)
    }

    fn write_object(
        &mut self,
        number: usize,
        object: &serde_json::Map<String, serde_json::Value>,
        fields: &'static [Field],
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let wrong =
            |field: &Field, text: &str| (Rule::List, Cow::from(format!("object {number}: {} {text}", field.name)));
        let mut mark = b'{';
        for field in fields {
            let value = object.iter().find(|(name, _)| name.eq_ignore_ascii_case(field.name)).map(|(_, value)| value);
            let start = out.len();
            out.push(mark);
            write_quoted(field.name, out);
            out.push(b':');
            match self.write(field.kind, cell_of(value), out) {
                Ok(Value::Absent) if field.presence == Presence::Mandatory => return Err(wrong(field, "is mandatory")),
                Ok(Value::Absent) => out.truncate(start),
                Ok(_) => mark = b',',
                Err((_, text)) => return Err(wrong(field, &text)),
            }
        }
        if mark == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }
}

/// The cell that ends a period: a date without a time is the last second of its day, anything else is what it is.
fn end_of_period(cell: Cell<'_>) -> Cell<'_> {
    let midnight = match cell {
        Cell::Date(days) => i64::from(days) * datetime::DAY,
        Cell::Text(text) => match datetime::parse(text) {
            Some(Written::Day(midnight)) => midnight,
            _ => return cell,
        },
        _ => return cell,
    };
    Cell::LocalTime((midnight + datetime::DAY - 1).saturating_mul(1_000_000))
}

/// A value of a JSON object as a cell.
fn cell_of(value: Option<&serde_json::Value>) -> Cell<'_> {
    match value {
        Some(serde_json::Value::String(text)) => Cell::Text(text),
        Some(serde_json::Value::Bool(value)) => Cell::Bool(*value),
        Some(serde_json::Value::Number(number)) => match number.as_i64() {
            Some(whole) => Cell::Int(whole),
            None => number.as_f64().map_or(Cell::Null, Cell::Float),
        },
        Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Cell::Bytes(b""),
        Some(serde_json::Value::Null) | None => Cell::Null,
    }
}

/// Why a number is no moment in seconds since 1970, if it is none. Who writes a date in digits means no second of 1970.
fn no_epoch(number: i64) -> Option<(Rule, &'static str)> {
    const DAY: i64 = 1_000_000;
    let is_date = |digits: i64| {
        let (year, month, day) = (digits / 10_000, digits / 100 % 100, digits % 100);
        (1900..=2100).contains(&year) && datetime::parse(&format!("{year}-{month:02}-{day:02}")).is_some()
    };
    let turned = |digits: i64| digits % 10_000 * 10_000 + digits / 10_000 % 100 * 100 + digits / 1_000_000;
    if is_date(number) || is_date(turned(number)) || is_date(number / DAY) {
        return Some((Rule::Date, "reads as a date written in digits; give a date, or seconds since 1970 in UTC"));
    }
    if number < FIRST_NUMBER {
        let text =
            "is a number below 946684800, the first second of the year 2000: give a date, or seconds since 1970 in UTC";
        return Some((Rule::Range, text));
    }
    let milliseconds = EPOCH.start() * 1000..=EPOCH.end() * 1000;
    (number > *EPOCH.end() && milliseconds.contains(&number))
        .then_some((Rule::Range, "reads as milliseconds; give a date, or seconds since 1970 in UTC"))
}

/// The first second of the year 2000: a smaller number is something else.
const FIRST_NUMBER: i64 = 946_684_800;
/// Moments that make sense: 1970 to 2100.
const EPOCH: std::ops::RangeInclusive<i64> = 0..=4_102_444_800;
/// Most characters of a version.
const VERSION: usize = 255;
/// Most objects of one list.
const MOST_OBJECTS: usize = 200;

fn not_a_date() -> Broken {
    (Rule::Date, "is not a date and time that exists; wanted is YYYY-MM-DDTHH:MM:SS".into())
}

fn wrong_type(wanted: &str) -> Broken {
    (Rule::Type, format!("comes from a column whose type cannot become {wanted}; cast it in the query").into())
}

fn write_guid(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let broken = || (Rule::Guid, Cow::from("is not a GUID; wanted are 32 hex digits, lower case, with hyphens"));
    let value = match as_guid(cell) {
        Cell::Guid(value) => value,
        Cell::Text(text) => guid::parse(text).ok_or_else(broken)?,
        _ => return Err(broken()),
    };
    out.push(b'"');
    guid::write(value, out);
    out.push(b'"');
    Ok(Value::Guid(value))
}

/// Sixteen bytes are a GUID wherever an identifier is wanted: MySQL and SQLite have no type of their own for one.
fn as_guid(cell: Cell<'_>) -> Cell<'_> {
    match cell {
        Cell::Bytes(bytes) => bytes.try_into().map_or(cell, |bytes| Cell::Guid(u128::from_be_bytes(bytes))),
        other => other,
    }
}

fn write_guid_or_text(cell: Cell<'_>, most: usize, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let cell = match cell {
        Cell::Text(text) => guid::parse(text).map_or(cell, Cell::Guid),
        other => as_guid(other),
    };
    write_text(cell, most, out)
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

/// Times by their numbers, bytes in hex: only a difference matters.
fn write_version(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    match cell {
        Cell::Date(days) => write_quoted(itoa::Buffer::new().format(days), out),
        Cell::LocalTime(micros) | Cell::Instant(micros) => write_quoted(itoa::Buffer::new().format(micros), out),
        Cell::Bytes(bytes) if bytes.len() <= VERSION / 2 => {
            write_quoted(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), out);
        }
        Cell::Bytes(_) => return Err(too_long(VERSION)),
        cell => return write_text(cell, VERSION, out),
    }
    Ok(Value::Plain)
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
        | Cell::Undecodable
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

fn write_printed_snils(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let start = out.len();
    write_snils(cell, out)?;
    let digits: Vec<u8> = out.drain(start..).filter(u8::is_ascii_digit).collect();
    out.push(b'"');
    for (at, digit) in digits.into_iter().enumerate() {
        match at {
            3 | 6 => out.push(b'-'),
            9 => out.push(b' '),
            _ => {}
        }
        out.push(digit);
    }
    out.push(b'"');
    Ok(Value::Plain)
}

/// Yes or no, if a cell means one of them.
pub(super) fn truth(cell: Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(value),
        Cell::Int(0) => Some(false),
        Cell::Int(1) => Some(true),
        Cell::Bytes([0]) => Some(false),
        Cell::Bytes([1]) => Some(true),
        Cell::Text(text) | Cell::Decimal(text) => match text.trim().to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "да" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "нет" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn write_bool(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let value = truth(cell).ok_or((Rule::Boolean, Cow::from("is neither yes nor no")))?;
    out.extend_from_slice(if value { b"true" } else { b"false" });
    Ok(Value::Plain)
}

/// The text of a cell that should hold digits; a number counts, but has lost leading zeros.
fn digits_of<'a>(cell: Cell<'a>, shortest: usize) -> Option<Cow<'a, str>> {
    let text = match cell {
        Cell::Text(text) => return Some(text.trim().into()),
        Cell::Int(_) | Cell::Decimal(_) | Cell::Float(_) => whole(cell).filter(|number| *number >= 0)?.to_string(),
        _ => return None,
    };
    Some(format!("{text:0>shortest$}").into())
}

fn write_inn(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let broken = || (Rule::Inn, Cow::from("is not an INN: ten or twelve digits, the last of them check digits"));
    let text = digits_of(cell, 10).ok_or_else(broken)?;
    // Of eleven digits a number has lost the first one of twelve.
    let text = if text.len() == 11 && !matches!(cell, Cell::Text(_)) { format!("0{text}").into() } else { text };
    if !inn::is_valid(&text) {
        return Err(broken());
    }
    write_quoted(&text, out);
    Ok(Value::Plain)
}

fn write_digits(cell: Cell<'_>, counts: &[usize], out: &mut Vec<u8>) -> Result<Value, Broken> {
    let text = digits_of(cell, counts.iter().copied().min().unwrap_or(0));
    let text = text.filter(|text| counts.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(text) = text else {
        let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
        return Err((Rule::Characters, format!("is not {} digits", counts.join(" or ")).into()));
    };
    write_quoted(&text, out);
    Ok(Value::Plain)
}

fn write_oktmo(cell: Cell<'_>, count: usize, out: &mut Vec<u8>) -> Result<Value, Broken> {
    const WHOLE: [usize; 2] = [8, 11];
    let is_text = matches!(cell, Cell::Text(_));
    let fits = |length: usize| length == count || WHOLE.contains(&length);
    let code = digits_of(cell, 0).map(|code| {
        // A number has lost the zero of the regions 01 to 09.
        if is_text || fits(code.len()) || !fits(code.len() + 1) { code } else { format!("0{code}").into() }
    });
    let code = code.filter(|code| fits(code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(first) = code.as_ref().and_then(|code| code.get(..count)) else {
        let text = format!("is not the first {count} digits of an OKTMO code, nor a whole one of 8 or 11 digits");
        return Err((Rule::Characters, text.into()));
    };
    write_quoted(first, out);
    Ok(Value::Plain)
}

fn write_identifier(cell: Cell<'_>, most: usize, out: &mut Vec<u8>) -> Result<Value, Broken> {
    let start = out.len();
    let value = write_text(as_guid(cell), most, out)?;
    let sound = out[start..].iter().all(|byte| byte.is_ascii_alphanumeric() || b"-\"".contains(byte));
    match sound {
        true => Ok(value),
        false => Err((Rule::Characters, "has other characters than Latin letters, digits and hyphens".into())),
    }
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
