//! A database server of this test process. A shell stands guard over it: the shell reads from a pipe whose other end only we
//! hold, so however this process ends, the read ends too, and the shell stops the server and removes its folder.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    /// `postgres://user@127.0.0.1:port/`, up to the database's name.
    base: String,
    _guard: Child,
    /// Closed by the end of this process.
    _pipe: ChildStdin,
}

/// How to start and stop a server.
pub struct Plan<'a> {
    /// Address up to the host.
    pub scheme: &'a str,
    /// The folder that goes with the server.
    pub folder: PathBuf,
    /// The command that becomes the server, given its port.
    pub command: &'a dyn Fn(u16) -> String,
    /// True once the server has started, if its port is open too.
    pub ready: &'a dyn Fn() -> bool,
    /// The signal that ends the server at once.
    pub signal: &'a str,
}

impl Server {
    /// Starts a server on a free port and waits until it listens.
    pub fn start(plan: &Plan<'_>) -> Self {
        Server::start_at(free_port(), plan)
    }

    /// Starts a server on this port and waits until it listens.
    pub fn start_at(port: u16, plan: &Plan<'_>) -> Self {
        let script = guard_script(&(plan.command)(port), &plan.folder, plan.signal);
        let mut guard = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let pipe = guard.stdin.take().unwrap();
        wait_until(|| (plan.ready)() && TcpStream::connect(("127.0.0.1", port)).is_ok(), &plan.folder);
        Server { base: format!("{}127.0.0.1:{port}/", plan.scheme), _guard: guard, _pipe: pipe }
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}", self.base)
    }
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn guard_script(command: &str, folder: &Path, signal: &str) -> String {
    let folder = folder.display();
    format!(
        "exec 3<&0; {command} </dev/null 3<&- >{folder}/log 2>&1 & cat <&3 >/dev/null; \
         kill -{signal} $!; wait; rm -rf {folder}"
    )
}

fn wait_until(ready: impl Fn() -> bool, folder: &Path) {
    let start = Instant::now();
    while !ready() {
        if start.elapsed() > START_LIMIT {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            panic!("the server does not start:\n{log}");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A fresh folder that the server's account can enter. The guard removes it.
pub fn folder(name: &str) -> PathBuf {
    let folder = tempfile::Builder::new().prefix(&format!("vitrina-{name}-")).tempdir().unwrap().keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// True when this process is root: database servers refuse to be.
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// Runs a command to its end.
pub fn run(script: &str) {
    let output = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}
