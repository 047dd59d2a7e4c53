//! Keys alone, read from the few columns that they are made of: the same key for a row as [`Encoder::encode`] finds in the whole of it.

use super::{BindError, EncodeSettings, Encoder, Value};
use crate::record::{Key, KeyId, Presence, Row, Schema};

/// Reads the keys of rows that bring nothing else.
#[derive(Debug)]
pub struct KeyReader(Encoder);

impl KeyReader {
    /// The columns that decide a row's key; a query need not have all of them.
    pub fn columns(schema: &Schema) -> Vec<&'static str> {
        let mut columns = Vec::new();
        for name in [schema.key].into_iter().chain(schema.derived_key.iter().copied()) {
            let presence = schema.position(name).map(|at| schema.fields[at].presence);
            let decider = match presence {
                Some(Presence::OnlyWhen(_) | Presence::MandatoryWhen(_)) => schema.discriminator,
                presence => presence.and_then(Presence::condition).map(|condition| condition.field),
            };
            let new = [Some(name), decider].into_iter().flatten().filter(|name| !columns.contains(name));
            columns.extend(new.collect::<Vec<_>>());
        }
        columns
    }

    /// Binds a schema to the columns of a sweep: those of [`Self::columns`] that the query has.
    pub fn bind(
        schema: &'static Schema,
        columns: &[impl AsRef<str>],
        settings: &EncodeSettings,
    ) -> Result<KeyReader, BindError> {
        Encoder::bind_any(schema, columns, settings).map(KeyReader)
    }

    /// Sixteen bytes that stand for a row's key, if it has a sound one.
    pub fn key_id(&mut self, row: Row<'_>) -> Option<KeyId> {
        let encoder = &mut self.0;
        if let Some(id) = encoder.guid_key(row) {
            // What was read before is none of this row's.
            encoder.values[encoder.key] = Value::Guid(id.0);
            return Some(id);
        }
        encoder.body.clear();
        encoder.violations.clear();
        let kind = encoder.discriminator.and_then(|at| encoder.word_of_discriminator(row, at));
        encoder.values[encoder.key] = encoder.take_field(row, encoder.key, kind);
        if encoder.values[encoder.key] == Value::Absent {
            for part in 0..encoder.derived.len() {
                let at = encoder.derived[part];
                encoder.values[at] = encoder.take_field(row, at, kind);
            }
        }
        encoder.key_id()
    }

    /// The key that was read last, if it was a sound one.
    pub fn key(&self) -> Option<Key> {
        self.0.key()
    }
}
