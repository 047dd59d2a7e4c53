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

/// How to start a server in a folder on a port.
pub struct Plan<'a> {
    /// Address up to the host.
    pub scheme: &'a str,
    /// The folder that goes with the server.
    pub folder: PathBuf,
    /// The command that becomes the server, given its port.
    pub command: &'a dyn Fn(u16) -> String,
    /// The file with the server's process id in its first line.
    pub pid_file: PathBuf,
}

impl Server {
    /// Starts a server and waits until it listens. Another process may have taken the port in between: then on another one.
    pub fn start(plan: &Plan<'_>) -> Self {
        for _ in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let script = guard_script(&(plan.command)(port), &plan.folder, &plan.pid_file);
            let mut guard = Command::new("sh")
                .args(["-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .unwrap();
            let pipe = guard.stdin.take().unwrap();
            if listens(port, &plan.pid_file) {
                return Server { base: format!("{}127.0.0.1:{port}/", plan.scheme), _guard: guard, _pipe: pipe };
            }
        }
        panic!("the server in {} does not start; see its log there", plan.folder.display());
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}", self.base)
    }
}

fn guard_script(command: &str, folder: &Path, pid_file: &Path) -> String {
    let (folder, pid_file) = (folder.display(), pid_file.display());
    format!(
        "exec 3<&0; {command} </dev/null >{folder}/log 2>&1 & cat <&3 >/dev/null; \
         kill -QUIT $(head -n 1 {pid_file}); kill -KILL $! $(head -n 1 {pid_file}); wait; rm -rf {folder}"
    )
}

/// True once the server has written its process id and takes connections.
fn listens(port: u16, pid_file: &Path) -> bool {
    let start = Instant::now();
    while start.elapsed() < START_LIMIT {
        if pid_file.exists() && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
    false
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
