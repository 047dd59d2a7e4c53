//! `vitrina rejects resolve`: an operator says what became of a record of which nobody knows whether the portal took it. It leaves a word in
//! the ledger; whoever holds the ledger takes it up.

use chrono::Utc;

use super::gather::kind_of;
use super::show::{find, id_of, key_of};
use crate::cli::{CliError, ConfigFile, Outcome, Selection, print, status};
use crate::ledger::{AnyLedger, Entry, Ledger, Refusal, State, Word, WordKind};
use crate::record::Key;
use crate::sync::{Resolution, ResolveWord, is_resolvable};

/// Longest id of a portal that is taken.
const LONGEST_ID: usize = 200;

/// Options of `rejects resolve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The feed of the record
    #[arg(value_name = "PORTAL.FEED")]
    pub feed: Selection,

    /// The record's key
    pub key: String,

    /// What became of it.
    #[command(flatten)]
    pub outcome: Found,
}

/// What was found out at the portal.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Found {
    /// The portal has it, under this id of its own
    #[arg(long, value_name = "REMOTE_ID")]
    pub sent: Option<String>,

    /// The portal does not have it: it is sent again
    #[arg(long)]
    pub not_sent: bool,
}

/// Leaves the word and says who takes it up.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let feed = args.feed.one_feed(&config)?;
    let portal = args.feed.portal.as_str();
    let outcome = outcome(&args.outcome)?;
    let ledger = AnyLedger::open_for_words(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let kind = kind_of(&config, portal);
    let key = key_of(kind.and_then(|kind| kind.schema(feed)), &args.key);
    let feeds = ledger.feeds().await.map_err(anyhow::Error::from)?;
    let (refusals, entry) = match id_of(&feeds, portal, feed) {
        Some(id) => (ledger.refusals(id).await.map_err(anyhow::Error::from)?, find(&ledger, id, &key).await?),
        None => (Vec::new(), None),
    };
    let unnamed = kind.map_or(&[][..], |kind| kind.unnamed);
    if !names_a_new_one(entry.as_ref(), &outcome, unnamed) {
        check(&refusals, &key, unnamed)
            .map_err(|error| held_there(entry.as_ref(), &refusals, &key).unwrap_or(error))?;
    }
    let word = Word {
        portal: portal.to_owned(),
        feed: feed.to_owned(),
        kind: WordKind::Resolve,
        argument: ResolveWord { key: key.to_string(), outcome: outcome.clone() }.to_json(),
        said: Utc::now().timestamp(),
    };
    ledger.say(&word).await.map_err(anyhow::Error::from)?;
    ledger.close().await.map_err(anyhow::Error::from)?;
    let follows = match outcome {
        Resolution::Sent(remote_id) => format!("is at the portal as {remote_id}"),
        Resolution::NotSent => "is not at the portal and is sent again".to_owned(),
    };
    let daemon = status::daemon_answers(&config).await;
    print(&format!("{portal}.{feed} {key} {follows}\n{}", status::takes_it_up(daemon)))?;
    Ok(Outcome::Done)
}

fn outcome(found: &Found) -> Result<Resolution, CliError> {
    match &found.sent {
        None => Ok(Resolution::NotSent),
        Some(id) if id.trim().is_empty() => {
            Err(CliError::Usage("--sent needs the id that the portal shows".to_owned()))
        }
        Some(id) if id.chars().count() > LONGEST_ID => {
            Err(CliError::Usage(format!("--sent: no portal's id has more than {LONGEST_ID} characters")))
        }
        Some(id) => Ok(Resolution::Sent(id.trim().to_owned())),
    }
}

/// True when the word names what another hand has made at the portal, for a record that nothing was sent of. Only portals that can hold
/// something under an unknown id go on with it.
fn names_a_new_one(entry: Option<&Entry>, outcome: &Resolution, unnamed: &[&str]) -> bool {
    let untouched =
        entry.is_none_or(|entry| entry.accepted.is_none() && entry.mark.is_none() && entry.state != State::Unknown);
    untouched && !unnamed.is_empty() && matches!(outcome, Resolution::Sent(_))
}

