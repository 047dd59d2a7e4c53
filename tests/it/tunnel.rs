//! A portal behind a local tunnel: every request of every kind says the portal's own name in its `Host` header.

use std::sync::Arc;

use serde_json::json;
use vitrina::config::{Environment, load};
use vitrina::daemon::open_portal;
use vitrina::ledger::{MemoryLedger, PortalSecrets};
use vitrina::portal::{Batch, Portal};
use vitrina::record::{Fingerprint, Key};
use vitrina::telemetry::Metrics;

use crate::support::gateway::{Gateway, Reply, issued};

const HOST: &str = "portal.example:8443";

/// Kind, account, the feed to send a record of.
const KINDS: [(&str, &str, &str); 5] = [
    ("fer", "username = \"1.2.3\"\npassword = \"p\"", "mo"),
    ("sout", "api_key = \"k\"", "training"),
    ("nmo", "client_id = \"c\"\nclient_secret = \"s\"\nusername = \"u\"\npassword = \"p\"", "module"),
    ("pos", "access_token = \"a\"\nrefresh_token = \"r\"\nname = \"n\"\nexpires_in = 1502305985425", "poll"),
    ("ekdo", "username = \"u\"\npassword = \"p\"\nuser_id = \"5\"\nfiles_root = \".\"", "document"),
];

#[tokio::test]
async fn every_request_of_every_kind_names_the_portal_and_not_the_tunnel() {
    let gateway = Gateway::start(|seen, _| match seen.target.as_str() {
        "/auth.svc" => issued("t"),
        target if target.contains("token") => Reply::json(200, &json!({"access_token": "t", "expires_in": 3600})),
        _ => Reply::json(200, &json!({"success": true, "data": {"id": 1}})),
    })
    .await;
    for (kind, account, feed) in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vitrina.toml");
        let text = format!(
            "[sources.mis]\nurl = \"sqlite:mis.db\"\n[ledger]\nurl = \"sqlite:ledger.db\"\n\
             [portals.p]\nkind = \"{kind}\"\nurl = \"{}\"\nhost = \"{HOST}\"\n{account}\n[portals.p.feeds.{feed}]\nquery = \"SELECT 1\"\n",
            gateway.url
        );
        std::fs::write(&path, text).unwrap();
        let config = load(&path, &Environment::of([("", ""); 0])).unwrap().config;
        let secrets = Arc::new(PortalSecrets::new(Arc::new(MemoryLedger::new()), "p"));
        let portal = open_portal("p", &config.portals["p"], &Metrics::new().unwrap(), secrets).unwrap();
        let before = gateway.seen().len();
        // What the answers are worth is of no interest here.
        let _ = portal.sign_in().await;
        let schema = portal.schemas().iter().copied().find(|schema| schema.feed == feed).unwrap();
        let mut batch = Batch::default();
        batch.push(Key::parse("1"), Fingerprint::of(b"{}"), None, false, b"{}");
        let _ = portal.deliver(schema, &batch).await;
        let seen = gateway.seen().split_off(before);
        let hosts: Vec<&str> = seen.iter().map(|seen| seen.header("host")).collect();
        assert!(!seen.is_empty() && hosts.iter().all(|host| *host == HOST), "{kind}: {hosts:?}");
    }
    let targets: Vec<String> = gateway.seen().into_iter().map(|seen| seen.target).collect();
    for token in ["/auth.svc", "/rest/v2/oauth/token", "/refresh-token?", "/token"] {
        assert!(targets.iter().any(|target| target.starts_with(token)), "{token} in {targets:?}");
    }
}
