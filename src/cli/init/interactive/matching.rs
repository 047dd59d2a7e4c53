//! Which table looks like a feed: by the names of its columns (as on the wire, or as hospital systems call them) and by their types. A
//! guess, shown with its reasons; the operator decides.

use super::synonyms;
use crate::record::{Field, Kind, Presence, Schema};
use crate::source::{Column, Table};

/// Likeness below which a table is not proposed at all, in percent.
const FLOOR: u32 = 30;

/// Likeness from which on a table is marked beforehand, in percent.
const LIKELY: u32 = 50;

/// Names that nearly every table has: alone they say nothing of it.
const COMMON: &[&str] =
    &["id", "name", "title", "status", "type", "create_ts", "status_code", "code", "number", "date", "description"];

/// What a column of a view is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The column with this name.
    Column(String),
    /// The key of another feed's record, reached by the number that the column holds.
    Parent {
        /// The column with the number.
        column: String,
        /// The other table, quoted.
        table: String,
        /// Its column with that number.
        number: String,
        /// Its column with the key.
        key: String,
    },
    /// The same text in every row.
    Constant(String),
    /// Nothing yet.
    Missing,
}

/// A table for a feed.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// The table.
    pub(super) table: Table,
    /// One origin for each field of the schema.
    pub(super) origins: Vec<Origin>,
    /// How many fields must be there.
    pub(super) needed: usize,
    /// How many of these were found.
    pub(super) found: usize,
    /// Likeness in percent.
    score: u32,
}

impl Proposal {
    /// How this table serves a schema.
    pub(super) fn of(schema: &Schema, table: &Table) -> Proposal {
        let origins = origins(schema, table);
        let count = |wanted: bool| {
            let needed = schema.fields.iter().zip(&origins).filter(|(field, _)| is_needed(field));
            needed.filter(|(_, origin)| !wanted || **origin != Origin::Missing).count()
        };
        let score = score(schema, table, &origins);
        Proposal { table: table.clone(), needed: count(false), found: count(true), origins, score }
    }

    /// True when it is likely enough to be chosen without a thought.
    pub(super) fn is_likely(&self) -> bool {
        self.score >= LIKELY
    }
}

/// The likeliest tables for a schema, the best first.
pub(super) fn proposals(schema: &Schema, tables: &[Table]) -> Vec<Proposal> {
    let mut found: Vec<Proposal> = tables.iter().map(|table| Proposal::of(schema, table)).collect();
    found.retain(|proposal| proposal.score >= FLOOR);
    found.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.table.shown().cmp(&b.table.shown())));
    found
}

/// True when a record cannot go out without the field.
pub(super) fn is_needed(field: &Field) -> bool {
    matches!(field.presence, Presence::Mandatory | Presence::OrEmpty)
}

/// Names as they are compared: lower case, letters and digits alone.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A column for each field: the best pairs first, no column twice.
fn origins(schema: &Schema, table: &Table) -> Vec<Origin> {
    let mut pairs: Vec<(u32, usize, usize)> = Vec::new();
    for (field_at, field) in schema.fields.iter().enumerate() {
        for (column_at, column) in table.columns.iter().enumerate() {
            let likeness = by_name(schema, field, &table.name, &column.name) * fit(field.kind, &column.type_name) / 2;
            if likeness > 0 {
                pairs.push((likeness, field_at, column_at));
            }
        }
    }
    pairs.sort_by_key(|(likeness, field, column)| (u32::MAX - likeness, *field, *column));
    let mut origins = vec![Origin::Missing; schema.fields.len()];
    let mut taken = vec![false; table.columns.len()];
    for (_, field, column) in pairs {
        if origins[field] == Origin::Missing && !taken[column] {
            taken[column] = true;
            origins[field] = Origin::Column(table.columns[column].name.clone());
        }
    }
    origins
}

/// How alike a field and a column are by name, 0 to 100.
fn by_name(schema: &Schema, field: &Field, table: &str, column: &str) -> u32 {
    let (wanted, given) = (plain(field.name), plain(column));
    if wanted == given {
        return 100;
    }
    // slot.slot_guid, doctor.doctor_snils
    let bare = [plain(table), plain(schema.feed)].iter().find_map(|table| {
        let table = table.strip_suffix('s').unwrap_or(table);
        given.strip_prefix(table).filter(|rest| !rest.is_empty()).map(ToOwned::to_owned)
    });
    if bare.as_deref() == Some(&wanted) {
        return 90;
    }
    let others = synonyms::of_field(field.name);
    let place = |name: &str| others.iter().position(|other| *other == name);
    match place(&given).or_else(|| bare.as_deref().and_then(place)) {
        // The likelier names come first.
        Some(place) => 85 - u32::try_from(place.min(20)).unwrap_or(20),
        None => 0,
    }
}

