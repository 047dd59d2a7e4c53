//! Messages: what people read, and the same as JSON for programs.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::plan::Tell;
use super::words;
use crate::daemon::trouble::{Brief, Trouble};
use crate::record::{Language, Phrase};

/// Troubles that are listed; more are counted.
const LISTED: usize = 30;
/// Longest subject, in characters.
const SUBJECT: usize = 160;

/// In whose name people are spoken to, and how.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    /// The machine's name.
    pub host: String,
    /// The language.
    pub language: Language,
    /// The clock on which times are told.
    pub zone: Tz,
}

/// One notice. Its JSON is what a webhook and a command get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The machine's name.
    pub host: String,
    /// `ru` or `en`.
    pub language: &'static str,
    /// The kind of the gravest trouble, or `over`, `digest`, `test`.
    pub kind: &'static str,
    /// One line.
    pub subject: String,
    /// The whole, for people.
    pub text: String,
    /// What it is about, one by one.
    pub items: Vec<Item>,
}

/// One trouble of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The portal; none for what concerns the whole process.
    pub portal: Option<String>,
    /// The feed; none for what concerns the whole portal.
    pub feed: Option<String>,
    /// The kind of trouble.
    pub kind: &'static str,
    /// The portal's code, or ours.
    pub code: Option<String>,
    /// How many records it has.
    pub count: u64,
    /// Who must act.
    pub who: &'static str,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub remedy: String,
    /// Since when, RFC 3339.
    pub since: String,
}

impl Notice {
    /// The notice of a plan. A morning's state tells of the feeds too.
    pub(super) fn of(voice: &Voice, tell: &Tell, feeds: &[Brief]) -> Self {
        match tell {
            Tell::Wrong { fresh, standing } => voice.wrong(fresh, standing),
            Tell::Over { over, standing } => voice.over(over, standing),
            Tell::Digest { troubles, .. } => voice.digest(troubles, feeds),
        }
    }

    /// A notice that says it is a trial.
    pub(super) fn trial(voice: &Voice) -> Self {
        voice.notice("test", voice.said(words::TRIAL_SUBJECT), voice.said(words::TRIAL).to_owned() + "\n", &[])
    }
}

