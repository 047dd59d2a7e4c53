//! Sections: what of a configuration differs from another one, told by name and without their contents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use xxhash_rust::xxh3::xxh3_128;

use super::tree::{Look, Table};

/// A part of a portal's section that a running process cannot change.
const PLATFORM: &str = "platform";

/// The sections of a configuration, secrets and defaults included, each as a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections(BTreeMap<String, u128>);

impl Sections {
    pub(super) fn of(tree: &Table) -> Self {
        let mut sections = BTreeMap::new();
        let mut add = |name: String, value: &Json| sections.insert(name, xxh3_128(value.to_string().as_bytes()));
        for (name, section) in tree {
            if name != "sources" && name != "portals" {
                add(name.clone(), section);
            }
        }
        for (name, source) in tree.tables("sources") {
            add(format!("sources.{name}"), &Json::Object(source.clone()));
        }
        for (name, portal) in tree.tables("portals") {
            let mut portal = portal.clone();
            if let Some(platform) = portal.remove(PLATFORM) {
                add(format!("portals.{name}.{PLATFORM}"), &platform);
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

/// True for a section that only a start can change.
pub fn needs_a_start(section: &str) -> bool {
    !section.starts_with("sources.") && (!section.starts_with("portals.") || section.ends_with(".platform"))
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
        assert_eq!(fixed.iter().collect::<Vec<_>>(), ["ledger", "portals.nmo.platform"]);
        assert_eq!(
            other.but_for(&fixed, &one).changed(&one).into_iter().collect::<Vec<_>>(),
            ["portals.fer", "portals.pos", "sources.lab"]
        );
    }
}
