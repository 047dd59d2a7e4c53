//! The alert rules: their queries, texts, unit tests and pages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use vitrina::cli::Cli;
use yaml_rust2::{Yaml, YamlLoader};

use super::known::Known;
use super::query::Asked;

const RULES: &str = include_str!("../../../deploy/prometheus/vitrina.rules.yml");
const TESTS: &str = include_str!("../../prometheus/vitrina.test.yml");
/// The pages that explain alerts, each with the word that its annotations end on.
const PAGES: [(&str, &str, &str); 2] = [
    ("docs/alerts.md", "", include_str!("../../../docs/alerts.md")),
    ("docs/ru/alerts.md", "_ru", include_str!("../../../docs/ru/alerts.md")),
];
/// Kinds of trouble, as notices name them, and two that only Prometheus can see.
const KINDS: [&str; 10] = [
    "rejected",
    "fuse",
    "portal_refused",
    "portal_down",
    "unit_blocked",
    "booking",
    "ledger",
    "freshness",
    "daemon",
    "clock",
];

/// Every rule of the file.
fn rules() -> Vec<Yaml> {
    let file = YamlLoader::load_from_str(RULES).unwrap().remove(0);
    let groups = file["groups"].as_vec().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_vec().unwrap().clone()).collect()
}

/// The alerts, by name.
fn alerts() -> Vec<(String, Yaml)> {
    let named = rules().into_iter().filter_map(|rule| Some((rule["alert"].as_str()?.to_owned(), rule)));
    named.collect()
}

/// What exists, with the series that the file records.
pub fn known() -> Known {
    let mut known = Known::new();
    for rule in rules() {
        if let (Some(name), Some(expr)) = (rule["record"].as_str(), rule["expr"].as_str()) {
            let labels = ["job", "instance", "portal", "verb"].into_iter().filter(|label| expr.contains(label));
            known.record(name, labels.map(str::to_owned).collect());
        }
    }
    known
}

fn promtool(arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = Command::new("promtool").args(arguments).current_dir(root).output();
    let ran = ran.expect("promtool is needed: tests/tools.sh test installs it");
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{text}");
    text
}

/// Labels that a text of an alert names.
fn labels_of(text: &str) -> BTreeSet<String> {
    let named = text.split("$labels.").skip(1);
    named.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned()).collect()
}

#[test]
fn every_query_of_the_rules_asks_for_what_exists() {
    let known = known();
    for rule in rules() {
        let expr = rule["expr"].as_str().unwrap();
        let texts = rule["annotations"].as_hash().into_iter().flat_map(|texts| texts.values());
        let shown = texts.flat_map(|text| labels_of(text.as_str().unwrap())).collect();
        let unknown = Asked::of(expr).unknown(&known, &shown);
        assert!(unknown.is_empty(), "{expr}: {unknown:?}");
    }
}

#[test]
fn every_alert_says_how_grave_it_is_and_what_to_do_in_both_languages() {
    let mut seen = BTreeSet::new();
    for (name, alert) in alerts() {
        assert!(seen.insert(name.clone()), "{name} stands twice");
        let label = |label: &str| alert["labels"][label].as_str().unwrap_or_default().to_owned();
        assert!(["critical", "warning"].contains(&label("severity").as_str()), "{name}");
        assert!(KINDS.contains(&label("kind").as_str()), "{name}: {}", label("kind"));
        for (page, ending, _) in PAGES {
            let text = |text: &str| {
                alert["annotations"][format!("{text}{ending}").as_str()].as_str().unwrap_or_default().to_owned()
            };
            let (summary, description) = (text("summary"), text("description"));
            assert!(!summary.is_empty() && description.ends_with('.'), "{name}{ending}");
            let is_russian = |text: &str| text.chars().any(|letter| ('а'..='я').contains(&letter));
            assert_eq!(
                (is_russian(&summary), is_russian(&description)),
                (!ending.is_empty(), !ending.is_empty()),
                "{name}"
            );
            assert_eq!(text("runbook"), format!("/usr/share/doc/vitrina/{page}#{}", name.to_lowercase()));
        }
    }
}

#[test]
fn every_alert_has_its_section_on_both_pages_and_no_section_is_without_one() {
    let alerts: BTreeSet<String> = alerts().into_iter().map(|(name, _)| name).collect();
    for (page, _, text) in PAGES {
        let sections = text.lines().filter_map(|line| line.strip_prefix("### "));
        let sections: BTreeSet<String> = sections.map(str::to_owned).collect();
        assert_eq!(sections, alerts, "{page}");
    }
}

#[test]
fn every_command_of_the_pages_can_be_typed() {
    for (page, _, text) in PAGES {
        let commands = text.lines().filter(|line| line.starts_with("vitrina ")).collect::<Vec<_>>();
        assert!(commands.len() > 20, "{page}: {}", commands.len());
        for command in commands {
            let typed = command.split(" #").next().unwrap();
            let words = typed.split_whitespace().take_while(|word| !["|", ">"].contains(word));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{page}: {command}: {error}");
            }
        }
    }
}

#[test]
fn the_rules_pass_their_unit_tests() {
    promtool(&["check", "rules", "deploy/prometheus/vitrina.rules.yml"]);
    promtool(&["test", "rules", "tests/prometheus/vitrina.test.yml"]);
}

#[test]
fn every_alert_is_seen_to_fire_in_a_unit_test() {
    for (name, _) in alerts() {
        assert!(TESTS.contains(&format!("- labels: '{{alertname=\"{name}\"")), "{name}");
    }
}

#[test]
fn what_the_pages_link_to_exists() {
    for (page, _, text) in PAGES {
        let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(page).parent().unwrap().into();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for link in links.filter(|link| !link.is_empty()) {
            assert!(folder.join(link).exists(), "{page}: {link}");
        }
    }
}
