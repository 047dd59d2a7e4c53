//! The encoder: one pass over a row's cells that checks it against its schema and writes its canonical body.
//!
//! An encoder is bound once per read to the columns of a query and then used for every row; it allocates only when a
//! row breaks a rule. [`Encoder::encode`] leaves the body and what was learnt on the way inside the encoder, because most rows
//! turn out unchanged and need nothing but their key and fingerprint.

mod keys;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use xxhash_rust::xxh3::xxh3_64;

pub use self::keys::KeyReader;
use super::field::{FieldWriter, Value};
use super::{
    Cell, Condition, Edge, Expiry, Field, Fingerprint, Hold, Key, KeyId, Kind, Presence, Row, Rule, Schema, Unit,
    Violation, guid,
};

/// On which clock the start of a visit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VisitTimeZone {
    /// The source's wall clock, without a zone.
    #[default]
    Source,
    /// Universal time, without a zone.
    Utc,
    /// The source's wall clock, with its offset: `+05:00`.
    Offset,
}

/// What an encoder needs to know beside its schema.
#[derive(Debug, Clone)]
pub struct EncodeSettings {
    /// Zone of the source's zone-less times.
    pub zone: Tz,
    /// On which clock the start of a visit is written.
    pub visit_time_zone: VisitTimeZone,
    /// Values for fields that the source leaves empty, by field name.
    pub defaults: BTreeMap<String, String>,
    /// Keeps derived keys from being guessed. Must never change while the ledger knows records by such keys.
    pub salt: Option<Salt>,
}

/// The secret behind derived keys.
#[derive(Clone)]
pub struct Salt(aws_lc_rs::hmac::Key);

impl Salt {
    /// A salt of these bytes.
    pub fn new(secret: &[u8]) -> Self {
        Salt(aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret))
    }

    /// A key of 32 hex digits that stands for these bytes.
    fn key_of(&self, bytes: &[u8]) -> String {
        let tag = aws_lc_rs::hmac::sign(&self.0, bytes);
        tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt")
    }
}

/// A query's columns do not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Columns that every record must have.
    #[error("the query of feed {feed} lacks the mandatory column(s) {} ({table})", columns.join(", "))]
    Missing {
        /// The feed.
        feed: &'static str,
        /// Where the document says so.
        table: &'static str,
        /// The columns.
        columns: Vec<&'static str>,
    },
    /// Two columns of one name.
    #[error("the query of feed {feed} returns the column {column} more than once")]
    Twice {
        /// The feed.
        feed: &'static str,
        /// The column.
        column: &'static str,
    },
}

/// What a changed record carries beside its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its key.
    pub key: Key,
    /// The fingerprint of its body.
    pub fingerprint: Fingerprint,
    /// Keys of its parents, in the order of the schema's holding edges.
    pub parents: [Option<Key>; 2],
    /// For each parent, whether the child needs it in the status that its edge names.
    pub needs_status: [bool; 2],
    /// Key of its unit, where the record itself names it.
    pub unit: Option<Key>,
    /// When its time is past, where the record itself says so: seconds since 1970-01-01T00:00:00Z.
    pub expires: Option<i64>,
    /// Index of its status in the schema's enum.
    pub status: Option<u8>,
    /// Hash of the place it holds.
    pub place: Option<u64>,
    /// The portal's own id of it, where its row names one.
    pub remote_id: Option<Box<str>>,
}

#[derive(Debug)]
struct Bound {
    field: &'static Field,
    column: Option<usize>,
    /// `,"name":`
    prefix: Vec<u8>,
    default: Option<String>,
    /// The field that decides whether this one must be there.
    decider: Option<usize>,
}

#[derive(Debug)]
struct HeldBy {
    parent: usize,
    /// The child's field and values that ask for the parent's status.
    status_for: Option<(usize, &'static [&'static str])>,
}

