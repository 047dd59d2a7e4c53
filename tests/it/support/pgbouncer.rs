//! A real pgbouncer in transaction mode, with one connection to its database.

use std::os::unix::fs::PermissionsExt;

use url::Url;

use super::server::{self, Plan, Server};

/// Poolers end with the test process.
static STARTED: std::sync::Mutex<Vec<Server>> = std::sync::Mutex::new(Vec::new());

/// Starts a pooler before the database at this address and gives its own.
pub async fn before(url: &str) -> String {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || start(&url)).await.unwrap()
}

fn start(url: &str) -> String {
    let target = Url::parse(url).unwrap();
    let database = target.path().trim_start_matches('/');
    let folder = server::folder("pgbouncer");
    let place = folder.display().to_string();
    let users = folder.join("users");
    std::fs::write(&users, "\"postgres\" \"\"\n").unwrap();
    std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o644)).unwrap();
    let settings = format!(
        "[databases]\n{database} = host=127.0.0.1 port={} dbname={database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 1\nunix_socket_dir =\n",
        target.port().unwrap(),
        users.display()
    );
    let command = |port| {
        // Databases refuse to run as root, and so does this.
        let account = if server::is_root() { "setpriv --reuid=postgres --regid=postgres --clear-groups " } else { "" };
        let file = folder.join("pgbouncer.ini");
        std::fs::write(&file, format!("{settings}listen_port = {port}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        format!("{account}$(command -v pgbouncer || echo /usr/sbin/pgbouncer) {place}/pgbouncer.ini")
    };
    let server = Server::start(&Plan {
        scheme: "postgres://postgres@",
        folder: folder.clone(),
        command: &command,
        ready: &|| true,
        signal: "KILL",
    });
    let address = server.url(database);
    STARTED.lock().unwrap().push(server);
    address
}
