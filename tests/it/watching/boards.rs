//! The dashboards: what their panels ask for exists, and Grafana can show them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::query::Asked;
use super::rules;
use vitrina::telemetry::Metrics;

/// Kinds of panels that are used.
const PANELS: [&str; 5] = ["row", "stat", "timeseries", "state-timeline", "table"];

/// Every dashboard of a folder, by file name.
fn boards(folder: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
    let boards = files.filter(|file| file.extension().is_some_and(|ending| ending == "json"));
    let read = |file: &Path| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    boards.map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), read(&file))).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A query as Prometheus gets it.
fn filled_in(query: &str) -> String {
    query.replace("$__rate_interval", "1m")
}

/// Labels that a legend names.
fn legend(target: &Value) -> BTreeSet<String> {
    text(target, "legendFormat").split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().to_owned()).collect()
}

/// Variables that a text asks for.
fn variables(text: &str) -> BTreeSet<String> {
    let named = text.split('$').skip(1).map(|rest| rest.trim_start_matches('{'));
    let names =
        named.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned());
    names.filter(|name| !name.starts_with("__")).collect()
}

#[test]
fn every_panel_asks_for_what_exists() {
    let known = rules::known();
    for (file, board) in boards("dashboards").into_iter().chain(boards("dashboards/ru")) {
        for panel in list(&board, "panels").iter().filter(|panel| panel["type"] != "row") {
            assert!(!list(panel, "targets").is_empty(), "{file}: {}", panel["title"]);
            for target in list(panel, "targets") {
                let query = filled_in(text(target, "expr"));
                let unknown = Asked::of(&query).unknown(&known, &legend(target));
                assert!(unknown.is_empty(), "{file}: {}: {query}: {unknown:?}", panel["title"]);
            }
        }
    }
}

#[test]
fn every_metric_is_on_a_dashboard() {
    let mut asked = BTreeSet::new();
    for board in boards("dashboards").values() {
        for target in list(board, "panels").iter().flat_map(|panel| list(panel, "targets")) {
            asked.extend(Asked::of(&filled_in(text(target, "expr"))).names());
        }
    }
    let metrics = Metrics::new().unwrap();
    let is_shown =
        |name: &str| ["", "_bucket", "_count"].iter().any(|ending| asked.contains(&format!("{name}{ending}")));
    let nowhere: Vec<&str> =
        metrics.described().iter().map(|m| m.name.as_str()).filter(|name| !is_shown(name)).collect();
    assert!(nowhere.is_empty(), "{nowhere:?}");
}

#[test]
fn grafana_can_show_every_dashboard() {
    let mut uids = BTreeSet::new();
    for (file, board) in boards("dashboards").into_iter().chain(boards("dashboards/ru")) {
        assert!(uids.insert(text(&board, "uid").to_owned()), "{file}: two dashboards of one uid");
        assert!(!text(&board, "title").is_empty() && board["schemaVersion"].is_u64(), "{file}");
        assert!(board["id"].is_null(), "{file}: an id belongs to one Grafana");
        let defined: BTreeSet<String> =
            list(&board["templating"], "list").iter().map(|variable| text(variable, "name").to_owned()).collect();
        let used = variables(&board["panels"].to_string());
        assert!(used.is_subset(&defined), "{file}: {used:?} of {defined:?}");
        let unused: Vec<_> = defined.difference(&used).collect();
        assert!(unused.is_empty(), "{file}: {unused:?} does nothing");
        panels_fit(&file, list(&board, "panels"));
    }
}

/// Each panel has its own place and id, and its queries their own letters.
fn panels_fit(file: &str, panels: &[Value]) {
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = text(panel, "title");
        assert!(PANELS.contains(&text(panel, "type")), "{file}: {title}");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {title}: its id stands twice");
        assert!(panel["type"] == "row" || !text(panel, "description").is_empty(), "{file}: {title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {title}: it does not fit");
        let cells = (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line)));
        assert!(cells.into_iter().all(|cell| taken.insert(cell)), "{file}: {title} lies over another panel");
        let letters: BTreeSet<&str> = list(panel, "targets").iter().map(|target| text(target, "refId")).collect();
        assert_eq!(letters.len(), list(panel, "targets").len(), "{file}: {title}");
    }
}

#[test]
fn the_dashboards_of_both_languages_ask_for_the_same() {
    let (english, russian) = (boards("dashboards"), boards("dashboards/ru"));
    assert_eq!(english.keys().collect::<Vec<_>>(), russian.keys().collect::<Vec<_>>());
    for (file, board) in &english {
        let queries = |board: &Value| -> Vec<String> {
            let targets = list(board, "panels").iter().flat_map(|panel| list(panel, "targets"));
            targets.map(|target| text(target, "expr").to_owned()).collect()
        };
        assert_eq!(queries(board), queries(&russian[file]), "{file}");
        let is_russian = |text: &str| text.chars().any(|letter| ('а'..='я').contains(&letter));
        for (panel, other) in list(board, "panels").iter().zip(list(&russian[file], "panels")) {
            let title = text(other, "title");
            assert!(!is_russian(text(panel, "title")) && is_russian(title), "{file}: {title}");
        }
    }
}
