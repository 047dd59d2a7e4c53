//! One value a row. The driver copies every value it hands from SQLite's thread to ours, under locks that both threads fight for;
//! a row of nine columns costs ten times what SQLite needs to read it. So the statement packs a row into one text of SQL literals,
//! which keep each cell's storage class, and we take it apart. SQLite's functions end a text at a NUL, so one that has a NUL is only named.

use std::fmt::Write as _;

use super::super::float::push_float;
use super::super::{Column, Engine, sql};
use crate::record::{Cell, RowChunk};

/// Arguments that every build of SQLite lets a function have.
const MOST_ARGUMENTS: usize = 100;

/// What stands for a text that has a NUL.
const CUT_SHORT: &str = "NUL";

/// The row is no list of as many literals as there are columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The expression that packs these columns of `q`.
pub(super) fn expression<'c>(columns: impl IntoIterator<Item = &'c Column>) -> String {
    let literal = |column: &Column| {
        let name = format!("q.{}", sql::name(Engine::Sqlite, &column.name));
        format!("iif(instr({name}, char(0)) AND typeof({name}) = 'text', '{CUT_SHORT}', quote({name}))")
    };
    let quoted: Vec<_> = columns.into_iter().map(literal).collect();
    let mut packed = String::new();
    for part in quoted.chunks(MOST_ARGUMENTS) {
        let joint = if packed.is_empty() { "" } else { " || ',' || " };
        // Writing to a string cannot fail.
        let _ = write!(packed, "{joint}concat_ws(',', {})", part.join(", "));
    }
    packed
}

/// Takes a packed row apart into `count` cells. `scratch` is memory to work in.
pub(super) fn unpack(row: &[u8], count: usize, chunk: &mut RowChunk, scratch: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut rest = row;
    for index in 0..count {
        if index > 0 {
            rest = rest.strip_prefix(b",").ok_or(Malformed)?;
        }
        rest = match rest {
            [b'\'', inside @ ..] => push_text(inside, chunk, scratch)?,
            [b'X' | b'x', b'\'', digits @ ..] => push_blob(digits, chunk, scratch)?,
            plain => push_plain(plain, chunk)?,
        };
    }
    if rest.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// A text up to the quote that is not doubled.
fn push_text<'r>(inside: &'r [u8], chunk: &mut RowChunk, scratch: &mut Vec<u8>) -> Result<&'r [u8], Malformed> {
    let cell = |text| std::str::from_utf8(text).map_or(Cell::Undecodable, Cell::Text);
    let (text, mut rest) = split(inside)?;
    if rest.first() != Some(&b'\'') {
        chunk.push(cell(text));
        return Ok(rest);
    }
    scratch.clear();
    scratch.extend_from_slice(text);
    while let Some(after) = rest.strip_prefix(b"'") {
        let (text, behind) = split(after)?;
        scratch.push(b'\'');
        scratch.extend_from_slice(text);
        rest = behind;
    }
    chunk.push(cell(scratch.as_slice()));
    Ok(rest)
}

fn push_blob<'r>(digits: &'r [u8], chunk: &mut RowChunk, scratch: &mut Vec<u8>) -> Result<&'r [u8], Malformed> {
    let (digits, rest) = split(digits)?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or(Malformed);
    scratch.clear();
    for pair in digits.chunks(2) {
        let [high, low] = *pair else { return Err(Malformed) };
        scratch.push((nibble(high)? << 4 | nibble(low)?) as u8);
    }
    chunk.push(Cell::Bytes(scratch));
    Ok(rest)
}

/// NULL, an integer, a float, or the mark of a text with a NUL.
fn push_plain<'r>(plain: &'r [u8], chunk: &mut RowChunk) -> Result<&'r [u8], Malformed> {
    let end = plain.iter().position(|byte| *byte == b',').unwrap_or(plain.len());
    let (literal, rest) = plain.split_at(end);
    let literal = std::str::from_utf8(literal).map_err(|_| Malformed)?;
    if literal == "NULL" {
        chunk.push(Cell::Null);
    } else if literal == CUT_SHORT {
        chunk.push(Cell::Undecodable);
    } else if let Ok(integer) = literal.parse() {
        chunk.push(Cell::Int(integer));
    } else {
        push_float(literal.parse().map_err(|_| Malformed)?, chunk);
    }
    Ok(rest)
}

/// What stands before the next quote, and what after it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let quote = bytes.iter().position(|byte| *byte == b'\'').ok_or(Malformed)?;
    let (before, from) = bytes.split_at(quote);
    Ok((before, from.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(row: &[u8], count: usize) -> Result<RowChunk, Malformed> {
        let mut chunk = RowChunk::default();
        chunk.reset(count);
        unpack(row, count, &mut chunk, &mut Vec::new()).map(|()| chunk)
    }

    #[test]
    fn every_literal_becomes_its_cell() {
        let row = "NULL,-7,2.5,'','it''s, ''''','Ж',X'00fF',9.0e+999,9223372036854775807";
        let chunk = unpacked(row.as_bytes(), 9).unwrap();
        let row = chunk.rows().next().unwrap();
        let expected = [
            Cell::Null,
            Cell::Int(-7),
            Cell::Float(2.5),
            Cell::Text(""),
            Cell::Text("it's, ''"),
            Cell::Text("Ж"),
            Cell::Bytes(&[0, 0xff]),
            Cell::Text("infinity"),
            Cell::Int(i64::MAX),
        ];
        for (index, cell) in expected.iter().enumerate() {
            assert_eq!(row.cell(index), *cell);
        }
    }

    #[test]
    fn a_text_that_is_no_utf8_is_undecodable() {
        let chunk = unpacked(b"'\xff''\xfe',NUL", 2).unwrap();
        let row = chunk.rows().next().unwrap();
        assert_eq!((row.cell(0), row.cell(1)), (Cell::Undecodable, Cell::Undecodable));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for (row, count) in [("'a", 1), ("1,2", 1), ("1", 2), ("1;2", 2), ("X'0'", 1), ("X'zz'", 1), ("what", 1)] {
            assert!(unpacked(row.as_bytes(), count).is_err(), "{row}");
        }
    }

    #[test]
    fn many_columns_are_packed_in_several_calls() {
        let column = |index| Column { name: format!("c{index}"), type_name: "text".into() };
        let columns: Vec<_> = (0..150).map(column).collect();
        assert_eq!(expression(&columns).matches("concat_ws").count(), 2);
    }
}
