//! Sections: what of a configuration differs from another one, told by name and without their contents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use xxhash_rust::xxh3::xxh3_128;

use super::tree::{Look, Table};

/// A part of a portal's section that is not the portal's own: what it may call here.
const PLATFORM: &str = "platform";
/// The key of that part which the portal's own side reads as well.
const SHARED: &str = "reviewer_snils";
/// Sections that are told key by key, because a running process can change some of their keys.
const BY_KEY: [&str; 2] = ["serve", "daemon"];
/// What a running process can change of these sections.
const LIVE_KEYS: [&str; 3] = ["serve.platform_listen", "daemon.workers", "daemon.grace"];

/// The sections of a configuration, secrets and defaults included, each as a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections(BTreeMap<String, u128>);

impl Sections {
    pub(super) fn of(tree: &Table) -> Self {
        let mut sections = BTreeMap::new();
        let mut add = |name: String, value: &Json| {
            sections.insert(name, xxh3_128(value.to_string().as_bytes()));
        };
        for (name, section) in tree {
            match section.as_object() {
                _ if name == "sources" || name == "portals" => {}
                Some(keys) if BY_KEY.contains(&name.as_str()) => {
                    keys.iter().for_each(|(key, value)| add(format!("{name}.{key}"), value));
                }
                _ => add(name.clone(), section),
            }
        }
        for (name, source) in tree.tables("sources") {
            add(format!("sources.{name}"), &Json::Object(source.clone()));
        }
        for (name, portal) in tree.tables("portals") {
            let mut portal = portal.clone();
            if let Some(platform) = portal.remove(PLATFORM) {
                add(format!("portals.{name}.{PLATFORM}"), &platform);
                if let Some(shared) = platform.get(SHARED) {
                    portal.insert(format!("{PLATFORM}.{SHARED}"), shared.clone());
                }
            }
            add(format!("portals.{name}"), &Json::Object(portal));
        }
        Sections(sections)
    }

    /// The sections that are in one of both only, or not the same in both.
    pub fn changed(&self, other: &Sections) -> BTreeSet<String> {
        let names = self.0.keys().chain(other.0.keys());
        names.filter(|name| self.0.get(*name) != other.0.get(*name)).cloned().collect()
    }

    /// The same, but for these sections, which are as in `other`.
    pub fn but_for(mut self, names: &BTreeSet<String>, other: &Sections) -> Self {
        for name in names {
            match other.0.get(name) {
                Some(digest) => drop(self.0.insert(name.clone(), *digest)),
                None => drop(self.0.remove(name)),
            }
        }
        self
    }
}

/// True for a section, or a key of one, that only a start can change.
pub fn needs_a_start(section: &str) -> bool {
    let lives = ["sources.", "portals."].iter().any(|prefix| section.starts_with(prefix));
    !lives && section != "booking" && section != "notify" && !LIVE_KEYS.contains(&section)
}

/// True for a section that says who may call the platform, and where.
pub fn is_of_platform(section: &str) -> bool {
    section == LIVE_KEYS[0] || (section.starts_with("portals.") && section.ends_with(".platform"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(text: &str) -> Sections {
        Sections::of(serde_json::from_str::<Json>(text).expect("JSON").as_object().expect("an object"))
    }

    #[test]
    fn what_differs_is_told_by_section() {
        let one = sections(
            r#"{"ledger":{"url":"a"},"sources":{"mis":{"url":"x"},"lab":{"url":"y"}},"portals":{"fer":{"batch":1},"nmo":{"platform":{"portal_id":"p"}}}}"#,
        );
        let other = sections(
            r#"{"ledger":{"url":"b"},"sources":{"mis":{"url":"x"}},"portals":{"fer":{"batch":2},"nmo":{"platform":{"portal_id":"q"}},"pos":{}}}"#,
        );
        let changed: Vec<String> = one.changed(&other).into_iter().collect();
        assert_eq!(changed, ["ledger", "portals.fer", "portals.nmo.platform", "portals.pos", "sources.lab"]);
        assert_eq!(one.changed(&one.clone()), BTreeSet::new());
        let fixed: BTreeSet<String> = changed.into_iter().filter(|name| needs_a_start(name)).collect();
        assert_eq!(fixed.iter().collect::<Vec<_>>(), ["ledger"]);
        assert_eq!(
            other.but_for(&fixed, &one).changed(&one).into_iter().collect::<Vec<_>>(),
            ["portals.fer", "portals.nmo.platform", "portals.pos", "sources.lab"]
        );
    }

    #[test]
    fn the_process_and_its_listeners_are_told_key_by_key() {
        let one =
            sections(r#"{"serve":{"listen":"a","platform_listen":"p"},"daemon":{"grace":"20s","log_level":"info"}}"#);
        let other = sections(r#"{"serve":{"listen":"b"},"daemon":{"grace":"30s","log_level":"debug","workers":8}}"#);
        let changed = one.changed(&other);
        let (fixed, live): (Vec<&str>, Vec<&str>) =
            changed.iter().map(String::as_str).partition(|name| needs_a_start(name));
        assert_eq!(fixed, ["daemon.log_level", "serve.listen"]);
        assert_eq!(live, ["daemon.grace", "daemon.workers", "serve.platform_listen"]);
    }

    #[test]
    fn what_the_portal_reads_of_its_platform_changes_the_portal_too() {
        let of = |snils: &str, pin: &str| {
            sections(&format!(
                r#"{{"portals":{{"nmo":{{"url":"u","platform":{{"reviewer_snils":"{snils}","reviewer_test_pin":"{pin}"}}}}}}}}"#
            ))
        };
        let changed = |other: &Sections| of("1", "a").changed(other).into_iter().collect::<Vec<_>>();
        assert_eq!(changed(&of("1", "b")), ["portals.nmo.platform"]);
        assert_eq!(changed(&of("2", "a")), ["portals.nmo", "portals.nmo.platform"]);
        assert!(is_of_platform("portals.nmo.platform") && !is_of_platform("portals.nmo"));
    }
}
