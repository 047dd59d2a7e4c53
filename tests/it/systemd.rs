//! The unit as systemd reads and rates it, and what systemd hears of the daemon.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::command::{vitrina, write_private};

/// A portal without feeds.
const IDLE: &str = "[portals.idle]\nkind = \"nmo\"\nurl = \"http://127.0.0.1:1\"\nclient_id = \"client\"\nclient_secret = \"a-client-secret\"\n\
                    username = \"smith\"\npassword = \"a-password\"\n";

/// A daemon whose systemd is this test.
struct Service {
    socket: UnixDatagram,
    child: Child,
    folder: tempfile::TempDir,
}

fn write(folder: &tempfile::TempDir, more: &str) {
    let ledger = folder.path().join("ledger.db");
    // An empty file is an empty database.
    let source = folder.path().join("mis.db");
    std::fs::write(&source, "").unwrap();
    let text = format!(
        "[sources.mis]\nurl = \"sqlite:{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n{more}{IDLE}",
        source.display(),
        ledger.display()
    );
    write_private(folder.path(), "vitrina.toml", &text);
}

impl Service {
    fn start(watchdog: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        // Far beyond what any message takes.
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        write(&folder, "");
        let config = folder.path().join("vitrina.toml");
        let mut command = vitrina(&["run", "--config", config.to_str().unwrap()]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Service { socket, child, folder }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// The next message that begins so.
    fn hears(&self, wanted: &str) -> String {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let size = self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}; only {seen:?}"));
            let message = String::from_utf8(buffer[..size].to_vec()).unwrap();
            if message.starts_with(wanted) {
                return message;
            }
            seen.push(message);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn an_idle_daemon_is_ready_and_feeds_the_watchdog_until_it_stops() {
    let mut service = Service::start(Duration::from_millis(200));
    service.hears("READY=1");
    assert_eq!(service.hears("STATUS="), "STATUS=Feeding idle\n");
    (0..5).for_each(|_| drop(service.hears("WATCHDOG=1")));
    service.signal("TERM");
    let stopping = service.hears("STOPPING=1");
    // The grace time of the configuration and more: the unit's own limit need not be known here.
    let extended = stopping.lines().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")).unwrap();
    assert_eq!(extended, "35000000");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reload_is_told_from_its_beginning_to_its_end() {
    let service = Service::start(Duration::from_secs(60));
    service.hears("READY=1");
    write(&service.folder, "[daemon]\ngrace = \"1s\"\n");
    service.signal("HUP");
    assert!(service.hears("RELOADING=1").contains("MONOTONIC_USEC="));
    service.hears("READY=1");

    write(&service.folder, "[daemon]\ngrace = \"soon\"\n");
    service.signal("HUP");
    service.hears("RELOADING=1");
    assert!(service.hears("STATUS=").contains("wrong and not in force"));
    service.hears("READY=1");

    write(&service.folder, "[daemon]\ngrace = \"50s\"\n");
    service.signal("HUP");
    service.hears("STATUS=Feeding idle");
    service.hears("READY=1");
    service.signal("TERM");
    assert!(service.hears("STOPPING=1").contains("EXTEND_TIMEOUT_USEC=65000000"), "the new grace time is in force");
}

/// The folder of units as they are shipped, with the programs that they name.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let unit = include_str!("../../deploy/systemd/vitrina.service");
    // The rating and the check want a program that is there.
    let unit = unit.replace("/usr/bin/vitrina", env!("CARGO_BIN_EXE_vitrina"));
    std::fs::write(folder.path().join("vitrina.service"), unit).unwrap();
    let more = folder.path().join("vitrina.service.d");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("secrets.conf"), include_str!("../../deploy/systemd/secrets.conf")).unwrap();
    folder
}

fn analyze(arguments: &[&str], unit: &std::path::Path) -> (bool, String) {
    let mut command = std::process::Command::new("systemd-analyze");
    let output = command.args(arguments).arg(unit).env("SYSTEMD_LOG_LEVEL", "warning").output();
    let output = output.expect("systemd-analyze is not installed: apt-get install systemd");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = units();
    let (well, said) =
        analyze(&["verify", "--man=no", "--recursive-errors=no"], &folder.path().join("vitrina.service"));
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("vitrina")).collect();
    assert!(well && ours.is_empty(), "{said}");
}

#[test]
fn systemd_rates_the_units_confinement_below_two() {
    let folder = units();
    let unit = folder.path().join("vitrina.service");
    let (well, said) = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"], &unit);
    assert!(well && said.contains("Overall exposure level"), "{said}");
}

#[test]
fn the_unit_gives_a_stop_more_time_than_the_daemon_takes() {
    let unit = include_str!("../../deploy/systemd/vitrina.service");
    let of = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let stop = of("TimeoutStopSec=").trim_end_matches('s').parse::<u32>().unwrap();
    // What the daemon asks for by default, see above.
    assert!(stop >= 35, "{stop}");
    for line in
        ["Type=notify", "NotifyAccess=main", "LimitNOFILE=65536", "LimitCORE=0", "ExecReload=/bin/kill -HUP $MAINPID"]
    {
        assert!(unit.lines().any(|known| known == line), "{line}");
    }
}
