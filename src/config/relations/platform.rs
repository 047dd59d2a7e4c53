//! What the platforms of medical education must agree on: one listener serves them all and tells their portals apart by name.

use std::collections::BTreeMap;

use crate::config::problem::Problems;
use crate::config::tree::{Look, Table};

/// The keys of the reviewer, which belong together.
const REVIEWER: [&str; 3] = ["reviewer_snils", "reviewer_test_pin", "reviewer_full_pin"];

/// Characters of a secret that is not guessed.
const SHORTEST: usize = 16;

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
        check_handover(&key, platform, problems);
        check_strength(&key, platform, problems);
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

/// A signature, its secret and its end belong together, and the learning system must see what was signed.
fn check_handover(key: &str, platform: &Table, problems: &mut Problems) {
    let Some(template) = platform.text("redirect_template") else { return };
    let has = |place: &str| template.contains(&format!("{{{place}}}"));
    let named = format!("{key}.redirect_template");
    let secret = platform.contains_key("handover_secret");
    match (secret, has("signature"), has("expires")) {
        (true, true, true) => {
            for place in ["module_id", "snils", "reviewer"].into_iter().filter(|place| !has(place)) {
                let text = format!("lacks {{{place}}}, which {{signature}} covers: the learning system must see it to verify the signature");
                problems.warning(&named, text);
            }
        }
        (true, true, false) => problems.error(&named, "has {signature} without {expires}, which is a part of what is signed"),
        (true, false, _) => problems.error(&named, "lacks {signature}, although handover_secret is given: the learning system would have to trust any address"),
        (false, false, false) if has("snils") => problems.warning(
            &named,
            "is not signed: whoever knows the address can pose as any specialist; add {reviewer}, {expires} and {signature}, and set handover_secret",
        ),
        (false, false, false) => {}
        (false, _, _) => problems.error(
            format!("{key}.handover_secret"),
            "is missing: {signature} and {expires} of redirect_template are made with it",
        ),
    }
}

/// Secrets that strangers may guess at over the network.
fn check_strength(key: &str, platform: &Table, problems: &mut Problems) {
    for name in ["handover_secret", "api_token"] {
        if platform.text(name).is_some_and(|secret| secret.trim().chars().count() < SHORTEST) {
            let text =
                format!("is shorter than {SHORTEST} characters and can be guessed; `openssl rand -hex 32` makes one");
            problems.warning(format!("{key}.{name}"), text);
        }
    }
}
