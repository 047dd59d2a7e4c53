//! Cells: what a database said, before a schema says what it must become.
//!
//! A source fills a [`RowChunk`]; the encoder reads it row by row. Text of a whole chunk sits in one arena, so a
//! row costs no allocation, and a chunk is reused from read to read.

use chrono::DateTime;

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// One value of a row, as the source's own type, borrowed from its chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// Any character type, enums and types the source cannot name better (sent as text).
    Text(&'a str),
    /// A text that is none in its database's encoding, or that has a NUL which the database cannot hand over. Its bytes are not
    /// kept: taken for a binary value they could pass for a GUID.
    Undecodable,
    /// A binary type; sixteen bytes may be a GUID.
    Bytes(&'a [u8]),
    /// A native uuid type.
    Guid(u128),
    /// Any integer type.
    Int(i64),
    /// A binary floating point type.
    Float(f64),
    /// An exact numeric type as decimal text (`-12.50`), never in exponent form.
    Decimal(&'a str),
    /// A boolean type.
    Bool(bool),
    /// A calendar date: days since 1970-01-01.
    Date(i32),
    /// A wall clock without a zone: microseconds since 1970-01-01T00:00:00 on that clock.
    LocalTime(i64),
    /// A point in time: microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
}

impl Cell<'_> {
    /// The value as a database prints it: GUIDs in lower case with hyphens, times as ISO text, points in time in UTC. None for NULL, for a binary
    /// that is no GUID, and for a time outside the calendar, or a text that cannot be decoded.
    pub fn to_text(self) -> Option<String> {
        let guid = |guid: u128| uuid::Uuid::from_u128(guid).to_string();
        let time =
            |micros: i64, form: &str| DateTime::from_timestamp_micros(micros).map(|time| time.format(form).to_string());
        match self {
            Cell::Null | Cell::Undecodable => None,
            Cell::Text(text) | Cell::Decimal(text) => Some(text.to_owned()),
            Cell::Bytes(bytes) => Some(guid(u128::from_be_bytes(bytes.try_into().ok()?))),
            Cell::Guid(of) => Some(guid(of)),
            Cell::Int(number) => Some(number.to_string()),
            Cell::Float(number) => Some(number.to_string()),
            Cell::Bool(is_so) => Some(is_so.to_string()),
            Cell::Date(days) => time(i64::from(days) * DAY_MICROS, "%Y-%m-%d"),
            Cell::LocalTime(micros) => time(micros, "%Y-%m-%dT%H:%M:%S"),
            Cell::Instant(micros) => time(micros, "%Y-%m-%dT%H:%M:%SZ"),
        }
    }
}

/// A cell inside a chunk: text and bytes as ranges of the chunk's arenas.
#[derive(Debug, Clone, Copy)]
enum Packed {
    Null,
    Undecodable,
    Text { at: u32, len: u32 },
    Bytes { at: u32, len: u32 },
    Guid { at: u32 },
    Int(i64),
    Float(f64),
    Decimal { at: u32, len: u32 },
    Bool(bool),
    Date(i32),
    LocalTime(i64),
    Instant(i64),
}

/// Some whole rows of one query's answer. Filled by a source, cell by cell and row after row.
#[derive(Debug, Default)]
pub struct RowChunk {
    columns: usize,
    cells: Vec<Packed>,
    text: String,
    bytes: Vec<u8>,
    guids: Vec<u128>,
}

impl RowChunk {
    /// Empties the chunk and fixes the number of columns of the rows to come. Keeps its memory.
    pub fn reset(&mut self, columns: usize) {
        self.columns = columns;
        self.cells.clear();
        self.text.clear();
        self.bytes.clear();
        self.guids.clear();
    }

    /// Appends one cell. Rows are formed by counting: every `columns` cells are a row.
    #[inline(always)]
    pub fn push(&mut self, cell: Cell<'_>) {
        let packed = match cell {
            Cell::Null => Packed::Null,
            Cell::Undecodable => Packed::Undecodable,
            Cell::Text(text) => {
                let (at, len) = self.keep_text(text);
                Packed::Text { at, len }
            }
            Cell::Decimal(text) => {
                let (at, len) = self.keep_text(text);
                Packed::Decimal { at, len }
            }
            Cell::Bytes(bytes) => {
                let at = self.bytes.len() as u32;
                self.bytes.extend_from_slice(bytes);
                Packed::Bytes { at, len: bytes.len() as u32 }
            }
            Cell::Guid(guid) => {
                let at = self.guids.len() as u32;
                self.guids.push(guid);
                Packed::Guid { at }
            }
            Cell::Int(value) => Packed::Int(value),
            Cell::Float(value) => Packed::Float(value),
            Cell::Bool(value) => Packed::Bool(value),
            Cell::Date(days) => Packed::Date(days),
            Cell::LocalTime(micros) => Packed::LocalTime(micros),
            Cell::Instant(micros) => Packed::Instant(micros),
        };
        self.cells.push(packed);
    }

    #[inline]
    fn keep_text(&mut self, text: &str) -> (u32, u32) {
        let at = self.text.len() as u32;
        self.text.push_str(text);
        (at, text.len() as u32)
    }

    /// Whole rows held now.
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.columns).unwrap_or(0)
    }

    /// True when no whole row is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of text and binary data held: sources bound a chunk by this as well as by rows.
    pub fn arena_bytes(&self) -> usize {
        self.text.len() + self.bytes.len()
    }

    /// The rows, in the order the source gave them.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(move |row| Row { chunk: self, first: row * self.columns })
    }

    fn unpack(&self, packed: Packed) -> Cell<'_> {
        let span = |at: u32, len: u32| at as usize..(at + len) as usize;
        match packed {
            Packed::Null => Cell::Null,
            Packed::Undecodable => Cell::Undecodable,
            Packed::Text { at, len } => Cell::Text(&self.text[span(at, len)]),
            Packed::Decimal { at, len } => Cell::Decimal(&self.text[span(at, len)]),
            Packed::Bytes { at, len } => Cell::Bytes(&self.bytes[span(at, len)]),
            Packed::Guid { at } => Cell::Guid(self.guids[at as usize]),
            Packed::Int(value) => Cell::Int(value),
            Packed::Float(value) => Cell::Float(value),
            Packed::Bool(value) => Cell::Bool(value),
            Packed::Date(days) => Cell::Date(days),
            Packed::LocalTime(micros) => Cell::LocalTime(micros),
            Packed::Instant(micros) => Cell::Instant(micros),
        }
    }
}

