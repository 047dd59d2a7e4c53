//! A MariaDB server that forgets: nothing is synced to disk.

use super::server::{self, Plan, Server};

/// Creates and starts a server.
pub fn start() -> Server {
    let folder = server::folder("mariadb");
    let data = folder.join("data");
    let (data, place) = (data.display(), folder.display());
    let account = if server::is_root() { "--user=root" } else { "" };
    server::run(&format!(
        "mariadb-install-db --no-defaults {account} --datadir={data} --auth-root-authentication-method=normal \
         --skip-test-db"
    ));
    let settings = "--innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --skip-networking=0 \
                    --innodb-buffer-pool-size=64M --max-connections=200 --skip-name-resolve --skip-log-bin";
    let command = |port| {
        format!(
            "$(command -v mariadbd || echo /usr/sbin/mariadbd) --no-defaults {account} --datadir={data} \
             --bind-address=127.0.0.1 --port={port} --socket={place}/socket --pid-file={place}/pid {settings}"
        )
    };
    let pid_file = folder.join("pid");
    Server::start(&Plan {
        scheme: "mysql://root@",
        folder: folder.clone(),
        command: &command,
        ready: &|| pid_file.exists(),
        signal: "KILL",
    })
}
