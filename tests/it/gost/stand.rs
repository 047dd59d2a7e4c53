//! A portal behind GOST TLS and a tunnel to it: keys made by the GOST engine, a web server that offers one suite and asks for a
//! certificate, and stunnel with the files that `deploy/gost` ships.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::write_private;
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::Hospital;
use crate::support::server::{self, Plan, Server, free_port};

/// The portal's name.
pub const PORTAL: &str = "portal.example";
/// Whom the portal's certificates are for, and the root each comes from.
const CERTIFICATES: [(&str, &str, &str); 4] = [
    ("portal", PORTAL, "root"),
    ("renamed", "other.example", "root"),
    ("forged", PORTAL, "stranger"),
    ("client", "hospital", "root"),
];

/// Keys and certificates of one algorithm, by their names in [`CERTIFICATES`].
pub struct Keys {
    folder: TempDir,
    algorithm: &'static str,
}

impl Keys {
    /// Makes them. `algorithm` is `gost2012_256`, `gost2012_512`, or `rsa`, which no GOST suite goes with.
    pub fn make(algorithm: &'static str) -> Self {
        let keys = Keys { folder: tempfile::tempdir().unwrap(), algorithm };
        for root in ["root", "stranger"] {
            keys.openssl(&format!("{} -out {root}.key", keys.generate()));
            keys.openssl(&format!(
                "req -x509 -new -key {root}.key {} -subj '/CN=Test {root}' -addext basicConstraints=critical,CA:TRUE -days 2 -out {root}.pem",
                keys.digest()
            ));
        }
        for (name, subject, root) in CERTIFICATES {
            fs::write(keys.path(&format!("{name}.ext")), format!("subjectAltName=DNS:{subject}\n")).unwrap();
            keys.openssl(&format!("{} -out {name}.key", keys.generate()));
            keys.openssl(&format!("req -new -key {name}.key -subj '/CN={subject}' -out {name}.csr"));
            keys.openssl(&format!(
                "x509 -req -in {name}.csr -CA {root}.pem -CAkey {root}.key -set_serial 1 {} -days 2 -extfile {name}.ext -out {name}.pem",
                keys.digest()
            ));
        }
        keys
    }

    /// The file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn generate(&self) -> String {
        match self.algorithm {
            "rsa" => "genpkey -algorithm RSA".to_owned(),
            gost => format!("genpkey -algorithm {gost} -pkeyopt paramset:A"),
        }
    }

    fn digest(&self) -> &'static str {
        match self.algorithm {
            "gost2012_256" => "-md_gost12_256",
            "gost2012_512" => "-md_gost12_512",
            _ => "-sha256",
        }
    }

    fn openssl(&self, arguments: &str) {
        server::run(&format!(
            "cd {} && OPENSSL_CONF={} openssl {arguments}",
            self.folder.path().display(),
            engine().display()
        ));
    }
}

/// What the portal does.
pub struct Offer<'a> {
    /// The suites that it offers.
    pub suites: &'a str,
    /// The certificate that it shows.
    pub certificate: &'a str,
}

/// A hospital, a portal that speaks GOST TLS, and where the tunnel between them is to listen.
pub struct Stand {
    pub keys: Keys,
    pub gateway: Running,
    pub hospital: Hospital,
    _db: TestDb,
    pub config: PathBuf,
    folder: TempDir,
    portal: u16,
    tunnel: u16,
}

