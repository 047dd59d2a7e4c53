//! Schemas: the tables of the portals' documents as data. A feed is one static [`Schema`] that reads like its appendix.

/// One feed's table: what its records look like and how they hang together with records of other feeds.
#[derive(Debug)]
pub struct Schema {
    /// The feed's name inside its portal: `slot`.
    pub feed: &'static str,
    /// Where the document describes it, for reports: `приложение 1, таблица 4`.
    pub table: &'static str,
    /// The fields in the order in which they go over the wire.
    pub fields: &'static [Field],
    /// The field that is the record's key.
    pub key: &'static str,
    /// The enum field that conditional fields depend on.
    pub discriminator: Option<&'static str>,
    /// The records this one needs at the portal before it.
    pub parents: &'static [Edge],
    /// The unit (department) whose block by the portal also stops this record.
    pub unit: Unit,
    /// When the record's time is past, so that its leaving the source is no deletion.
    pub expires: Expiry,
    /// Fields that together may be held by one record only; empty if the portal has no such rule.
    pub place: &'static [&'static str],
    /// The enum field that children look at (`RECORDED` slots).
    pub status: Option<&'static str>,
    /// The values of that field under which nothing that counts hangs on a record, so that it may be taken away for a moment to free its
    /// place. The best first.
    pub spare: &'static [&'static str],
    /// The values of that field under which a record gives its place up to a record of another status: such a record is over, and the other
    /// one is what counts.
    pub yields: &'static [&'static str],
    /// Feeds whose records the portal itself removes together with a parent of this feed. All that the document names, at any
    /// depth; children that are not named must be removed first.
    pub cascades: &'static [&'static str],
    /// True for the feed whose changes the document wants at the portal within seconds: it never waits for the others.
    pub urgent: bool,
    /// True when a row tells of a person, so that a key which cannot be read may be a name or a person's number.
    pub persons: bool,
    /// Fields whose salted hash is the key of a row that brings none; empty where the key must be there. None of them may be shown.
    pub derived_key: &'static [&'static str],
    /// Fields of words, ids and codes that a recording of exchanges shows as they are, because they can tell nothing of a person. Every other
    /// field that could is replaced by a stand-in: see [`Schema::discloses`].
    pub shown: &'static [&'static str],
}

/// One row of a document's table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Name on the wire and of the source's column.
    pub name: &'static str,
    /// What a cell must become.
    pub kind: Kind,
    /// Whether it must be there.
    pub presence: Presence,
}

/// What a cell must become on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// GUID, lower case with hyphens.
    Guid,
    /// Object identifier: digits and dots.
    Oid,
    /// Text of at most this many characters.
    Text(usize),
    /// Text that identifies something, of at most this many characters. A native uuid and sixteen bytes become a GUID's text.
    IdText(usize),
    /// As [`Kind::IdText`]; a text that is a GUID in any hex form becomes its canonical form, so that each spelling is one value.
    GuidOrText(usize),
    /// Whole number in a range.
    Int {
        /// Smallest value that makes sense.
        min: i64,
        /// Largest value that makes sense.
        max: i64,
    },
    /// Decimal number, not negative.
    Number,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// One of these words, after other names of them are translated.
    EnumWithAliases(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// One or several of these words, joined by commas.
    EnumList(&'static [&'static str]),
    /// One of these numbers.
    IntEnum(&'static [i64]),
    /// `YYYY-MM-DDTHH:MM:SS` on the source's clock.
    Time,
    /// End of a period: as [`Kind::Time`]; a date without a time is the last second of that day.
    PeriodEnd,
    /// Start of a visit: as [`Kind::Time`], on the clock that the setting `visit_time_zone` names.
    VisitTime,
    /// SNILS: eleven digits.
    Snils,
    /// SNILS in its printed form: `XXX-XXX-XXX XX`.
    PrintedSnils,
    /// Yes or no: `true`, `false`.
    Bool,
    /// `YYYY-MM-DD` on the source's clock.
    Date,
    /// A moment as seconds since 1970-01-01T00:00:00Z. A cell that is such a number already, from the year 2000 on, is taken as it is.
    Epoch,
    /// End of a period: as [`Kind::Epoch`]; a date without a time is the last second of that day.
    EpochEnd,
    /// INN, the taxpayer's number: ten digits or twelve, with their check digits.
    Inn,
    /// The first so many digits of an OKTMO code. One that is given whole (eight or eleven digits) is cut.
    Oktmo(usize),
    /// Digits only, as many as one of these numbers says.
    Digits(&'static [usize]),
    /// Latin letters, digits and hyphens, at most so many.
    Identifier(usize),
    /// Anything that differs when the content behind a record differs: text, a number, a time, a row version's bytes.
    Version,
    /// A JSON array of objects, each with these fields, at least one object.
    Objects(&'static [Field]),
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always.
    Mandatory,
    /// Left out when the cell is empty.
    Optional,
    /// Mandatory when the discriminator has this value, left out («не указывается») when it has another.
    OnlyWhen(&'static str),
    /// Mandatory when the discriminator has this value, optional otherwise.
    MandatoryWhen(&'static str),
    /// Mandatory under a condition, left out otherwise.
    OnlyIf(Condition),
    /// Optional under a condition, left out otherwise.
    OptionalIf(Condition),
    /// Mandatory under a condition, optional otherwise.
    MandatoryIf(Condition),
    /// Always; an empty cell goes out as an empty text.
    OrEmpty,
    /// Optional yes or no. A no withdraws the record: beside it only the key counts, and no other field is checked or sent.
    Withdraws,
    /// Never sent: the portal's own id of the record, where it has one from before. It is no part of the record's version.
    RemoteId,
}

impl Presence {
    /// The condition on another field under which it must, or may, be there.
    pub const fn condition(self) -> Option<Condition> {
        match self {
            Presence::OnlyIf(condition) | Presence::OptionalIf(condition) | Presence::MandatoryIf(condition) => {
                Some(condition)
            }
            Presence::Mandatory
            | Presence::Optional
            | Presence::OnlyWhen(_)
            | Presence::MandatoryWhen(_)
            | Presence::OrEmpty
            | Presence::Withdraws
            | Presence::RemoteId => None,
        }
    }
}

/// Another field has one of these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The other field: an enum, or yes and no.
    pub field: &'static str,
    /// Its values; `true` and `false` for yes and no, an empty one where nothing is there.
    pub values: &'static [&'static str],
}

impl Condition {
    /// The condition in words: `paid is true`.
    pub fn told(&self) -> String {
        let values: Vec<_> = self.values.iter().map(|value| if value.is_empty() { "empty" } else { value }).collect();
        format!("{} is {}", self.field, values.join(" or "))
    }
}

/// A field of one record that names a record of another feed.
#[derive(Debug)]
pub struct Edge {
    /// The field with the parent's key.
    pub field: &'static str,
    /// The parent's feed.
    pub feed: &'static str,
    /// What of the parent the child waits for.
    pub hold: Hold,
}

/// What a child waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The parent is accepted.
    Accepted,
    /// The parent is accepted; for children whose `field` is one of `values`, accepted with this `status`.
    AcceptedAs {
        /// Status that the portal acknowledged for the parent.
        status: &'static str,
        /// Field of the child that decides.
        field: &'static str,
        /// Values of that field for which the parent's status matters.
        values: &'static [&'static str],
    },
    /// The parent is accepted, if it is ours at all: another hospital's record holds nobody up.
    AcceptedIfOurs,
    /// Nothing: the edge only orders the feeds.
    OrderOnly,
}

