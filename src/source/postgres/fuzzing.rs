//! What must hold of the decoder of what the server sends.

use super::binary::{Decoder, Wire};
use super::encoding::Encoding;
use super::numeric;
use crate::fuzzing::Input;
use crate::record::{Cell, RowChunk};

const WIRES: [Wire; 15] = [
    Wire::Bool,
    Wire::Bytea,
    Wire::Int2,
    Wire::Int4,
    Wire::Int8,
    Wire::Float4,
    Wire::Float8,
    Wire::Numeric,
    Wire::Text,
    Wire::PaddedText,
    Wire::Date,
    Wire::Timestamp,
    Wire::TimestampTz,
    Wire::Uuid,
    Wire::AsText,
];

/// The rows are the same wherever the network cuts them, and a copy that was read to its end was so too; a number is a plain decimal of the
/// length that it claims.
pub(crate) fn copy(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let columns = 1 + input.byte() % 4;
    let wires: Vec<Wire> = (0..columns).map(|_| input.pick(WIRES)).collect();
    let piece = 1 + usize::from(input.byte());
    let data = input.rest();
    let (whole, complete) = read(data, &wires, data.len().max(1));
    let (cut, cut_complete) = read(data, &wires, piece);
    assert_eq!((whole.len(), complete), (cut.len(), cut_complete));
    for (one, other) in whole.rows().zip(cut.rows()) {
        for column in 0..wires.len() {
            assert_eq!(one.cell(column), other.cell(column));
            if let Cell::Decimal(text) = one.cell(column) {
                assert!(is_decimal(text), "{text}");
            }
        }
    }
    number(data);
}

/// What was read until the end or the first fault, and whether it was all.
fn read(data: &[u8], wires: &[Wire], piece: usize) -> (RowChunk, bool) {
    let mut decoder = Decoder::new(wires, Encoding::Utf8);
    let mut chunk = RowChunk::default();
    chunk.reset(wires.len());
    for part in data.chunks(piece) {
        decoder.take(part);
        loop {
            match decoder.next_row(&mut chunk) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return (chunk, false),
            }
        }
    }
    let complete = decoder.is_complete();
    (chunk, complete)
}

fn number(field: &[u8]) {
    let mut text = String::new();
    let Ok(Cell::Decimal(text)) = numeric::read(field, &mut text) else { return };
    let head: Vec<i16> = field.chunks_exact(2).take(4).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let most = 4 * (usize::try_from(head[1]).unwrap_or(0) + 1);
    assert!(is_decimal(text) && whole.trim_start_matches('-').len() <= most, "{whole}");
    assert_eq!(fraction.len(), usize::from(head[3].cast_unsigned()));
}

fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole) && digits(fraction)
}