impl Voice {
    fn said(&self, phrase: Phrase) -> &'static str {
        phrase.said_in(self.language)
    }

    fn about(&self, phrase: Phrase, about: &[&dyn std::fmt::Display]) -> String {
        phrase.about_in(self.language, about)
    }

    fn wrong(&self, fresh: &[Trouble], standing: &[Trouble]) -> Notice {
        let kind = fresh.first().map_or("test", |first| first.kind.name());
        let mut text = format!("{}\n\n", self.said(words::WRONG));
        self.list(&mut text, fresh);
        if !standing.is_empty() {
            let _ = writeln!(text, "{}", self.said(words::STANDING));
            self.lines(&mut text, standing);
        }
        self.notice(kind, &self.title(fresh), text, fresh)
    }

    fn over(&self, over: &[Trouble], standing: &[Trouble]) -> Notice {
        let mut text = format!("{}\n\n", self.said(words::OVER));
        self.lines(&mut text, over);
        if standing.is_empty() {
            let _ = writeln!(text, "{}", self.said(words::NOTHING_STANDS));
        } else {
            let _ = writeln!(text, "{}", self.said(words::STANDING));
            self.lines(&mut text, standing);
        }
        self.notice("over", &format!("{}: {}", self.said(words::OVER_SUBJECT), self.title(over)), text, over)
    }

    fn digest(&self, troubles: &[Trouble], feeds: &[Brief]) -> Notice {
        let (subject, mut text) = if troubles.is_empty() {
            (self.said(words::DIGEST_SUBJECT_WELL).to_owned(), format!("{}\n\n", self.said(words::DIGEST_WELL)))
        } else {
            let subject = self.about(words::DIGEST_SUBJECT_WRONG, &[&troubles.len()]);
            (subject, format!("{}\n\n", self.said(words::DIGEST_WRONG)))
        };
        self.list(&mut text, troubles);
        if !feeds.is_empty() {
            let _ = writeln!(text, "{}", self.said(words::FEEDS));
        }
        for feed in feeds {
            let last = feed.last_success.and_then(|last| DateTime::from_timestamp(last, 0));
            let last = last.map_or_else(|| self.said(words::NEVER).to_owned(), |last| self.time(last));
            let Brief { portal, feed: name, accepted, waiting, rejected, .. } = feed;
            let _ = writeln!(text, "- {portal}.{name}: {accepted}, {waiting}, {rejected}, {last}");
        }
        self.notice("digest", &subject, text, troubles)
    }

    /// A short line about several troubles, the gravest first.
    fn title(&self, troubles: &[Trouble]) -> String {
        let Some(first) = troubles.first() else { return String::new() };
        let one = format!("{}: {}", first.place(self.language), words::title(first.kind, self.language));
        match troubles.len() {
            1 => one,
            all => self.about(words::AND_MORE, &[&one, &(all - 1)]),
        }
    }

    /// Troubles with all that is known of them.
    fn list(&self, text: &mut String, troubles: &[Trouble]) {
        for (at, trouble) in troubles.iter().take(LISTED).enumerate() {
            let who = self.about(words::WHO, &[&trouble.who.name(self.language)]);
            let remedy = self.about(words::REMEDY, &[&one_line(trouble.remedy.said_in(self.language))]);
            let since = self.about(words::SINCE, &[&self.time(trouble.since)]);
            let said = one_line(trouble.text.said_in(self.language));
            let _ = writeln!(text, "{}. {said}\n   {who}\n   {remedy}\n   {since}\n", at + 1);
        }
        self.count_rest(text, troubles);
    }

    /// Troubles as one line each.
    fn lines(&self, text: &mut String, troubles: &[Trouble]) {
        for trouble in troubles.iter().take(LISTED) {
            let since = self.about(words::SINCE, &[&self.time(trouble.since)]);
            let _ = writeln!(text, "- {} {since}", one_line(trouble.text.said_in(self.language)));
        }
        self.count_rest(text, troubles);
        text.push('\n');
    }

    fn count_rest(&self, text: &mut String, troubles: &[Trouble]) {
        if let Some(more) = troubles.len().checked_sub(LISTED).filter(|more| *more > 0) {
            let _ = writeln!(text, "{}\n", self.about(words::MORE, &[&more]));
        }
    }

    fn time(&self, moment: DateTime<Utc>) -> String {
        let form = match self.language {
            Language::English => "%Y-%m-%d %H:%M",
            Language::Russian => "%d.%m.%Y %H:%M",
        };
        format!("{} ({})", moment.with_timezone(&self.zone).format(form), self.zone.name())
    }

    fn notice(&self, kind: &'static str, subject: &str, mut text: String, about: &[Trouble]) -> Notice {
        let host = &self.host;
        let _ = write!(text, "\n{}\n", self.about(words::DETAILS, &[host]));
        let subject = one_line(&format!("Vitrina {host}: {subject}"));
        Notice {
            host: host.clone(),
            language: match self.language {
                Language::English => "en",
                Language::Russian => "ru",
            },
            kind,
            subject: subject.chars().take(SUBJECT).collect(),
            text,
            items: about.iter().map(|trouble| Item::of(trouble, self.language)).collect(),
        }
    }
}

impl Item {
    fn of(trouble: &Trouble, language: Language) -> Self {
        Item {
            portal: trouble.portal.clone(),
            feed: trouble.feed.clone(),
            kind: trouble.kind.name(),
            code: trouble.code.clone(),
            count: trouble.count,
            who: trouble.who.name(language),
            text: trouble.text.said_in(language).to_owned(),
            remedy: trouble.remedy.said_in(language).to_owned(),
            since: trouble.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

/// A portal's words may hold line ends, which would let it write lines of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
