//! PostgreSQL's binary COPY format: a header, then per row a field count and length-prefixed fields, then a trailer. Fields
//! become cells without an allocation; rows may be cut anywhere between two network messages.

use super::super::float::{push_float, widen};
use super::encoding::Encoding;
use super::numeric;
use crate::record::{Cell, RowChunk};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the header's extension.
const HEADER: usize = 19;
/// PostgreSQL counts from 2000-01-01: days and microseconds since 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// How a column is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Bool,
    Bytea,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    /// `char(n)`: its padding is no part of the value.
    PaddedText,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    /// Any other type: the query casts it to text.
    AsText,
}

impl Wire {
    /// By the type's number in `pg_type`.
    pub(super) fn of(oid: u32) -> Self {
        match oid {
            16 => Wire::Bool,
            17 => Wire::Bytea,
            19 | 25 | 1043 => Wire::Text,
            20 => Wire::Int8,
            21 => Wire::Int2,
            23 => Wire::Int4,
            700 => Wire::Float4,
            701 => Wire::Float8,
            1042 => Wire::PaddedText,
            1082 => Wire::Date,
            1114 => Wire::Timestamp,
            1184 => Wire::TimestampTz,
            1700 => Wire::Numeric,
            2950 => Wire::Uuid,
            _ => Wire::AsText,
        }
    }
}

/// The bytes do not follow the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

enum State {
    Header,
    Rows,
    End,
}

/// Reads one COPY.
pub(super) struct Decoder<'w> {
    wires: &'w [Wire],
    encoding: Encoding,
    state: State,
    buffer: Vec<u8>,
    at: usize,
    scratch: String,
}

impl<'w> Decoder<'w> {
    pub(super) fn new(wires: &'w [Wire], encoding: Encoding) -> Self {
        Decoder { wires, encoding, state: State::Header, buffer: Vec::new(), at: 0, scratch: String::new() }
    }

    /// Takes a message of the server.
    pub(super) fn take(&mut self, data: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(data);
    }

    /// True when the trailer was seen and nothing is left over.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::End) && self.at == self.buffer.len()
    }

    /// Appends the next row to `chunk`. False when more data is needed, or none is to come.
    pub(super) fn next_row(&mut self, chunk: &mut RowChunk) -> Result<bool, Malformed> {
        if matches!(self.state, State::Header) && !self.header()? {
            return Ok(false);
        }
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let Some((count, fields)) = rest.split_first_chunk::<2>() else { return Ok(false) };
        match (&self.state, i16::from_be_bytes(*count)) {
            (State::Rows, -1) => {
                self.at += 2;
                self.state = State::End;
                Ok(false)
            }
            (State::Rows, count) if usize::try_from(count) == Ok(self.wires.len()) => {
                let Some(length) = row_length(fields, self.wires.len())? else { return Ok(false) };
                push_row(fields, self.wires, self.encoding, chunk, &mut self.scratch)?;
                self.at += 2 + length;
                Ok(true)
            }
            _ => Err(Malformed),
        }
    }

    fn header(&mut self) -> Result<bool, Malformed> {
        if self.buffer.len() < HEADER {
            return Ok(false);
        }
        if !self.buffer.starts_with(SIGNATURE) {
            return Err(Malformed);
        }
        let extension = self.buffer.get(HEADER - 4..).and_then(<[u8]>::first_chunk).ok_or(Malformed)?;
        let length = HEADER.saturating_add(u32::from_be_bytes(*extension) as usize);
        if self.buffer.len() < length {
            return Ok(false);
        }
        self.at = length;
        self.state = State::Rows;
        Ok(true)
    }
}

/// Takes the field at the front of `rest`; the inner none is NULL, the outer one that the field is not all there.
fn take_field<'a>(rest: &mut &'a [u8]) -> Result<Option<Option<&'a [u8]>>, Malformed> {
    let Some((length, after)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    if length == -1 {
        *rest = after;
        return Ok(Some(None));
    }
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    let Some((field, after)) = after.split_at_checked(length) else { return Ok(None) };
    *rest = after;
    Ok(Some(Some(field)))
}

/// Bytes of a row's fields; none when they are not all there.
fn row_length(fields: &[u8], count: usize) -> Result<Option<usize>, Malformed> {
    let mut rest = fields;
    for _ in 0..count {
        if take_field(&mut rest)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(fields.len() - rest.len()))
}

fn push_row(
    fields: &[u8],
    wires: &[Wire],
    encoding: Encoding,
    chunk: &mut RowChunk,
    scratch: &mut String,
) -> Result<(), Malformed> {
    let mut rest = fields;
    for wire in wires {
        match take_field(&mut rest)?.ok_or(Malformed)? {
            None => chunk.push(Cell::Null),
            Some(field) => push_field(field, *wire, encoding, chunk, scratch)?,
        }
    }
    Ok(())
}

fn push_field(
    field: &[u8],
    wire: Wire,
    encoding: Encoding,
    chunk: &mut RowChunk,
    scratch: &mut String,
) -> Result<(), Malformed> {
    match wire {
        Wire::Text | Wire::AsText => push_text(field, encoding, chunk),
        Wire::PaddedText => push_text(field.trim_ascii_end(), encoding, chunk),
        Wire::Uuid => chunk.push(Cell::Guid(u128::from_be_bytes(exact(field)?))),
        Wire::Int2 => chunk.push(Cell::Int(i16::from_be_bytes(exact(field)?).into())),
        Wire::Int4 => chunk.push(Cell::Int(i32::from_be_bytes(exact(field)?).into())),
        Wire::Int8 => chunk.push(Cell::Int(i64::from_be_bytes(exact(field)?))),
        Wire::Bool => chunk.push(Cell::Bool(exact::<1>(field)? != [0])),
        Wire::Bytea => chunk.push(Cell::Bytes(field)),
        Wire::Date => push_date(i32::from_be_bytes(exact(field)?), chunk),
        Wire::Timestamp => push_time(i64::from_be_bytes(exact(field)?), Cell::LocalTime, chunk),
        Wire::TimestampTz => push_time(i64::from_be_bytes(exact(field)?), Cell::Instant, chunk),
        Wire::Float8 => push_float(f64::from_be_bytes(exact(field)?), chunk),
        Wire::Float4 => push_float(widen(f32::from_be_bytes(exact(field)?)), chunk),
        Wire::Numeric => chunk.push(numeric::read(field, scratch)?),
    }
    Ok(())
}

