//! A hospital with the reference implementation: resources, slots, patients, referrals, and the statements that its head comment prints.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{Days, NaiveDate, Utc};
use vitrina::config::{BOOK_PARAMETERS, CANCEL_PARAMETERS, LOOKUP_PARAMETERS};
use vitrina::source::{Engine, Run, Script, Writer, Written};

use crate::support::database::{self, TestDb};

/// Longest time for one call.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Doctors of two specialities and two rooms, all in the first of three departments.
pub const DOCTOR: u32 = 1;
pub const COLLEAGUE: u32 = 2;
pub const SURGEON: u32 = 3;
pub const ROOM: u32 = 4;
pub const OTHER_ROOM: u32 = 5;

/// The department of all slots, another one of its organisation, and one of another organisation.
pub const UNIT: u32 = 1;
pub const SISTER: u32 = 2;
pub const STRANGER: u32 = 3;

/// The values of a request.
pub type Values = Vec<(&'static str, Option<String>)>;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: i64,
    pub message: Option<String>,
    pub book: Option<String>,
    pub slot: Option<String>,
    pub visit_time: Option<String>,
    pub duration: Option<String>,
    pub organization: Option<String>,
}

/// The hospital.
pub struct Site {
    pub db: TestDb,
    pub writer: Writer,
    pub book: Script,
    pub cancel: Script,
    pub lookup: Script,
}

/// A GUID of a resource (1), slot (2), referral (3) or unit (9).
pub fn id(kind: u32, number: u32) -> String {
    format!("0000000{kind}-0000-4000-8000-{number:012}")
}

/// A day that has not come yet.
pub fn day(ahead: u32) -> NaiveDate {
    Utc::now().date_naive() + Days::new(30 + u64::from(ahead))
}

/// The request of patient `patient` for slot `slot`.
pub fn request(slot: u32, patient: u32) -> Values {
    let text = |text: &str| Some(text.to_owned());
    vec![
        ("slot_id", Some(id(2, slot))),
        ("patient_id", Some(format!("rrp-{patient}"))),
        ("booking_type", text("APPOINTMENT")),
        ("united_guids", text("[]")),
        ("birthdate", text("1980-05-05T00:00:00")),
    ]
}