/// A schema bound to the columns of one query.
#[derive(Debug)]
pub struct Encoder {
    schema: &'static Schema,
    fields: Vec<Bound>,
    key: usize,
    discriminator: Option<usize>,
    withdraws: Option<usize>,
    remote: Option<usize>,
    edges: Vec<HeldBy>,
    place: Vec<usize>,
    status: Option<usize>,
    unit: Option<usize>,
    expires: Option<usize>,
    writer: FieldWriter,
    body: Vec<u8>,
    values: Vec<Value>,
    spans: Vec<(u32, u32)>,
    violations: Vec<Violation>,
    scratch: Vec<u8>,
    salt: Option<Salt>,
    derived: Vec<usize>,
    remote_id: Option<Box<str>>,
}

impl Encoder {
    /// Binds a schema to a query's columns. Column names match whatever their case; columns the schema does not name are ignored.
    pub fn bind(
        schema: &'static Schema,
        columns: &[impl AsRef<str>],
        settings: &EncodeSettings,
    ) -> Result<Encoder, BindError> {
        let encoder = Encoder::bind_any(schema, columns, settings)?;
        let fields = &encoder.fields;
        let missing: Vec<_> = fields
            .iter()
            .filter(|bound| {
                let needed = matches!(bound.field.presence, Presence::Mandatory | Presence::OrEmpty);
                bound.column.is_none() && bound.default.is_none() && needed
            })
            .map(|bound| bound.field.name)
            .collect();
        if !missing.is_empty() {
            return Err(BindError::Missing { feed: schema.feed, table: schema.table, columns: missing });
        }
        Ok(encoder)
    }

    /// As [`Self::bind`], whatever columns there are.
    fn bind_any(
        schema: &'static Schema,
        columns: &[impl AsRef<str>],
        settings: &EncodeSettings,
    ) -> Result<Encoder, BindError> {
        let mut fields = Vec::with_capacity(schema.fields.len());
        for field in schema.fields {
            let mut matching =
                (0..columns.len()).filter(|&index| columns[index].as_ref().eq_ignore_ascii_case(field.name));
            let column = matching.next();
            if matching.next().is_some() {
                return Err(BindError::Twice { feed: schema.feed, column: field.name });
            }
            let prefix = format!(",\"{}\":", field.name).into_bytes();
            let decider = field.presence.condition().and_then(|condition| schema.position(condition.field));
            let default = settings.defaults.get(field.name).cloned();
            fields.push(Bound { field, column, prefix, default, decider });
        }
        let position = |name: &str| schema.position(name);
        let count = fields.len();
        Ok(Encoder {
            schema,
            fields,
            key: position(schema.key).unwrap_or(0),
            discriminator: schema.discriminator.and_then(position),
            withdraws: schema.fields.iter().position(|field| field.presence == Presence::Withdraws),
            remote: schema.fields.iter().position(|field| field.presence == Presence::RemoteId),
            edges: schema.holding_edges().filter_map(|edge| HeldBy::of(schema, edge)).collect(),
            place: schema.place.iter().filter_map(|name| position(name)).collect(),
            status: schema.status.and_then(position),
            unit: match schema.unit {
                Unit::Itself => position(schema.key),
                Unit::Field(name) | Unit::FieldIfOurs(name) => position(name),
                Unit::OfParent(_) | Unit::None => None,
            },
            expires: match schema.expires {
                Expiry::At(name) => position(name),
                Expiry::Never | Expiry::WithParent(_) => None,
            },
            writer: FieldWriter::new(settings.zone, settings.visit_time_zone),
            body: Vec::with_capacity(512),
            values: vec![Value::Absent; count],
            spans: vec![(0, 0); count],
            violations: Vec::new(),
            scratch: Vec::new(),
            salt: settings.salt.clone(),
            derived: schema.derived_key.iter().filter_map(|name| position(name)).collect(),
            remote_id: None,
        })
    }