fn exact<const N: usize>(field: &[u8]) -> Result<[u8; N], Malformed> {
    field.try_into().map_err(|_| Malformed)
}

fn push_text(field: &[u8], encoding: Encoding, chunk: &mut RowChunk) {
    match encoding.text(field) {
        Some(text) => chunk.push(Cell::Text(&text)),
        None => chunk.push(Cell::Undecodable),
    }
}

fn push_date(days: i32, chunk: &mut RowChunk) {
    match days {
        i32::MAX => chunk.push(Cell::Text("infinity")),
        i32::MIN => chunk.push(Cell::Text("-infinity")),
        days => chunk.push(Cell::Date(days.saturating_add(EPOCH_DAYS))),
    }
}

fn push_time(micros: i64, cell: impl Fn(i64) -> Cell<'static>, chunk: &mut RowChunk) {
    match micros {
        i64::MAX => chunk.push(Cell::Text("infinity")),
        i64::MIN => chunk.push(Cell::Text("-infinity")),
        micros => chunk.push(cell(micros.saturating_add(EPOCH_MICROS))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut data = [SIGNATURE, &[0; 8]].concat();
        for row in rows {
            data.extend((row.len() as i16).to_be_bytes());
            for field in *row {
                data.extend(field.map_or(-1, |field| field.len() as i32).to_be_bytes());
                data.extend(field.unwrap_or_default());
            }
        }
        data.extend((-1i16).to_be_bytes());
        data
    }

    fn read_in_pieces(data: &[u8], wires: &[Wire], piece: usize) -> RowChunk {
        let mut decoder = Decoder::new(wires, Encoding::Utf8);
        let mut chunk = RowChunk::default();
        chunk.reset(wires.len());
        for part in data.chunks(piece) {
            decoder.take(part);
            while decoder.next_row(&mut chunk).unwrap() {}
        }
        assert!(decoder.is_complete());
        chunk
    }

    #[test]
    fn rows_cut_anywhere_read_the_same() {
        let (one, two) = (1i32.to_be_bytes(), 2i32.to_be_bytes());
        let data = copy(&[&[Some(&one), Some("Ж".as_bytes())], &[Some(&two), None]]);
        for piece in 1..=data.len() {
            let chunk = read_in_pieces(&data, &[Wire::Int4, Wire::Text], piece);
            let rows: Vec<_> = chunk.rows().map(|row| (row.cell(0), row.cell(1))).collect();
            assert_eq!(rows, [(Cell::Int(1), Cell::Text("Ж")), (Cell::Int(2), Cell::Null)], "{piece}");
        }
    }

    #[test]
    fn what_is_no_number_or_time_is_handed_on_as_text() {
        let (date, time) = (i32::MAX.to_be_bytes(), i64::MIN.to_be_bytes());
        let (nan, float) = (f64::NAN.to_be_bytes(), f32::INFINITY.to_be_bytes());
        let wires = [Wire::Date, Wire::TimestampTz, Wire::Float8, Wire::Float4];
        let chunk = read_in_pieces(&copy(&[&[Some(&date), Some(&time), Some(&nan), Some(&float)]]), &wires, 1000);
        let row = chunk.rows().next().unwrap();
        let cells = [0, 1, 2, 3].map(|index| row.cell(index));
        assert_eq!(cells, ["infinity", "-infinity", "NaN", "infinity"].map(Cell::Text));
    }

    #[test]
    fn padding_is_cut_and_what_is_no_text_is_undecodable() {
        let chunk = read_in_pieces(&copy(&[&[Some(b"ab  "), Some(b"\xff")]]), &[Wire::PaddedText, Wire::Text], 1000);
        let row = chunk.rows().next().unwrap();
        assert_eq!((row.cell(0), row.cell(1)), (Cell::Text("ab"), Cell::Undecodable));
    }

    #[test]
    fn bytes_that_are_no_copy_are_refused() {
        let mut chunk = RowChunk::default();
        chunk.reset(1);
        for data in [vec![7; 40], copy(&[&[Some(b"a"), Some(b"b")]]), copy(&[&[Some(b"abc")]])] {
            let mut decoder = Decoder::new(&[Wire::Int4], Encoding::Utf8);
            decoder.take(&data);
            assert_eq!(decoder.next_row(&mut chunk), Err(Malformed));
        }
    }

    #[test]
    fn a_copy_without_its_trailer_is_not_complete() {
        let data = copy(&[&[Some(b"a")]]);
        let mut decoder = Decoder::new(&[Wire::Text], Encoding::Utf8);
        decoder.take(&data[..data.len() - 2]);
        let mut chunk = RowChunk::default();
        chunk.reset(1);
        assert_eq!(decoder.next_row(&mut chunk), Ok(true));
        assert_eq!(decoder.next_row(&mut chunk), Ok(false));
        assert!(!decoder.is_complete());
    }
}