/// Which unit a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The record is the unit.
    Itself,
    /// This field names it.
    Field(&'static str),
    /// This field names it, if it is one of ours at all: another hospital's unit is no unit of ours.
    FieldIfOurs(&'static str),
    /// That of the parent which this field names.
    OfParent(&'static str),
    /// The portal has no units.
    None,
}

/// When a record's time is past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// At the time in this field.
    At(&'static str),
    /// When the parent which this field names is past.
    WithParent(&'static str),
}

/// A mandatory field.
pub const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Mandatory }
}

/// An optional field.
pub const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Optional }
}

/// A mandatory field that may be empty.
pub const fn or_empty(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::OrEmpty }
}

/// A field whose no withdraws the record.
pub const fn withdraws(name: &'static str) -> Field {
    Field { name, kind: Kind::Bool, presence: Presence::Withdraws }
}

/// A column with the portal's own id of the record.
pub const fn remote_id(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::RemoteId }
}

/// A field that is mandatory for one type and absent from the others.
pub const fn only_when(value: &'static str, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::OnlyWhen(value) }
}

/// A field that is mandatory for one type and optional for the others.
pub const fn must_when(value: &'static str, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::MandatoryWhen(value) }
}

/// A field that is mandatory under a condition and absent otherwise.
pub const fn only_if(condition: Condition, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::OnlyIf(condition) }
}

/// A field that is optional under a condition and absent otherwise.
pub const fn may_if(condition: Condition, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::OptionalIf(condition) }
}

/// A field that is mandatory under a condition and optional otherwise.
pub const fn must_if(condition: Condition, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::MandatoryIf(condition) }
}

impl Kind {
    /// True for values that cannot name a person, whatever the row says: words of a list, truth, amounts, times, public codes.
    pub const fn is_impersonal(self) -> bool {
        match self {
            Kind::Oid
            | Kind::Int { .. }
            | Kind::Number
            | Kind::Enum(_)
            | Kind::EnumWithAliases(..)
            | Kind::EnumList(_)
            | Kind::IntEnum(_)
            | Kind::Time
            | Kind::PeriodEnd
            | Kind::VisitTime
            | Kind::Bool
            | Kind::Date
            | Kind::Epoch
            | Kind::EpochEnd
            | Kind::Oktmo(_) => true,
            Kind::Guid
            | Kind::Text(_)
            | Kind::IdText(_)
            | Kind::GuidOrText(_)
            | Kind::Snils
            | Kind::PrintedSnils
            | Kind::Inn
            | Kind::Digits(_)
            | Kind::Identifier(_)
            | Kind::Version
            | Kind::Objects(_) => false,
        }
    }
}

impl Schema {
    /// True when a recording of exchanges shows this field's values; they are then nothing that could name a person.
    pub fn discloses(&self, field: &Field) -> bool {
        field.kind.is_impersonal() || self.shown.contains(&field.name)
    }

    /// Position of the field with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The position of a word in the enum of the status field.
    pub fn status_number(&self, status: &str) -> Option<u8> {
        let position = self.position(self.status?)?;
        match self.fields[position].kind {
            Kind::Enum(words) => words.iter().position(|word| *word == status).and_then(|at| u8::try_from(at).ok()),
            _ => None,
        }
    }

    /// The positions of the statuses under which nothing that counts hangs on a record, the best first.
    pub fn spare_statuses(&self) -> impl Iterator<Item = u8> {
        self.spare.iter().filter_map(|status| self.status_number(status))
    }

    /// The positions of the statuses under which a record gives its place up.
    pub fn yielding_statuses(&self) -> impl Iterator<Item = u8> {
        self.yields.iter().filter_map(|status| self.status_number(status))
    }

    /// The edges that can hold a child back, in the order in which the ledger keeps parent keys.
    pub fn holding_edges(&self) -> impl Iterator<Item = &'static Edge> {
        self.parents.iter().filter(|edge| edge.hold != Hold::OrderOnly)
    }
}