    /// The schema this encoder serves.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// Checks a row and writes its body. On success [`Self::body`], [`Self::key_id`], [`Self::fingerprint`] and [`Self::record`] speak of
    /// this row; otherwise [`Self::violations`] does, with every rule that it breaks.
    pub fn encode(&mut self, row: Row<'_>) -> bool {
        self.body.clear();
        self.violations.clear();
        let kind = self.discriminator.and_then(|at| self.word_of_discriminator(row, at));
        let withdrawn = self.is_withdrawn(row);
        for at in 0..self.fields.len() {
            let ignored = withdrawn && at != self.key && Some(at) != self.withdraws;
            self.values[at] = if ignored { Value::Absent } else { self.take_field(row, at, kind) };
        }
        self.read_remote_id(row);
        if let Some(first) = self.body.first_mut() {
            *first = b'{';
        }
        self.body.push(b'}');
        self.violations.is_empty()
    }

    /// Checks and writes one field of a row of this kind.
    fn take_field(&mut self, row: Row<'_>, at: usize, kind: Option<&'static str>) -> Value {
        match self.wanted(row, at, kind) {
            Wanted::Never => Value::Absent,
            wanted => self.write_field(row, at, wanted),
        }
    }

    /// Whether the field at `at` must be there in this row, whose type is `kind`.
    fn wanted(&self, row: Row<'_>, at: usize, kind: Option<&'static str>) -> Wanted {
        match self.fields[at].field.presence {
            Presence::Mandatory => Wanted::Always,
            Presence::OrEmpty => Wanted::OrEmpty,
            Presence::Optional | Presence::Withdraws => Wanted::IfThere,
            Presence::OnlyWhen(value) if kind == Some(value) => Wanted::ForThisType,
            Presence::OnlyWhen(_) => Wanted::Never,
            Presence::MandatoryWhen(value) if kind == Some(value) => Wanted::ForThisType,
            Presence::MandatoryWhen(_) => Wanted::IfThere,
            Presence::OnlyIf(condition) if self.holds(row, at, condition) => Wanted::Under(condition),
            Presence::OnlyIf(_) => Wanted::Never,
            Presence::OptionalIf(condition) if self.holds(row, at, condition) => Wanted::IfThere,
            Presence::OptionalIf(_) => Wanted::Never,
            Presence::MandatoryIf(condition) if self.holds(row, at, condition) => Wanted::Under(condition),
            Presence::MandatoryIf(_) => Wanted::IfThere,
            Presence::RemoteId => Wanted::Never,
        }
    }

    /// True when the row says of itself that its record is withdrawn.
    fn is_withdrawn(&self, row: Row<'_>) -> bool {
        let column = self.withdraws.and_then(|at| self.fields[at].column);
        column.is_some_and(|column| super::field::truth(row.cell(column)) == Some(false))
    }

    /// Reads the portal's own id of the record, which leaves no trace in the body.
    fn read_remote_id(&mut self, row: Row<'_>) {
        self.remote_id = None;
        let Some(at) = self.remote else { return };
        let start = self.body.len();
        self.values[at] = self.write_field(row, at, Wanted::IfThere);
        self.remote_id = self.text_at(at).filter(|_| self.values[at] != Value::Absent).map(String::into_boxed_str);
        self.values[at] = Value::Absent;
        self.body.truncate(start);
    }

    /// True when the field that decides over the one at `at` has one of the condition's values.
    fn holds(&self, row: Row<'_>, at: usize, condition: Condition) -> bool {
        let Some(decider) = self.fields[at].decider.map(|decider| &self.fields[decider]) else { return false };
        let cell = decider.column.map_or(Cell::Null, |column| row.cell(column));
        let empty = matches!(cell, Cell::Null) || matches!(cell, Cell::Text(text) if text.trim().is_empty());
        let cell = match &decider.default {
            Some(default) if empty => Cell::Text(default),
            _ => cell,
        };
        if empty && decider.default.is_none() {
            return condition.values.contains(&"");
        }
        let value = match decider.field.kind {
            Kind::Bool => super::field::truth(cell).map(|truth| if truth { "true" } else { "false" }),
            kind => super::field::word(cell, kind),
        };
        value.is_some_and(|value| condition.values.contains(&value))
    }