/// What is to be said instead, of a record that the portal holds and nothing is wrong with.
fn held_there(entry: Option<&Entry>, refusals: &[Refusal], key: &Key) -> Option<CliError> {
    let remote_id = entry.filter(|entry| entry.accepted.is_some())?.remote_id.as_deref();
    let is_refused = refusals.iter().any(|refusal| refusal.key.as_ref() == Some(key));
    let id = remote_id.map(|id| format!(" as {id}")).unwrap_or_default();
    (!is_refused).then(|| CliError::Usage(format!("nothing was said: the portal holds {key}{id} already")))
}

/// Fails unless the record waits for such a word.
fn check(refusals: &[Refusal], key: &Key, unnamed: &[&str]) -> Result<(), CliError> {
    let found = refusals.iter().find(|refusal| refusal.key.as_ref() == Some(key));
    let state = match found {
        Some(refusal) if is_resolvable(refusal, unnamed) => return Ok(()),
        Some(refusal) if refusal.state == State::Held => "is held",
        Some(_) => "is rejected",
        None => "is neither rejected nor held",
    };
    Err(CliError::Usage(format!(
        "nothing was said: {key} {state}; only what became of records of unknown outcome is to be resolved (see \
         `vitrina rejects list --state unknown`), and of those whose remedy asks for the portal's id"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Fingerprint;

    fn refusal(state: State, code: &str, text: &str) -> Refusal {
        let (code, text) = (code.to_owned(), text.to_owned());
        Refusal { key: Some(Key::Guid(1)), state, code, violations: Vec::new(), text, since: 0 }
    }

    #[test]
    fn only_a_record_that_waits_for_a_word_can_be_resolved() {
        let refused = |refusal: Refusal| {
            check(&[refusal], &Key::Guid(1), &["NO_ID", "HTTP-409"]).map_err(|error| error.to_string())
        };
        assert_eq!(refused(refusal(State::Rejected, "NO_ID", "")), Ok(()));
        assert_eq!(refused(refusal(State::Rejected, "HTTP-409", "")), Ok(()));
        assert_eq!(refused(refusal(State::Unknown, "OUTCOME_UNKNOWN", "")), Ok(()));
        assert!(refused(refusal(State::Rejected, "R-330", "")).unwrap_err().contains("is rejected"));
        assert!(refused(refusal(State::Held, "PARENT", "")).unwrap_err().contains("is held"));
        assert!(check(&[], &Key::Guid(1), &[]).is_err());
    }

    #[test]
    fn what_nothing_was_sent_of_may_be_named_where_the_portal_can_go_on_with_it() {
        let sent = Resolution::Sent("36".into());
        let entry = |state| Entry { state, ..Entry::new(Key::Guid(1)) };
        let unnamed = &["HTTP-409"][..];
        assert!(names_a_new_one(None, &sent, unnamed));
        for state in [State::Rejected, State::Held, State::Pending] {
            assert!(names_a_new_one(Some(&entry(state)), &sent, unnamed), "{state:?}");
        }
        assert!(!names_a_new_one(Some(&entry(State::Unknown)), &sent, unnamed));
        let accepted = Entry { accepted: Some(Fingerprint(1)), ..entry(State::Accepted) };
        assert!(!names_a_new_one(Some(&accepted), &sent, unnamed));
        let there = Entry { remote_id: Some("36".into()), ..accepted };
        let said = held_there(Some(&there), &[], &Key::parse("4")).map(|error| error.to_string());
        assert_eq!(said.as_deref(), Some("nothing was said: the portal holds 4 as 36 already"));
        assert!(!names_a_new_one(None, &Resolution::NotSent, unnamed) && !names_a_new_one(None, &sent, &[]));
    }

    #[test]
    fn an_id_is_asked_for() {
        let found = |sent: &str| outcome(&Found { sent: Some(sent.to_owned()), not_sent: false });
        assert!(matches!(found(" r-1 "), Ok(Resolution::Sent(id)) if id == "r-1"));
        assert!(found("  ").is_err());
        assert!(found(&"r".repeat(LONGEST_ID + 1)).is_err());
    }
}
