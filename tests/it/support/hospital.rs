//! A hospital's eight feeds as tables of any engine, some rows of them faulty on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use vitrina::source::Engine;

use super::database::TestDb;

/// Rows of a feed: column names, and each row's SQL literals.
struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// A hospital: its tables, and what must come of them.
pub struct Hospital {
    tables: BTreeMap<&'static str, Table>,
    /// Ids that the mart must hold in the end, by feed.
    pub sound: BTreeMap<&'static str, BTreeSet<String>>,
    /// What a pass must name: feed, id, field or parent, rule or code.
    pub faulty: Vec<(&'static str, String, &'static str, &'static str)>,
}

/// The `number`th id of a kind of record.
pub fn id(kind: u32, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A sound SNILS.
fn snils(number: usize) -> String {
    let body = format!("{:09}", 112_233_000 + number);
    let sum: usize = body.bytes().zip((1..=9).rev()).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
    format!("{body}{:02}", sum % 101 % 100)
}

const CREATED: &str = "'2023-10-01 09:00:00'";
const UNITS: usize = 5;
const RESOURCES: usize = 40;

impl Hospital {
    /// A hospital with this many sound slots and what belongs to them. With `faults`, a few rows of every kind of mistake beside them.
    pub fn new(slots: usize, faults: bool) -> Self {
        let mut hospital = Hospital { tables: BTreeMap::new(), sound: BTreeMap::new(), faulty: Vec::new() };
        hospital.units();
        hospital.resources();
        hospital.of_resources();
        hospital.slots(slots);
        hospital.referrals_and_books(slots / 10);
        if faults {
            hospital.add_faults(slots);
        }
        hospital
    }

    fn table(&mut self, feed: &'static str, columns: &'static [&'static str]) {
        self.tables.insert(feed, Table { columns, rows: Vec::new() });
        self.sound.insert(feed, BTreeSet::new());
    }

    fn row(&mut self, feed: &'static str, row: Vec<String>) {
        self.tables.get_mut(feed).unwrap().rows.push(row);
    }

    fn sound(&mut self, feed: &'static str, id: String, rest: Vec<String>) {
        let row = std::iter::once(text(&id)).chain(rest).collect();
        self.sound.get_mut(feed).unwrap().insert(id);
        self.row(feed, row);
    }

    fn units(&mut self) {
        self.table("mo", &["id", "parent_id", "branch_oid", "name", "address", "enabled", "create_ts", "tag_age"]);
        for unit in 0..UNITS {
            let name = format!("Поликлиника № {unit}");
            let rest = ["1.2.643.5.1", "1.2.643.5.1.7", &name, "г. Югорск, ул. Мира, 1", "ALL"].map(text);
            let rest = rest.into_iter().chain([CREATED.to_owned(), text("ALL")]).collect();
            self.sound("mo", id(1, unit), rest);
        }
    }

    fn resources(&mut self) {
        const COLUMNS: &[&str] = &[
            "id",
            "type",
            "mo_id",
            "enabled",
            "create_ts",
            "post_id",
            "speciality_id",
            "snils",
            "last_name",
            "first_name",
            "middle_name",
            "machine_name",
            "room_number",
            "room_name",
        ];
        self.table("resource", COLUMNS);
        for number in 0..RESOURCES {
            let row = resource(["SPECIALIST", "MACHINE", "ROOM"][number % 3], &id(1, number % UNITS), &snils(number));
            self.sound("resource", id(2, number), row);
        }
    }

    fn of_resources(&mut self) {
        self.table("service", &["id", "resource_id", "code", "price", "create_ts"]);
        self.table("profilecode_resource", &["id", "resource_id", "profile_code", "create_ts"]);
        self.table("unaccessable_period", &["period_id", "resource_id", "reason", "beg_date", "end_date", "create_ts"]);
        for number in 0..RESOURCES {
            let resource = text(&id(2, number));
            let created = CREATED.to_owned();
            self.sound(
                "service",
                id(3, number),
                vec![resource.clone(), text("A01.30.001"), "1500.50".into(), created.clone()],
            );
            self.sound("profilecode_resource", id(4, number), vec![resource.clone(), text("97"), created.clone()]);
            let period =
                vec![resource, text("VACATION"), text("2031-07-01 00:00:00"), text("2031-07-14 00:00:00"), created];
            self.sound("unaccessable_period", id(5, number), period);
        }
    }

    fn slots(&mut self, slots: usize) {
        const COLUMNS: &[&str] =
            &["id", "mo_id", "resource_id", "tag_type", "tag_age", "visit_time", "duration", "status", "create_ts"];
        self.table("slot", COLUMNS);
        for number in 0..slots {
            let status = if number % 10 == 0 { "RECORDED" } else { "AVAILABLE" };
            let row = slot(number, number % RESOURCES, status);
            self.sound("slot", id(6, number), row);
        }
    }

    fn referrals_and_books(&mut self, count: usize) {
        const REFERRAL: &[&str] = &[
            "id",
            "patient_id",
            "speciality_id",
            "number",
            "type",
            "start_date",
            "end_date",
            "to_mo_id",
            "to_profile_code",
            "to_post_name",
            "to_service_id",
            "from_resource_id",
            "status",
            "create_ts",
            "referral_type_code",
            "to_mo_oid",
            "from_mo_oid",
        ];
        self.table("referral", REFERRAL);
        self.table(
            "book",
            &["id", "patient_id", "slot_id", "status_code", "tag_source", "type", "referral_id", "create_ts"],
        );
        for number in 0..count {
            let patient = text(&id(9, number));
            let kind = ["CONSULTATION", "RESEARCH"][number % 2];
            let mut row = vec![patient.clone(), text("49"), text(&number.to_string()), text(kind), CREATED.to_owned()];
            row.extend([
                text("2031-12-31 00:00:00"),
                text(&id(1, 0)),
                text("97"),
                text("врач-терапевт"),
                text("A01.30.001"),
            ]);
            row.extend([
                text(&id(2, 0)),
                text("RECORDED"),
                CREATED.to_owned(),
                text("1"),
                text("1.2.3"),
                text("1.2.3"),
            ]);
            self.sound("referral", id(7, number), row);
            let slot = text(&id(6, number * 10));
            let mut row = vec![patient, slot, "5000".to_owned(), text("REG"), text("APPOINTMENT")];
            row.extend([text(&id(7, number)), CREATED.to_owned()]);
            self.sound("book", id(8, number), row);
        }
    }

    fn add_faults(&mut self, slots: usize) {
        let bad = |number: usize| id(0xbad, number);
        let row = |id: &str, rest: Vec<String>| std::iter::once(text(id)).chain(rest).collect::<Vec<_>>();
        self.row("resource", row(&bad(1), resource("SPECIALIST", &id(1, 0), "11223344594")));
        self.faulty.push(("resource", bad(1), "snils", "snils"));
        let mut orphan = slot(slots, 0, "AVAILABLE");
        orphan[1] = text(&bad(1));
        self.row("slot", row(&bad(2), orphan));
        self.faulty.push(("slot", bad(2), "resource", "PARENT"));
        let mut wrong = slot(slots + 1, 0, "FREE");
        wrong[5] = "NULL".into();
        self.row("slot", row(&bad(3), wrong));
        self.faulty.push(("slot", bad(3), "duration", "mandatory"));
        self.faulty.push(("slot", bad(3), "status", "enum"));
        let twice = self.tables["slot"].rows[0].clone();
        self.row("slot", twice);
        self.faulty.push(("slot", id(6, 0), "id", "duplicate_key"));
        let mut keyless = slot(slots + 2, 0, "AVAILABLE");
        keyless.insert(0, "NULL".into());
        self.row("slot", keyless);
        self.faulty.push(("slot", "(row without a key)".into(), "id", "mandatory"));
        let book = vec![
            text(&id(9, 1)),
            text(&id(6, 1)),
            "5000".into(),
            text("REG"),
            text("APPOINTMENT"),
            "NULL".into(),
            CREATED.into(),
        ];
        self.row("book", row(&bad(4), book));
        self.faulty.push(("book", bad(4), "slot", "PARENT"));
    }

    /// Creates the tables under the names of the default views, and fills them.
    pub async fn fill(&self, db: &TestDb) {
        for (feed, table) in &self.tables {
            let columns: Vec<String> =
                table.columns.iter().map(|name| format!("{name} {}", column_type(db.engine, name))).collect();
            db.execute(&[&format!("CREATE TABLE vitrina_fer_{feed} ({})", columns.join(", "))]).await;
            for rows in table.rows.chunks(500) {
                let mut insert = format!("INSERT INTO vitrina_fer_{feed} ({}) VALUES ", table.columns.join(", "));
                for (number, row) in rows.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(insert, "{comma}({})", row.join(", ")).unwrap();
                }
                db.execute(&[&insert]).await;
            }
        }
    }
}

/// A resource's fields after its id. All fields are filled; which are sent depends on its type.
fn resource(kind: &str, unit: &str, snils: &str) -> Vec<String> {
    let mut row: Vec<String> = [kind, unit, "ALL"].map(text).into();
    row.push(CREATED.to_owned());
    row.extend(["110", "49", snils, "Иванова", "Анна", "Петровна", "МРТ", "101", "Кабинет МРТ"].map(text));
    row
}

/// A slot's fields after its id, a year that is far enough ahead.
fn slot(number: usize, resource: usize, status: &str) -> Vec<String> {
    let (day, minute) = (number / 2000, number % 2000 / RESOURCES);
    let visit = format!("2031-03-{:02} {:02}:{:02}:00", day % 28 + 1, 8 + minute / 60, minute % 60);
    let ids = [id(1, resource % UNITS), id(2, resource)].map(|id| text(&id));
    let mut row: Vec<String> = ids.into();
    row.extend([text("EPGU"), text("ALL"), text(&visit), "20".into(), text(status), CREATED.into()]);
    row
}

fn column_type(engine: Engine, column: &str) -> &'static str {
    let is_id = column == "id" || column == "period_id" || column == "patient_id" || column.ends_with("mo_id");
    let is_id = is_id || column.ends_with("resource_id") || column == "slot_id" || column == "referral_id";
    let is_time = column.ends_with("_ts") || column.ends_with("_date") || column == "visit_time";
    match (engine, column) {
        (_, "duration" | "status_code") => "INTEGER",
        (_, "price") => "NUMERIC(10,2)",
        (Engine::Postgres, "patient_id") => "text",
        (Engine::Postgres, "parent_id") => "text",
        (Engine::Postgres, _) if is_id => "uuid",
        (Engine::Postgres, _) if is_time => "timestamp",
        (Engine::MySql, _) if is_time => "DATETIME",
        (Engine::MySql, _) if is_id => "CHAR(45)",
        (Engine::MySql, _) => "VARCHAR(512)",
        (Engine::Postgres | Engine::Sqlite, _) => "TEXT",
    }
}
