//! Cells as bytes: a mark of the kind, then the value, texts and bytes behind their length.

use crate::record::{Cell, RowChunk};

/// The bytes are no cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Appends the cells of a chunk of so many columns.
pub(super) fn write(chunk: &RowChunk, columns: usize, out: &mut Vec<u8>) {
    for row in chunk.rows() {
        (0..columns).for_each(|column| write_cell(row.cell(column), out));
    }
}

fn write_cell(cell: Cell<'_>, out: &mut Vec<u8>) {
    let mut put = |mark: u8, value: &[u8]| {
        out.push(mark);
        out.extend_from_slice(value);
    };
    match cell {
        Cell::Null => put(b'n', &[]),
        Cell::Undecodable => put(b'u', &[]),
        Cell::Text(text) => put_long(b't', text.as_bytes(), out),
        Cell::Decimal(text) => put_long(b'd', text.as_bytes(), out),
        Cell::Bytes(bytes) => put_long(b'b', bytes, out),
        Cell::Guid(value) => put(b'g', &value.to_le_bytes()),
        Cell::Int(value) => put(b'i', &value.to_le_bytes()),
        Cell::Float(value) => put(b'f', &value.to_le_bytes()),
        Cell::Bool(value) => put(b'o', &[u8::from(value)]),
        Cell::Date(days) => put(b'D', &days.to_le_bytes()),
        Cell::LocalTime(micros) => put(b'L', &micros.to_le_bytes()),
        Cell::Instant(micros) => put(b'I', &micros.to_le_bytes()),
    }
}

fn put_long(mark: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value);
}

/// Appends all cells to a chunk.
pub(super) fn read(mut bytes: &[u8], chunk: &mut RowChunk) -> Result<(), Malformed> {
    while let Some((mark, rest)) = bytes.split_first() {
        bytes = rest;
        let cell = match mark {
            b'n' => Cell::Null,
            b'u' => Cell::Undecodable,
            b't' => Cell::Text(text(&mut bytes)?),
            b'd' => Cell::Decimal(text(&mut bytes)?),
            b'b' => Cell::Bytes(long(&mut bytes)?),
            b'g' => Cell::Guid(u128::from_le_bytes(fixed(&mut bytes)?)),
            b'i' => Cell::Int(i64::from_le_bytes(fixed(&mut bytes)?)),
            b'f' => Cell::Float(f64::from_le_bytes(fixed(&mut bytes)?)),
            b'o' => Cell::Bool(fixed::<1>(&mut bytes)? != [0]),
            b'D' => Cell::Date(i32::from_le_bytes(fixed(&mut bytes)?)),
            b'L' => Cell::LocalTime(i64::from_le_bytes(fixed(&mut bytes)?)),
            b'I' => Cell::Instant(i64::from_le_bytes(fixed(&mut bytes)?)),
            _ => return Err(Malformed),
        };
        chunk.push(cell);
    }
    Ok(())
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (value, rest) = bytes.split_first_chunk::<N>().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*value)
}

fn long<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], Malformed> {
    let length = usize::try_from(u64::from_le_bytes(fixed(bytes)?)).map_err(|_| Malformed)?;
    let (value, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(value)
}

fn text<'b>(bytes: &mut &'b [u8]) -> Result<&'b str, Malformed> {
    std::str::from_utf8(long(bytes)?).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_cell_comes_back_as_it_was() {
        let cells = [
            Cell::Null,
            Cell::Undecodable,
            Cell::Text("Ёж"),
            Cell::Text(""),
            Cell::Decimal("-12.50"),
            Cell::Bytes(&[0, 255]),
            Cell::Guid(u128::MAX - 1),
            Cell::Int(i64::MIN),
            Cell::Float(-0.1),
            Cell::Bool(true),
            Cell::Date(-7),
            Cell::LocalTime(1),
            Cell::Instant(i64::MAX),
        ];
        let (mut chunk, mut bytes) = (RowChunk::default(), Vec::new());
        chunk.reset(cells.len());
        (0..2).for_each(|_| cells.iter().for_each(|cell| chunk.push(*cell)));
        write(&chunk, cells.len(), &mut bytes);
        let mut back = RowChunk::default();
        back.reset(cells.len());
        read(&bytes, &mut back).unwrap();
        assert_eq!(back.len(), 2);
        for row in back.rows() {
            for (column, cell) in cells.iter().enumerate() {
                assert_eq!(row.cell(column), *cell);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_cells_are_refused() {
        for bytes in [&b"x"[..], b"i1234567", b"t\x05\0\0\0\0\0\0\0Ab", b"t\x01\0\0\0\0\0\0\0\xff"] {
            let mut chunk = RowChunk::default();
            chunk.reset(1);
            assert_eq!(read(bytes, &mut chunk), Err(Malformed));
        }
    }
}
