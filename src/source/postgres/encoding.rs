//! The encoding in which a database keeps its texts. Where it is not UTF-8, the server would refuse a whole statement for one byte that
//! it cannot convert; so texts come as they are stored and are decoded here, and only their own row suffers.

use std::borrow::Cow;

/// How texts of a database are asked for and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// They are UTF-8.
    Utf8,
    /// `SQL_ASCII`: the server does not know, and converts nothing. What is UTF-8 is read as such.
    Unknown,
    /// A table of ours decodes them.
    Table(Table),
    /// The server converts them, and refuses the statement where it cannot.
    Server,
}

/// A single-byte encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    /// As PostgreSQL calls it.
    name: &'static str,
    table: &'static encoding_rs::Encoding,
    /// A byte that is no character, whatever the table says.
    hole: Option<u8>,
}

const TABLES: &[Table] = &[
    Table { name: "WIN1251", table: encoding_rs::WINDOWS_1251, hole: Some(0x98) },
    Table { name: "KOI8R", table: encoding_rs::KOI8_R, hole: None },
    Table { name: "WIN866", table: encoding_rs::IBM866, hole: None },
    Table { name: "ISO_8859_5", table: encoding_rs::ISO_8859_5, hole: None },
];

impl Encoding {
    /// By the server's name of it.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "UTF8" => Encoding::Utf8,
            "SQL_ASCII" => Encoding::Unknown,
            _ => {
                TABLES.iter().find(|table| table.name == name).map_or(Encoding::Server, |table| Encoding::Table(*table))
            }
        }
    }

    /// The expression that gives a text as this encoding is read.
    pub(super) fn asked(self, expression: &str) -> String {
        match self {
            Encoding::Utf8 | Encoding::Server => format!("{expression}::text"),
            Encoding::Unknown => format!("convert_to({expression}::text, 'SQL_ASCII')"),
            Encoding::Table(table) => format!("convert_to({expression}::text, '{}')", table.name),
        }
    }

    /// The text that these bytes are, if they are one.
    pub(super) fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Encoding::Table(table) if table.hole.is_some_and(|hole| bytes.contains(&hole)) => None,
            Encoding::Table(table) => table.table.decode_without_bom_handling_and_without_replacement(bytes),
            Encoding::Utf8 | Encoding::Unknown | Encoding::Server => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        }
    }

    /// What a site should know of this encoding, whose name is `name`.
    pub(super) fn advice(self, name: &str) -> Option<String> {
        let keeps = format!("the database keeps its texts in {name}");
        match self {
            Encoding::Utf8 | Encoding::Table(Table { hole: None, .. }) => None,
            Encoding::Unknown => Some(format!(
                "{keeps}, that is, as bytes of no known encoding: a row with a text that is not UTF-8 is rejected by its key. Where \
                 the texts are windows-1251, let the view give \
                 convert_from(convert(convert_to(COLUMN, 'SQL_ASCII'), 'WIN1251', 'UTF8'), 'SQL_ASCII')"
            )),
            Encoding::Table(Table { hole: Some(hole), .. }) => Some(format!(
                "{keeps}: a row with a text that has the byte {hole:#x}, which is no character of it, is rejected by its key. \
                 Correct such rows, or let the view give replace(COLUMN, chr({hole}), '')"
            )),
            Encoding::Server => Some(format!(
                "{keeps}, which the server converts to UTF-8: one text that it cannot convert fails the whole read with SQLSTATE \
                 22P05. Let the view give only what can be converted"
            )),
        }
    }

    /// False for a text that the database cannot hold: the server would refuse a statement that has it.
    pub(super) fn holds(self, text: &str) -> bool {
        match self {
            Encoding::Table(table) => !table.table.encode(text).2,
            Encoding::Utf8 | Encoding::Unknown | Encoding::Server => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_no_character_makes_no_text() {
        let windows = Encoding::of("WIN1251");
        assert_eq!(windows.text(b"\xc8\xe2\xe0\xed").as_deref(), Some("Иван"));
        assert_eq!(windows.text(b"\xc8\x98"), None);
        assert_eq!(Encoding::of("SQL_ASCII").text(b"\xc8\xe2"), None);
        assert_eq!(Encoding::of("SQL_ASCII").text("Иван".as_bytes()).as_deref(), Some("Иван"));
    }

    #[test]
    fn a_text_that_the_database_cannot_hold_is_told() {
        assert!(Encoding::of("WIN1251").holds("Ёж"));
        assert!(!Encoding::of("WIN1251").holds("Ә"));
        assert!(Encoding::of("UTF8").holds("Ә"));
    }
}
