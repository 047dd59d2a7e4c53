//! `/metrics` of a real daemon at work: everything that was promised is there, with its labels, and nothing of a person.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use vitrina::demo::stage::{Stage, StageSettings};
use vitrina::telemetry::Metrics;

/// What dashboards and alerts outside this project rely on.
const PROMISED: [&str; 18] = [
    "vitrina_feed_last_success_timestamp_seconds{feed=,portal=}",
    "vitrina_feed_lag_seconds{feed=,portal=}",
    "vitrina_feed_records{feed=,portal=,state=}",
    "vitrina_records_total{feed=,outcome=,portal=}",
    "vitrina_cycle_duration_seconds_count{feed=,portal=}",
    "vitrina_requests_total{portal=,status=}",
    "vitrina_request_duration_seconds_count{portal=}",
    "vitrina_retries_total{portal=,reason=}",
    "vitrina_sent_bytes_total{encoding=,portal=}",
    "vitrina_portal_state{portal=,state=}",
    "vitrina_token_expires_timestamp_seconds{portal=}",
    "vitrina_fuse_tripped{feed=,portal=}",
    "vitrina_unit_paused{portal=}",
    "vitrina_booking_requests_total{code=,verb=}",
    "vitrina_booking_duration_seconds_count{verb=}",
    "vitrina_backlog_drain_seconds{feed=,portal=}",
    "vitrina_build_info{version=}",
    "process_resident_memory_bytes",
];

/// Series of a text, without the values of their labels.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let name = line.rsplit_once(' ').unwrap().0;
            name.split('"').step_by(2).collect()
        })
        .collect()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(&format!("{series} ")));
    line.unwrap_or_else(|| panic!("no {series}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_at_work_shows_every_metric() {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let stage = Stage::open(StageSettings { slots: 300, listen, record: None }).await.unwrap();
    let described = Metrics::new().unwrap();
    // Nobody is told of the demo, and nothing of it is recorded.
    let is_off = |name: &str| ["vitrina_notices_", "vitrina_recorded_"].iter().any(|off| name.starts_with(off));
    let shown = |text: &str, name: &str| is_off(name) || text.contains(&format!("# TYPE {name} "));
    let (mut text, mut missing) = (String::new(), Vec::new());
    for _ in 0..3000 {
        text = reqwest::get(format!("http://{}/metrics", stage.address)).await.unwrap().text().await.unwrap();
        missing = described.described().iter().map(|metric| &metric.name).filter(|name| !shown(&text, name)).collect();
        let series = series(&text);
        if missing.is_empty() && PROMISED.iter().all(|promised| series.contains(*promised)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(missing.is_empty(), "{missing:?}");
    let series = series(&text);
    for promised in PROMISED {
        assert!(series.contains(promised), "{promised} is not among {series:?}");
    }
    let now = chrono::Utc::now().timestamp() as f64;
    let began = value(&text, "process_start_time_seconds");
    assert!(began <= now && began > now - 3600.0, "{began}");
    for positive in
        ["process_open_fds", "process_max_fds", "process_resident_memory_bytes", "vitrina_ledger_disk_free_bytes"]
    {
        assert!(value(&text, positive) > 0.0, "{positive}");
    }
    assert_eq!((value(&text, "vitrina_healthy"), value(&text, "vitrina_ready")), (1.0, 1.0));
    let skew = value(&text, "vitrina_portal_clock_skew_seconds{portal=\"fer\"}");
    assert!(skew.abs() <= 2.0, "{skew}");
    stage.close().await.unwrap();
}