impl Stand {
    /// With keys of this algorithm. Neither the portal nor the tunnel listens yet.
    pub async fn new(algorithm: &'static str) -> Self {
        let (hospital, db) = (Hospital::new(40, false), sqlite().await);
        hospital.fill(&db).await;
        let gateway =
            FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), GatewaySettings::default()).await.unwrap();
        let (folder, portal, tunnel) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        let config = write_private(folder.path(), "vitrina.toml", &configuration(&db, folder.path(), tunnel));
        Stand { keys: Keys::make(algorithm), gateway, hospital, _db: db, config, folder, portal, tunnel }
    }

    /// The portal: a web server that tells sites apart by SNI and by `Host`, and lets in only who shows a certificate of its root.
    pub fn portal(&self, offer: &Offer<'_>) -> Server {
        let folder = server::folder("gost-portal");
        fs::write(folder.join("nginx.conf"), self.web_server(offer, &folder)).unwrap();
        let (conf, log, engine) = (folder.join("nginx.conf"), self.log_path(), engine());
        let command = format!(
            "exec env OPENSSL_CONF={} /usr/sbin/nginx -c {} -e {}.errors",
            engine.display(),
            conf.display(),
            log.display()
        );
        Server::start_at(
            self.portal,
            &Plan { scheme: "", folder, command: &|_| command.clone(), ready: &|| true, signal: "TERM" },
        )
    }

    /// The tunnel, by the shipped files; it shows the certificate of this name, if any.
    pub fn tunnel(&self, certificate: Option<&str>) -> Server {
        let folder = server::folder("gost-tunnel");
        let mut text = shipped("stunnel.conf");
        let mut set = |from: &str, to: &str| {
            assert!(text.contains(from), "the shipped stunnel.conf has no {from}");
            text = text.replace(from, to);
        };
        set("127.0.0.1:8443", &format!("127.0.0.1:{}", self.tunnel));
        set("connect = portal.example:443", &format!("connect = 127.0.0.1:{}", self.portal));
        set("/etc/vitrina/gost/roots.pem", self.keys.path("root.pem").to_str().unwrap());
        if let Some(name) = certificate {
            for (key, ending) in [("cert", "pem"), ("key", "key")] {
                let path = self.keys.path(&format!("{name}.{ending}"));
                set(
                    &format!(";{key} = /run/credentials/vitrina-gost.service/client.{ending}"),
                    &format!("{key} = {}", path.display()),
                );
            }
        }
        fs::write(folder.join("stunnel.conf"), text).unwrap();
        let command =
            format!("exec env OPENSSL_CONF={} stunnel4 {}", engine().display(), folder.join("stunnel.conf").display());
        Server::start_at(
            self.tunnel,
            &Plan { scheme: "", folder, command: &|_| command.clone(), ready: &|| true, signal: "TERM" },
        )
    }

    /// What the portal let in: protocol, suite, SNI, `Host`, the client's name.
    pub fn visits(&self) -> Vec<String> {
        fs::read_to_string(self.log_path()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// True when the mart holds the whole hospital.
    pub fn is_whole(&self) -> bool {
        self.hospital.sound.iter().all(|(feed, ids)| {
            let held = self.gateway.gateway().snapshot(Subsystem::parse(feed).unwrap());
            held.keys().eq(ids)
        })
    }

    /// The address of the tunnel.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.tunnel)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("visits")
    }

    fn web_server(&self, offer: &Offer<'_>, folder: &Path) -> String {
        let (key, pem) = (format!("{}.key", offer.certificate), format!("{}.pem", offer.certificate));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
            .concat();
        format!(
            "daemon off; master_process off; pid {folder}/pid;\nevents {{}}\nhttp {{\n{temporary}\
             log_format visit '$ssl_protocol $ssl_cipher $ssl_server_name $host $ssl_client_s_dn';\n\
             access_log off; client_max_body_size 64m;\n\
             ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2; ssl_ciphers {};\n\
             ssl_client_certificate {}; ssl_verify_client on;\n\
             server {{ listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on; }}\n\
             server {{ listen 127.0.0.1:{port} ssl; server_name {PORTAL};\n\
             location = /large {{ return 204; }}\n\
             location / {{ access_log {} visit; proxy_pass {}; proxy_set_header Host $host; }} }}\n}}\n",
            self.keys.path(&pem).display(),
            self.keys.path(&key).display(),
            offer.suites,
            self.keys.path("root.pem").display(),
            self.log_path().display(),
            self.gateway.url(),
            folder = folder.display(),
            port = self.portal,
        )
    }
}

/// A file of `deploy/gost`.
pub fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gost").join(name)).unwrap()
}

fn engine() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gost/openssl.cnf")
}

fn configuration(db: &TestDb, folder: &Path, tunnel: u16) -> String {
    let account = GatewaySettings::default();
    let mut text = format!(
        "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"http://127.0.0.1:{tunnel}\"\nhost = \"{PORTAL}\"\nusername = \"{}\"\npassword = \"{}\"\n\
         requests_per_second = 1000\nretry = {{ initial = \"1s\", max = \"1s\" }}\n",
        db.url,
        folder.join("ledger.db").display(),
        account.username,
        account.password,
    );
    for subsystem in Subsystem::ALL {
        text.push_str(&format!("[portals.fer.feeds.{}]\nevery = \"1s\"\n", subsystem.name()));
    }
    text
}
