//! What `/metrics` shows.

use super::*;

#[test]
fn every_series_carries_the_prefix() {
    let metrics = Metrics::new().unwrap();
    metrics.announce_feed("fer", "slot");
    metrics.show_feed("fer", "slot", &Counts::default(), Some(5), 10);
    let text = metrics.text().unwrap();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    assert!(series.clone().count() > 5);
    series.for_each(|line| assert!(line.starts_with("vitrina_") || line.starts_with("process_"), "{line}"));
}

#[test]
fn lag_is_the_age_of_the_oldest_pending_record() {
    let metrics = Metrics::new().unwrap();
    let counts = Counts { pending: 1, oldest_pending: Some(40), ..Counts::default() };
    metrics.show_feed("fer", "slot", &counts, None, 100);
    assert!(metrics.text().unwrap().contains("vitrina_feed_lag_seconds{feed=\"slot\",portal=\"fer\"} 60"));
}

#[test]
fn a_portal_is_in_one_state() {
    let metrics = Metrics::new().unwrap();
    metrics.show_portal("fer", &Health::Paused { until: 1, why: String::new(), maintenance: false }, 2);
    let text = metrics.text().unwrap();
    assert!(text.contains("vitrina_portal_state{portal=\"fer\",state=\"paused\"} 1"));
    assert!(text.contains("vitrina_portal_state{portal=\"fer\",state=\"open\"} 0"));
    assert!(text.contains("vitrina_unit_paused{portal=\"fer\"} 2"));
}

#[test]
fn what_the_configuration_no_longer_has_is_forgotten() {
    let metrics = Metrics::new().unwrap();
    for (portal, feed) in [("fer", "slot"), ("fer", "book"), ("pos", "poll")] {
        metrics.announce_portal(portal);
        metrics.announce_feed(portal, feed);
        metrics.show_feed(portal, feed, &Counts::default(), Some(5), 10);
        metrics.show_fuse(portal, feed, true);
        metrics.show_drain(portal, feed, 1.0);
        metrics.show_drafts(portal, feed, &Drafts::default(), 1);
        metrics.show_parked(portal, feed, true);
        metrics.show_schedule(portal, feed, Duration::from_secs(30));
        metrics.count_cycle_failure(portal, feed);
        metrics.show_portal(portal, &Health::Open, 0);
        metrics.show_token(portal, &TokenOutlook { expires: Some(1), failures: 1 });
        metrics.show_skew(portal, 1);
        metrics.portal(portal).request(200, Duration::from_secs(1));
    }
    metrics.keep_only(&[("fer".to_owned(), "slot")].into());
    let text = metrics.text().unwrap();
    assert!(!text.contains("\"pos\"") && !text.contains("\"book\""), "{text}");
    for described in metrics.described().iter().filter(|metric| metric.labels.iter().any(|label| label == "portal")) {
        assert!(text.contains(&format!("# TYPE {} ", described.name)), "{} of what stays is there", described.name);
    }
}

#[test]
fn a_portal_that_announces_its_maintenance_does_not_fail() {
    let metrics = Metrics::new().unwrap();
    metrics.show_portal("fer", &Health::Paused { until: 1, why: String::new(), maintenance: true }, 0);
    let text = metrics.text().unwrap();
    assert!(text.contains("vitrina_portal_state{portal=\"fer\",state=\"maintenance\"} 1"));
    assert!(text.contains("vitrina_portal_state{portal=\"fer\",state=\"paused\"} 0"));
}

#[test]
fn a_token_that_is_gone_has_no_end() {
    let metrics = Metrics::new().unwrap();
    metrics.show_token("fer", &TokenOutlook { expires: Some(60), failures: 0 });
    assert!(metrics.text().unwrap().contains("vitrina_token_expires_timestamp_seconds{portal=\"fer\"} 60"));
    metrics.show_token("fer", &TokenOutlook { expires: None, failures: 2 });
    let text = metrics.text().unwrap();
    assert!(!text.contains("vitrina_token_expires_timestamp_seconds{"));
    assert!(text.contains("vitrina_token_renewal_failures{portal=\"fer\"} 2"));
}

#[test]
fn drafts_to_be_signed_are_told_from_those_that_were_signed() {
    let metrics = Metrics::new().unwrap();
    let drafts = Drafts { count: 1, oldest: Some(90), unsigned: 3, oldest_unsigned: Some(40) };
    metrics.show_drafts("sout", "training", &drafts, 100);
    let text = metrics.text().unwrap();
    for (kind, count, age) in [("kept", 1, 10), ("unsigned", 3, 60)] {
        let labels = format!("{{feed=\"training\",kind=\"{kind}\",portal=\"sout\"}}");
        assert!(text.contains(&format!("vitrina_feed_drafts{labels} {count}\n")), "{text}");
        assert!(text.contains(&format!("vitrina_feed_draft_age_seconds{labels} {age}\n")), "{text}");
    }
}

#[test]
fn what_is_not_known_yet_is_not_shown_as_nothing() {
    let metrics = Metrics::new().unwrap();
    let unknown =
        ["vitrina_clock_last_tick_timestamp_seconds ", "vitrina_ledger_disk_free_bytes ", "vitrina_ledger_bytes "];
    let text = metrics.text().unwrap();
    assert!(unknown.iter().all(|name| !text.contains(name)), "an alert would take 0 for a full disk: {text}");
    assert!(text.contains("vitrina_config_last_reload_successful 1\n"), "what was read at the start is in force");
    metrics.show_ledger(Room { used: 2, free: 3 });
    metrics.show_tick(4);
    let text = metrics.text().unwrap();
    assert!(unknown.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn what_is_read_of_a_metric_makes_no_series() {
    let metrics = Metrics::new().unwrap();
    assert_eq!((metrics.requests_to("sout"), metrics.drain_of("sout", "training")), (0, None));
    assert!(!metrics.text().unwrap().contains("sout"));
    metrics.portal("fer").request(200, Duration::ZERO);
    metrics.portal("fer").request(503, Duration::ZERO);
    assert_eq!(metrics.requests_to("fer"), 2);
}