/// One row of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    chunk: &'a RowChunk,
    first: usize,
}

impl<'a> Row<'a> {
    /// The cell of the column at `index`; a column the row does not have reads as NULL.
    pub fn cell(&self, index: usize) -> Cell<'a> {
        debug_assert!(index < self.chunk.columns);
        self.chunk.cells.get(self.first + index).map_or(Cell::Null, |packed| self.chunk.unpack(*packed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_gives_back_every_kind_of_cell_it_was_given() {
        let cells = [
            Cell::Null,
            Cell::Text("Иванов"),
            Cell::Undecodable,
            Cell::Bytes(&[1, 2, 3]),
            Cell::Guid(7),
            Cell::Int(-5),
            Cell::Float(1.5),
            Cell::Decimal("10.20"),
            Cell::Bool(true),
            Cell::Date(19_000),
            Cell::LocalTime(1),
            Cell::Instant(2),
        ];
        let mut chunk = RowChunk::default();
        chunk.reset(cells.len());
        for _ in 0..2 {
            cells.iter().for_each(|cell| chunk.push(*cell));
        }
        assert_eq!(chunk.len(), 2);
        for row in chunk.rows() {
            for (index, cell) in cells.iter().enumerate() {
                assert_eq!(row.cell(index), *cell);
            }
        }
    }

    #[test]
    fn a_cell_is_printed_as_its_database_would() {
        let texts = [
            Cell::Null,
            Cell::Text("Иванов"),
            Cell::Bytes(&[0xab; 16]),
            Cell::Bytes(&[1]),
            Cell::Guid(7),
            Cell::Float(20.0),
            Cell::Decimal("10.20"),
            Cell::Date(19_000),
            Cell::LocalTime(1_711_602_000_000_000),
            Cell::Instant(1_711_602_000_500_000),
            Cell::LocalTime(i64::MAX),
        ]
        .map(|cell| cell.to_text().unwrap_or_else(|| "-".to_owned()));
        let expected = [
            "-",
            "Иванов",
            "abababab-abab-abab-abab-abababababab",
            "-",
            "00000000-0000-0000-0000-000000000007",
            "20",
            "10.20",
            "2022-01-08",
            "2024-03-28T05:00:00",
            "2024-03-28T05:00:00Z",
            "-",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn reset_forgets_the_rows_of_the_last_read() {
        let mut chunk = RowChunk::default();
        chunk.reset(1);
        chunk.push(Cell::Text("old"));
        chunk.reset(2);
        chunk.push(Cell::Int(1));
        chunk.push(Cell::Text("new"));
        let rows: Vec<_> = chunk.rows().map(|row| (row.cell(0), row.cell(1))).collect();
        assert_eq!(rows, [(Cell::Int(1), Cell::Text("new"))]);
    }
}