/// What kinds of values a type holds, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Guid,
    Text,
    Bytes,
    Whole,
    Decimal,
    Time,
    Bool,
    /// Nothing is known: SQLite's columns may hold anything.
    Any,
}

fn family(type_name: &str) -> Family {
    let name = type_name.to_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if name.is_empty() {
        Family::Any
    } else if is(&["uuid", "uniqueidentifier"]) {
        Family::Guid
    } else if name == "tinyint(1)" || is(&["bool", "bit(1)"]) {
        Family::Bool
    } else if is(&["char", "text", "enum", "json", "clob", "name", "set("]) {
        Family::Text
    } else if is(&["date", "time"]) {
        Family::Time
    } else if is(&["binary", "blob", "bytea"]) {
        Family::Bytes
    } else if is(&["int", "serial", "year"]) {
        Family::Whole
    } else if is(&["num", "dec", "real", "double", "float", "money"]) {
        Family::Decimal
    } else {
        Family::Any
    }
}

/// Whether values of a type can become what a field wants: 2 surely, 1 perhaps, 0 no.
fn fit(kind: Kind, type_name: &str) -> u32 {
    match (kind, family(type_name)) {
        (_, Family::Any) => 2,
        (Kind::Guid, Family::Guid | Family::Text) => 2,
        (Kind::Guid, Family::Bytes) => 1,
        (Kind::Guid, _) => 0,
        (Kind::Time | Kind::PeriodEnd | Kind::VisitTime | Kind::Date | Kind::Epoch | Kind::EpochEnd, family) => {
            match family {
                Family::Time => 2,
                Family::Text => 1,
                Family::Whole if matches!(kind, Kind::Epoch | Kind::EpochEnd) => 1,
                _ => 0,
            }
        }
        (Kind::Enum(_) | Kind::EnumWithAliases(..) | Kind::EnumList(_) | Kind::Oid | Kind::Objects(_), family) => {
            if family == Family::Text {
                2
            } else {
                0
            }
        }
        (Kind::Int { .. } | Kind::IntEnum(_) | Kind::Number, family) => match family {
            Family::Whole | Family::Decimal => 2,
            Family::Text => 1,
            _ => 0,
        },
        (Kind::Bool, Family::Bool | Family::Whole) => 2,
        (Kind::Bool, Family::Text) => 1,
        (Kind::Bool, _) => 0,
        (Kind::Version, _) => 2,
        (_, Family::Text) => 2,
        (_, Family::Whole | Family::Guid | Family::Decimal) => 1,
        (_, Family::Time | Family::Bytes | Family::Bool) => 0,
    }
}

/// Whether a column's values can become what a field wants.
pub(super) fn may_hold(kind: Kind, column: &Column) -> bool {
    fit(kind, &column.type_name) > 0
}

/// The number of a parent's record in place of its key: a whole number in a child's column that is named for the parent.
pub(super) fn parent_column<'t>(schema: &Schema, field: &Field, table: &'t Table) -> Option<&'t Column> {
    let likeness = |column: &Column| by_name(schema, field, &table.name, &column.name);
    let whole = table.columns.iter().filter(|column| matches!(family(&column.type_name), Family::Whole | Family::Any));
    whole.filter(|column| likeness(column) > 0).max_by_key(|column| likeness(column))
}

/// The column with the number by which other tables name a row of this one.
pub(super) fn number_column(table: &Table) -> Option<&Column> {
    let name = plain(&table.name);
    let name = name.strip_suffix('s').unwrap_or(&name);
    let is_number = |column: &&Column| family(&column.type_name) == Family::Whole;
    let is_id = |column: &&Column| {
        let given = plain(&column.name);
        given == "id" || given.strip_prefix(name) == Some("id") || given.strip_suffix(name) == Some("id")
    };
    table.columns.iter().find(|column| is_number(column) && is_id(column))
}

/// Likeness in percent: what was found of what is needed, with names that all tables have counting little, and the table's own name.
fn score(schema: &Schema, table: &Table, origins: &[Origin]) -> u32 {
    let (mut found, mut all) = (0, 0);
    for (field, origin) in schema.fields.iter().zip(origins) {
        let weight = match (COMMON.contains(&field.name), is_needed(field)) {
            (false, true) => 6,
            (true, true) => 2,
            (_, false) => 1,
        };
        let has_parent = *origin == Origin::Missing
            && schema.parents.iter().any(|edge| edge.field == field.name)
            && parent_column(schema, field, table).is_some();
        all += weight;
        found += match origin {
            Origin::Missing if has_parent => weight / 2,
            Origin::Missing => 0,
            _ => weight,
        };
    }
    let named = is_named_for(schema, table);
    // Keys, times of creation and links to others tell one table from another as little as a name alone.
    let telling = schema.fields.iter().zip(origins).any(|(field, origin)| {
        let is_link = schema.parents.iter().any(|edge| edge.field == field.name);
        *origin != Origin::Missing && !is_link && !COMMON.contains(&field.name)
    });
    match found * 5 < all || !(named || telling) {
        true => 0,
        false => found * 100 / all + if named { 25 } else { 0 },
    }
}

