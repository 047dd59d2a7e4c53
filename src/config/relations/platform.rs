//! What the platforms of medical education must agree on: one listener serves them all and tells their portals apart by name.

use std::collections::BTreeMap;

use crate::config::problem::Problems;
use crate::config::tree::{Look, Table};

/// The keys of the reviewer, which belong together.
const REVIEWER: [&str; 3] = ["reviewer_snils", "reviewer_test_pin", "reviewer_full_pin"];

pub(super) fn check(tree: &Table, problems: &mut Problems) {
    let listens = tree.table("serve").is_some_and(|serve| serve.contains_key("platform_listen"));
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut served = false;
    for (portal, settings) in tree.tables("portals") {
        let Some(platform) = settings.table("platform") else { continue };
        served = true;
        let key = format!("portals.{portal}.platform");
        if !listens {
            problems.error(&key, "is served at serve.platform_listen, which is missing");
        }
        if let Some(id) = platform.text("portal_id")
            && let Some(other) = names.insert(id, portal)
        {
            problems.error(format!("{key}.portal_id"), format!("portal {other} signs in under the same name"));
        }
        check_reviewer(&key, platform, problems);
    }
    if listens && !served {
        problems.warning("serve.platform_listen", "has no effect: no portal has a platform section");
    }
}

fn check_reviewer(key: &str, platform: &Table, problems: &mut Problems) {
    let missing: Vec<&str> = REVIEWER.into_iter().filter(|name| !platform.contains_key(*name)).collect();
    if missing.len() == REVIEWER.len() {
        return;
    }
    for name in missing {
        problems.error(format!("{key}.{name}"), "is missing: a reviewer has a SNILS and both PINs, or none of them");
    }
}