    fn word_of_discriminator(&self, row: Row<'_>, at: usize) -> Option<&'static str> {
        let bound = &self.fields[at];
        let cell = bound.column.map_or(Cell::Null, |column| row.cell(column));
        super::field::word(cell, bound.field.kind)
    }

    fn write_field(&mut self, row: Row<'_>, at: usize, wanted: Wanted) -> Value {
        let bound = &self.fields[at];
        let start = self.body.len();
        self.body.extend_from_slice(&bound.prefix);
        let value_start = self.body.len();
        let cell = bound.column.map_or(Cell::Null, |column| row.cell(column));
        let mut written = self.writer.write(bound.field.kind, cell, &mut self.body);
        if let (Ok(Value::Absent), Some(default)) = (&written, &bound.default) {
            written = self.writer.write(bound.field.kind, Cell::Text(default), &mut self.body);
        }
        if let (Ok(Value::Absent), Wanted::OrEmpty) = (&written, wanted) {
            self.body.extend_from_slice(b"\"\"");
            written = Ok(Value::Plain);
        }
        match written {
            Ok(Value::Absent) => {
                self.body.truncate(start);
                if let Some((rule, text)) = wanted.complaint(self.schema) {
                    self.violations.push(Violation { field: bound.field.name.into(), rule, text: text.into() });
                }
                Value::Absent
            }
            Ok(value) => {
                self.spans[at] = (value_start as u32, self.body.len() as u32);
                value
            }
            Err((rule, text)) => {
                self.body.truncate(start);
                self.violations.push(Violation { field: bound.field.name.into(), rule, text });
                Value::Absent
            }
        }
    }

    /// Lets somebody look at what the last sound row's body names, and add to it. False when that is not well either: then
    /// [`Self::violations`] says so.
    pub fn examine(&mut self, look: impl FnOnce(&mut Vec<u8>) -> Result<(), Vec<Violation>>) -> bool {
        if let Err(mut violations) = look(&mut self.body) {
            self.violations.append(&mut violations);
        }
        self.violations.is_empty()
    }

    /// The canonical body of the last row.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the last row's body says of a field of the schema, by the field's position; none when it is absent or broken.
    pub fn written(&self, field: usize) -> Option<&[u8]> {
        let absent = self.values.get(field).is_none_or(|value| *value == Value::Absent);
        if absent { None } else { Some(self.span(field)) }
    }

    /// The fingerprint of the last row's body.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.body)
    }

    /// The rules that the last row breaks.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Sixteen bytes that stand for the last row's key, if the row has a sound one.
    pub fn key_id(&self) -> Option<KeyId> {
        match self.values[self.key] {
            Value::Guid(guid) => Some(KeyId(guid)),
            _ => self.key().map(|key| key.id()),
        }
    }

    /// The key of a row that was not encoded yet, where keys are GUIDs and the row has a sound one.
    pub fn guid_key(&self, row: Row<'_>) -> Option<KeyId> {
        let bound = &self.fields[self.key];
        match (bound.field.kind, row.cell(bound.column?)) {
            (Kind::Guid, Cell::Guid(guid)) => Some(KeyId(guid)),
            (Kind::Guid, Cell::Text(text)) => guid::parse(text).map(KeyId),
            (Kind::Guid, Cell::Bytes(bytes)) => bytes.try_into().ok().map(|bytes| KeyId(u128::from_be_bytes(bytes))),
            _ => None,
        }
    }

    /// The last row's key, if the row has a sound one.
    pub fn key(&self) -> Option<Key> {
        match self.values[self.key] {
            Value::Absent => self.derived_key().map(|text| Key::Text(text.into())),
            _ => self.key_at(self.key),
        }
    }

    /// The key that the last row names in this field.
    fn key_at(&self, at: usize) -> Option<Key> {
        match self.values[at] {
            Value::Guid(guid) => Some(Key::Guid(guid)),
            Value::Absent => None,
            // A GUID is the same key whatever the table calls it: so it is found again by what an operator types.
            _ => self.text_at(at).map(|text| Key::parse(&text)),
        }
    }