/// Whether a table's name says that it holds a feed.
fn is_named_for(schema: &Schema, table: &Table) -> bool {
    let (name, feed) = (plain(&table.name), plain(schema.feed));
    let same = name == feed || name.strip_suffix('s') == Some(&feed);
    same || synonyms::of_feed(schema.feed).iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal;

    fn table(name: &str, columns: &[(&str, &str)]) -> Table {
        let column = |(name, type_name): &(&str, &str)| Column { name: (*name).into(), type_name: (*type_name).into() };
        Table { schema: None, name: name.into(), columns: columns.iter().map(column).collect() }
    }

    fn schema(feed: &str) -> &'static Schema {
        portal::kind("fer").and_then(|kind| kind.schema(feed)).expect("a feed")
    }

    fn origin_of(feed: &str, table: &Table, field: &str) -> Origin {
        let schema = schema(feed);
        let at = schema.position(field).expect("a field");
        Proposal::of(schema, table).origins[at].clone()
    }

    fn column(name: &str) -> Origin {
        Origin::Column(name.into())
    }

    #[test]
    fn a_timetable_in_a_hospitals_own_words_is_taken_for_slots() {
        let timetable = table(
            "raspisanie",
            &[
                ("id", "integer"),
                ("guid", "uuid"),
                ("otdelenie_id", "uuid"),
                ("vrach_id", "uuid"),
                ("data_vremya", "timestamp without time zone"),
                ("dlitelnost", "integer"),
                ("sostoyanie", "character varying"),
                ("created_at", "timestamp without time zone"),
            ],
        );
        let patients =
            table("patients", &[("id", "uuid"), ("name", "text"), ("status", "text"), ("created_at", "timestamp")]);
        let found = proposals(schema("slot"), &[patients, timetable.clone()]);
        assert_eq!(found.iter().map(|found| found.table.name.as_str()).collect::<Vec<_>>(), ["raspisanie"]);
        assert!(found[0].is_likely());
        assert_eq!((found[0].found, found[0].needed), (7, 9));
        for (field, name) in
            [("id", "guid"), ("mo_id", "otdelenie_id"), ("resource_id", "vrach_id"), ("visit_time", "data_vremya")]
        {
            assert_eq!(origin_of("slot", &timetable, field), column(name), "{field}");
        }
        assert_eq!(origin_of("slot", &timetable, "tag_age"), Origin::Missing);
    }

    #[test]
    fn a_name_in_russian_letters_is_known_too() {
        let doctors = table(
            "Врачи",
            &[("ИД", "text"), ("Фамилия", "text"), ("Имя", "text"), ("СНИЛС", "text"), ("Отделение", "text")],
        );
        for (field, name) in [("last_name", "Фамилия"), ("snils", "СНИЛС"), ("id", "ИД"), ("mo_id", "Отделение")]
        {
            assert_eq!(origin_of("resource", &doctors, field), column(name), "{field}");
        }
    }

    #[test]
    fn a_number_is_no_guid_whatever_its_name() {
        let slots = table("slots", &[("id", "bigint"), ("slot_guid", "char(36)"), ("resource_id", "int")]);
        assert_eq!(origin_of("slot", &slots, "id"), column("slot_guid"));
        assert_eq!(origin_of("slot", &slots, "resource_id"), Origin::Missing);
        let field = &schema("slot").fields[schema("slot").position("resource_id").expect("a field")];
        assert_eq!(
            parent_column(schema("slot"), field, &slots).map(|column| column.name.as_str()),
            Some("resource_id")
        );
    }

    #[test]
    fn one_column_serves_one_field() {
        let periods =
            table("absence", &[("id", "uuid"), ("begin_date", "date"), ("end_date", "date"), ("vrach_id", "uuid")]);
        let origins = Proposal::of(schema("unaccessable_period"), &periods).origins;
        for (at, origin) in origins.iter().enumerate() {
            assert!(*origin == Origin::Missing || !origins[..at].contains(origin), "{origin:?}");
        }
    }

    #[test]
    fn what_has_only_common_names_is_proposed_for_nothing() {
        let users = table(
            "users",
            &[("id", "uuid"), ("name", "text"), ("type", "text"), ("status", "text"), ("created", "timestamp")],
        );
        for schema in portal::kind("fer").expect("a kind").schemas {
            assert!(proposals(schema, std::slice::from_ref(&users)).is_empty(), "{}", schema.feed);
        }
    }
}
