//! A PostgreSQL server that forgets: nothing is synced to disk.

use std::path::PathBuf;

use super::server::{self, Plan, Server};

/// The newest installed server's folder of programs.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL's server is not installed: apt-get install postgresql")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL's server is not installed: apt-get install postgresql").1
}

/// Creates and starts a server.
pub fn start() -> Server {
    let folder = server::folder("postgres");
    let (programs, data) = (programs(), folder.join("data"));
    let (programs, data) = (programs.display(), data.display());
    let account = if server::is_root() { "setpriv --reuid=postgres --regid=postgres --clear-groups " } else { "" };
    server::run(&format!(
        "cd / && {account}{programs}/initdb -D {data} -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync"
    ));
    let settings = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c jit=off \
                    -c unix_socket_directories=";
    let command = |port| format!("{account}{programs}/postgres -D {data} -p {port} -h 127.0.0.1 {settings}");
    let pid_file = folder.join("data/postmaster.pid");
    Server::start(&Plan {
        scheme: "postgres://postgres@",
        folder: folder.clone(),
        command: &command,
        ready: &|| std::fs::read_to_string(&pid_file).is_ok_and(|status| status.contains("ready")),
        signal: "QUIT",
    })
}