    fn text_at(&self, at: usize) -> Option<String> {
        match serde_json::from_slice(self.span(at)).ok()? {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The key of a row that brings none, where the schema says what it is made of and all of that is there.
    fn derived_key(&self) -> Option<String> {
        let salt = self.salt.as_ref()?;
        if self.derived.is_empty() || self.derived.iter().any(|at| self.values[*at] == Value::Absent) {
            return None;
        }
        let spans: Vec<&[u8]> = self.derived.iter().map(|at| self.span(*at)).collect();
        Some(salt.key_of(&spans.join(&0)))
    }

    fn span(&self, at: usize) -> &[u8] {
        let (start, end) = self.spans[at];
        self.body.get(start as usize..end as usize).unwrap_or_default()
    }

    /// What the last row's record carries beside its body. None if it has no sound key.
    pub fn record(&mut self) -> Option<Record> {
        let key = self.key()?;
        let mut parents = [None, None];
        let mut needs_status = [false, false];
        for (slot, edge) in self.edges.iter().take(parents.len()).enumerate() {
            parents[slot] = self.key_at(edge.parent);
            needs_status[slot] = edge.status_for.is_some_and(|(field, values)| {
                let text = std::str::from_utf8(self.span(field)).unwrap_or_default().trim_matches('"');
                values.contains(&text)
            });
        }
        let expires = match self.expires.map(|at| self.values[at]) {
            Some(Value::Time(local)) => Some(self.writer.utc(local)),
            _ => None,
        };
        Some(Record {
            key,
            fingerprint: self.fingerprint(),
            parents,
            needs_status,
            unit: self.unit.and_then(|at| self.guid(at)),
            expires,
            status: self.status.and_then(|at| match self.values[at] {
                Value::Word(word) => Some(word),
                _ => None,
            }),
            place: self.place_hash(),
            remote_id: self.remote_id.clone(),
        })
    }

    fn guid(&self, at: usize) -> Option<Key> {
        match self.values[at] {
            Value::Guid(guid) => Some(Key::Guid(guid)),
            _ => None,
        }
    }

    fn place_hash(&mut self) -> Option<u64> {
        if self.place.is_empty() || self.place.iter().any(|&at| self.values[at] == Value::Absent) {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        for &at in &self.place {
            bytes.extend_from_slice(self.span(at));
        }
        let hash = xxh3_64(&bytes);
        self.scratch = bytes;
        Some(hash)
    }

    /// What may be shown of the key of a row whose key cannot be read.
    pub fn unreadable_key(&self, row: Row<'_>) -> Option<Key> {
        super::unreadable::shown(row.cell(self.fields[self.key].column?), self.schema.persons)
    }
}

impl HeldBy {
    fn of(schema: &Schema, edge: &'static Edge) -> Option<HeldBy> {
        let status_for = match edge.hold {
            Hold::AcceptedAs { field, values, .. } => schema.position(field).map(|at| (at, values)),
            Hold::Accepted | Hold::AcceptedIfOurs | Hold::OrderOnly => None,
        };
        Some(HeldBy { parent: schema.position(edge.field)?, status_for })
    }
}

/// Whether a field must be there in the row at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Always,
    ForThisType,
    Under(Condition),
    OrEmpty,
    IfThere,
    Never,
}

impl Wanted {
    fn complaint(self, schema: &Schema) -> Option<(Rule, String)> {
        match self {
            Wanted::Always => Some((Rule::Mandatory, format!("is mandatory ({})", schema.table))),
            Wanted::ForThisType => Some((
                Rule::Conditional,
                format!("is mandatory for this {} ({})", schema.discriminator.unwrap_or("type"), schema.table),
            )),
            Wanted::Under(condition) => {
                Some((Rule::Conditional, format!("is mandatory when {} ({})", condition.told(), schema.table)))
            }
            Wanted::OrEmpty | Wanted::IfThere | Wanted::Never => None,
        }
    }
}
