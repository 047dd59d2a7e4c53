//! Violations: what is wrong with a row, field by field, in the document's own terms and without the row's values.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The rule of the document that a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The field is mandatory and empty.
    Mandatory,
    /// The field is mandatory for this record's type and empty.
    Conditional,
    /// Longer than the document allows, counted in characters.
    Length,
    /// Not one of the document's values.
    Enum,
    /// Not a GUID.
    Guid,
    /// Not a date or time, or one that does not exist.
    Date,
    /// Not a whole number.
    Integer,
    /// Not a number.
    Number,
    /// A number outside the range that makes sense.
    Range,
    /// Not an object identifier of digits and dots.
    Oid,
    /// Not a SNILS, or its check digits are wrong.
    Snils,
    /// Neither yes nor no.
    Boolean,
    /// Not an INN, or its check digits are wrong.
    Inn,
    /// Has characters, or a number of them, that the document does not allow.
    Characters,
    /// Bytes that are no text in the database's encoding.
    Encoding,
    /// Not a JSON array of the objects that the document describes.
    List,
    /// The file that the row names is missing or is not what the portal takes.
    File,
    /// The column's type cannot become this field.
    Type,
    /// Two rows of one scan have this key.
    DuplicateKey,
    /// Two rows of one scan claim one place (a resource at a time, the name of a unit).
    DuplicatePlace,
}

impl Rule {
    /// The rule's name in JSON and in texts.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Mandatory => "mandatory",
            Rule::Conditional => "conditional",
            Rule::Length => "length",
            Rule::Enum => "enum",
            Rule::Guid => "guid",
            Rule::Date => "date",
            Rule::Integer => "integer",
            Rule::Number => "number",
            Rule::Range => "range",
            Rule::Oid => "oid",
            Rule::Snils => "snils",
            Rule::Boolean => "boolean",
            Rule::Inn => "inn",
            Rule::Characters => "characters",
            Rule::Encoding => "encoding",
            Rule::List => "list",
            Rule::File => "file",
            Rule::Type => "type",
            Rule::DuplicateKey => "duplicate_key",
            Rule::DuplicatePlace => "duplicate_place",
        }
    }
}

/// One broken rule of one field. The text names the rule as the document states it and never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The field as named on the wire.
    pub field: Cow<'static, str>,
    /// The rule that is broken.
    pub rule: Rule,
    /// A sentence for the person who mends the row.
    pub text: Cow<'static, str>,
}