/// The request with other values.
pub fn with(mut request: Values, changes: &[(&'static str, &str)]) -> Values {
    for (name, value) in changes {
        request.retain(|(known, _)| known != name);
        request.push((name, Some((*value).to_owned())));
    }
    request
}

impl Site {
    pub async fn postgres() -> Self {
        Site::new(database::postgres().await).await
    }

    pub async fn mariadb() -> Self {
        Site::new(database::mariadb().await).await
    }

    async fn new(db: TestDb) -> Self {
        let site = Site::install(db).await;
        let resources =
            [(DOCTOR, Some("10")), (COLLEAGUE, Some("10")), (SURGEON, Some("20")), (ROOM, None), (OTHER_ROOM, None)];
        let rows = resources.map(|(number, speciality)| {
            let kind = if speciality.is_some() { "SPECIALIST" } else { "ROOM" };
            format!("('{}', '{kind}', {})", id(1, number), quoted(speciality))
        });
        site.insert("resource", "id, type, speciality_id", &rows).await;
        let units = [(UNIT, "1.2.3"), (SISTER, "1.2.3"), (STRANGER, "1.2.4")];
        site.insert("mo", "id, parent_id", &units.map(|(unit, head)| format!("('{}', '{head}')", id(9, unit)))).await;
        site
    }

    /// Installs the file into whatever the database holds.
    pub async fn install(db: TestDb) -> Self {
        let sql = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/mis").join(match db.engine {
            Engine::Postgres => "postgres.sql",
            _ => "mysql.sql",
        });
        // Twice: an installation may be repeated.
        run_client(&db, &sql).await;
        run_client(&db, &sql).await;
        let text = std::fs::read_to_string(&sql).unwrap();
        let statement = |key: &str, known| {
            let start = format!("--     {key} = \"");
            let line = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
            Script::parse(db.engine, &[line.strip_suffix('"').unwrap()], known).unwrap()
        };
        let (book, cancel) = (statement("book", BOOK_PARAMETERS), statement("cancel", CANCEL_PARAMETERS));
        let lookup = statement("lookup", LOOKUP_PARAMETERS);
        let writer = booker(&db).await;
        Site { db, writer, book, cancel, lookup }
    }

    /// The name of a table of the reference.
    pub fn table(&self, name: &str) -> String {
        match self.db.engine {
            Engine::Postgres => format!("vitrina_mis.{name}"),
            _ => format!("mis_{name}"),
        }
    }

    pub async fn insert(&self, table: &str, columns: &str, rows: &[String]) {
        self.execute(&format!("INSERT INTO {} ({columns}) VALUES {}", self.table(table), rows.join(", "))).await;
    }

    pub async fn execute(&self, statement: &str) {
        self.db.execute(&[statement]).await;
    }

    /// A free slot of a resource: twenty minutes for everybody.
    pub async fn slot(&self, number: u32, resource: u32, day: NaiveDate, time: &str) {
        self.slot_as(number, resource, day, time, "EPGU", "ALL", "AVAILABLE").await;
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    pub async fn slot_as(
        &self,
        number: u32,
        resource: u32,
        day: NaiveDate,
        time: &str,
        tags: &str,
        age: &str,
        status: &str,
    ) {
        let zone = if self.db.engine == Engine::Postgres { "+05" } else { "" };
        let row = format!(
            "('{}', '{}', '{}', '{tags}', '{age}', '{day} {time}:00{zone}', 20, '{status}')",
            id(2, number),
            id(9, UNIT),
            id(1, resource)
        );
        self.insert("slot", "id, mo_id, resource_id, tag_type, tag_age, visit_time, duration, status", &[row]).await;
    }

    /// Patients whom the register calls `rrp-<number>`.
    pub async fn patients(&self, numbers: impl IntoIterator<Item = u32>, birth: Option<NaiveDate>) {
        let birth = quoted(birth.map(|day| day.to_string()).as_deref());
        let row = |number| {
            format!(
                "('card-{number}', 'rrp-{number}', '{:011}', 'oms-{number}', {birth})",
                50_000_000_000_u64 + u64::from(number)
            )
        };
        let rows: Vec<String> = numbers.into_iter().map(row).collect();
        self.insert("patient", "id, rrp_id, snils, oms_number, birth_date", &rows).await;
    }

    /// A referral for a consultation: its speciality, its last day, its status.
    pub async fn referral(&self, number: u32, patient: u32, more: &str) {
        let row = format!("('{}', 'card-{patient}', 'CONSULTATION', {more})", id(3, number));
        self.insert("referral", "id, patient_id, type, speciality_id, end_date, status", &[row]).await;
    }

    pub async fn book(&self, values: &Values) -> Answer {
        answer(call(&self.writer, "booking.book", &self.book, values).await)
    }

    pub async fn cancel(&self, book: &str, patient: u32, united: &str) -> Answer {
        let values = vec![
            ("book_ext_id", Some(book.to_owned())),
            ("patient_id", Some(format!("rrp-{patient}"))),
            ("united_guids", Some(united.to_owned())),
        ];
        answer(call(&self.writer, "booking.cancel", &self.cancel, &values).await)
    }

    pub async fn lookup(&self, values: &Values) -> Answer {
        answer(call(&self.writer, "booking.lookup", &self.lookup, values).await)
    }

    /// One text out of the hospital's tables.
    pub async fn value(&self, column: &str, table: &str, condition: &str) -> Option<String> {
        let text = format!("SELECT {column} AS x FROM {} WHERE {condition}", self.table(table));
        let script = Script::parse(self.db.engine, &[text], BOOK_PARAMETERS).unwrap();
        let owner = Writer::open(self.db.settings()).unwrap();
        match call(&owner, "test", &script, &Vec::new()).await {
            Written::Done(row) => row.and_then(|row| row.get("x").map(str::to_owned)),
            other => panic!("{other:?}"),
        }
    }
}

fn quoted(text: Option<&str>) -> String {
    text.map_or("NULL".into(), |text| format!("'{text}'"))
}

/// A writer of an account that has the role of the file and nothing else.
pub async fn booker(db: &TestDb) -> Writer {
    let name = format!("booker_{}", db.url.rsplit('_').next().unwrap());
    match db.engine {
        Engine::Postgres => db.execute(&[&format!("CREATE ROLE {name} LOGIN IN ROLE vitrina_booking")]).await,
        _ => {
            let user = format!("CREATE USER {name}@'%'");
            let grant = format!("GRANT vitrina_booking TO {name}@'%'");
            db.execute(&[&user, &grant, &format!("SET DEFAULT ROLE vitrina_booking FOR {name}@'%'")]).await;
        }
    }
    writer_of(db, &name)
}

/// One more writer of that account: each has its own connections.
pub fn another(db: &TestDb) -> Writer {
    writer_of(db, &format!("booker_{}", db.url.rsplit('_').next().unwrap()))
}

fn writer_of(db: &TestDb, name: &str) -> Writer {
    let mut settings = db.settings();
    settings.url = db.url.replace("postgres@", &format!("{name}@")).replace("root@", &format!("{name}@"));
    Writer::open(settings).unwrap()
}

pub async fn call(writer: &Writer, key: &str, script: &Script, values: &Values) -> Written {
    let values: Vec<(&'static str, Option<&str>)> =
        values.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    writer.run(Run { key, script, values: &values, limit: LIMIT }).await
}

pub fn answer(written: Written) -> Answer {
    let Written::Done(Some(row)) = written else { panic!("{written:?}") };
    let text = |name: &str| row.get(name).map(str::to_owned);
    for column in ["service_id", "area_id", "queue_number"] {
        assert!(row.has(column), "{column}");
    }
    Answer {
        code: text("status_code").unwrap().parse().unwrap(),
        message: text("status_message"),
        book: text("book_ext_id"),
        slot: text("slot_id"),
        visit_time: text("visit_time"),
        duration: text("duration"),
        organization: text("organization_id"),
    }
}

/// Installs a file by the database's own client.
pub async fn run_client(db: &TestDb, sql: &std::path::Path) {
    let mut command = match db.engine {
        Engine::Postgres => {
            let mut command = Command::new("psql");
            command.args(["--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", &db.url]);
            command
        }
        _ => {
            let url = url::Url::parse(&db.url).unwrap();
            let mut command = Command::new("mariadb");
            command.args(["--no-defaults", "--default-character-set=utf8mb4", "-h", "127.0.0.1", "-u", "root"]);
            command.args(["-P", &url.port().unwrap().to_string(), url.path().trim_start_matches('/')]);
            command
        }
    };
    command.stdin(Stdio::from(std::fs::File::open(sql).unwrap()));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "an installation is silent");
}
