//! The built program and portals of medical education: two of them from one configuration, and the question for a module's id.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vitrina::demo::nmo::RunningNmo;

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::daemon::{Daemon, until};
use crate::support::database::{TestDb, sqlite};
use crate::support::nmo::{self, CLIENT_SECRET, PASSWORD, PIN, SNILS};

/// Higher and secondary education, one hospital.
struct Site {
    db: TestDb,
    higher: RunningNmo,
    secondary: RunningNmo,
    folder: TempDir,
    config: PathBuf,
}

fn portal(name: &str, portal: &RunningNmo) -> String {
    format!(
        "[portals.{name}]\nkind = \"nmo\"\nurl = \"{}\"\nclient_id = \"client\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
         username = \"smith\"\npassword = \"{PASSWORD}\"\n[portals.{name}.feeds.module]\nevery = \"1s\"\n",
        portal.url()
    )
}

impl Site {
    async fn new() -> Self {
        let (db, higher, secondary) = (sqlite().await, nmo::mock().await, nmo::mock().await);
        for (name, level) in [("higher", "university"), ("secondary", "middle_spec")] {
            db.execute(&[&format!(
                "CREATE VIEW vitrina_{name}_module AS SELECT '{name}-1' AS module_id, 'Кардиология' AS name, 'Описание' AS description,
                 'Аннотация' AS annotation, 36 AS hours, 0 AS is_paid, 'iomT' AS type, 'lecture' AS kind,
                 '[{{\"level\": \"{level}\", \"name\": \"Кардиология\", \"main\": true}}]' AS specialities"
            )])
            .await;
        }
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n{}{}",
            db.url,
            folder.path().join("ledger.db").display(),
            portal("higher", &higher),
            portal("secondary", &secondary),
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        Site { db, higher, secondary, folder, config }
    }
}

fn modules(portal: &RunningNmo) -> Vec<String> {
    portal.mock().modules().into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_portals_get_the_modules_that_are_theirs_from_one_daemon() {
    let site = Site::new().await;
    let _daemon = Daemon::start(&site.config);
    until("a module at each portal", || !modules(&site.higher).is_empty() && !modules(&site.secondary).is_empty())
        .await;
    site.db.execute(&["DROP VIEW vitrina_higher_module"]).await;
    assert_eq!(
        (modules(&site.higher), modules(&site.secondary)),
        (vec!["higher-1".into()], vec!["secondary-1".into()])
    );
    for portal in [&site.higher, &site.secondary] {
        assert_eq!((portal.mock().count("iom/create"), portal.mock().logins().granted), (1, 1));
    }
}

/// The verb with these arguments, and a line on its standard input.
fn id_by_pin(folder: &Path, config: &Path, arguments: &[&str], line: &str) -> Ran {
    let input = folder.join("line");
    std::fs::write(&input, line).unwrap();
    let config = config.to_str().unwrap();
    let mut command = vitrina(&[&["nmo", "id-by-pin", "--config", config], arguments].concat());
    command.stdin(File::open(input).unwrap());
    tokio::task::block_in_place(|| run(command))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_named_by_the_pin_that_a_person_types() {
    let site = Site::new().await;
    let daemon = Daemon::start(&site.config);
    until("a module", || !modules(&site.higher).is_empty()).await;
    drop(daemon);
    site.higher.mock().plan("higher-1", SNILS, PIN);
    let ask = |arguments: &[&str], line: &str| id_by_pin(site.folder.path(), &site.config, arguments, line);

    let found = ask(&["--portal", "higher"], &format!("112-233-445 95 {PIN}\n"));
    assert_eq!((found.code, found.out.as_str()), (0, "higher-1\n"), "{}", found.err);
    let found = ask(&["--portal", "higher", SNILS, PIN], "");
    assert_eq!((found.code, found.out.as_str()), (0, "higher-1\n"), "{}", found.err);
    let elsewhere = ask(&["--portal", "secondary"], &format!("{SNILS} {PIN}"));
    assert_eq!((elsewhere.code, elsewhere.out.as_str()), (1, ""));
    assert!(elsewhere.err.contains("secondary: not found"), "{}", elsewhere.err);
    for (arguments, line, says) in [
        (&[][..], format!("{SNILS} {PIN}"), "--portal"),
        (&["--portal", "higher"][..], format!("1122 {PIN}"), "eleven digits"),
        (&["--portal", "higher"][..], SNILS.to_owned(), "a SNILS and a pin"),
    ] {
        let wrong = ask(arguments, &line);
        assert_eq!(wrong.code, 2, "{}", wrong.err);
        assert!(wrong.err.contains(says), "{}", wrong.err);
        assert!(!wrong.err.contains(SNILS) && !wrong.err.contains(PIN), "{}", wrong.err);
    }
}
