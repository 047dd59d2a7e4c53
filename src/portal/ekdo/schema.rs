//! Personnel documents. The document has no table: the columns are what its text says that an upload consists of.
//!
//! - The file's name at the portal is made of the employee's full name, the subtype, the number and the date.
//! - The subtype decides the document group of the portal, by the table of the configuration.
//! - The signature is detached, in a file of its own; «ПЭП» has no file and is none of its types.

use crate::record::{Expiry, Kind, Schema, Unit, must};

/// The one feed.
pub static SCHEMAS: &[&Schema] = &[&DOCUMENT];

/// Characters of a name and of a path.
const NAME: usize = 255;
const PATH: usize = 1024;
/// The qualified and the unqualified enhanced signature.
const QUALIFIED: &str = "УКЭП";
const UNQUALIFIED: &str = "УНЭП";
const SIGNATURE_TYPE: Kind = Kind::EnumWithAliases(
    &[QUALIFIED, UNQUALIFIED],
    &[("укэп", QUALIFIED), ("ukep", QUALIFIED), ("унэп", UNQUALIFIED), ("unep", UNQUALIFIED)],
);

static DOCUMENT: Schema = Schema {
    feed: "document",
    table: "разделы «Описание бизнес-процесса», «Интеграция системы КЭДО»",
    fields: &[
        must("id", Kind::IdText(64)),
        must("employee_name", Kind::Text(NAME)),
        must("subtype", Kind::Text(NAME)),
        must("number", Kind::Text(64)),
        must("date", Kind::Date),
        must("file_path", Kind::Text(PATH)),
        must("signature_path", Kind::Text(PATH)),
        must("signature_type", SIGNATURE_TYPE),
    ],
    key: "id",
    discriminator: None,
    parents: &[],
    unit: Unit::None,
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &[],
    urgent: false,
    persons: true,
    derived_key: &[],
    shown: &["id"],
};
