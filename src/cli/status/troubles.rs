//! What is wrong as lines: who must act, and what to do.

use std::fmt::Write as _;

use crate::daemon::Status;
use crate::record::{Language, Phrase};

const WELL: Phrase = Phrase { en: "everything is in step", ru: "всё передано" };
const SINCE: Phrase = Phrase { en: "since", ru: "с" };
const WRONG: Phrase = Phrase { en: "to be seen to", ru: "требует внимания" };
const WHO: Phrase = Phrase { en: "who acts", ru: "кто действует" };

/// What is wrong stands before everything else.
pub(super) fn readable(status: &Status, language: Language) -> String {
    let said = |phrase: Phrase| phrase.said_in(language);
    let mut text = String::new();
    if let Some(since) = &status.well_since {
        let _ = writeln!(text, "{} {} {since}", said(WELL), said(SINCE));
    }
    if !status.troubles.is_empty() {
        let _ = writeln!(text, "{}: {}", said(WRONG), status.troubles.len());
    }
    for trouble in &status.troubles {
        let since = trouble.since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let who = trouble.who.name(language);
        let _ = writeln!(text, "! {} ({} {since})", trouble.text.said_in(language), said(SINCE));
        let _ = writeln!(text, "  {}: {who}. {}", said(WHO), trouble.remedy.said_in(language));
    }
    text
}
