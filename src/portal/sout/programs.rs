//! The catalogue of training programmes. Titles go into the register letter by letter as the portal has them, so they are read from it and
//! never typed; they change with its law, a few times in a decade.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use super::wire::Wire;
use crate::transport::{Answer, Failure, Mishap, Trouble};

/// How long a catalogue is good for.
const FRESH: Duration = Duration::from_secs(6 * 60 * 60);
/// How long nobody asks again after a failure.
const REST: Duration = Duration::from_secs(5 * 60);
/// The same after a failure that passes by itself: the portal's own pauses keep it from being asked too often.
const SHORT_REST: Duration = Duration::from_secs(5);
/// Most programmes; the register knows 28.
const MOST_PROGRAMS: usize = 1000;

/// Titles by the programmes' numbers.
pub(super) type Titles = BTreeMap<i64, String>;

/// True for what is none of the portal's own words about the catalogue.
fn passes(failure: &Failure) -> bool {
    match failure.trouble {
        Trouble::Transient { .. }
        | Trouble::TimedOut
        | Trouble::Maintenance { .. }
        | Trouble::Foreign { .. }
        | Trouble::TooLarge => true,
        Trouble::Unattributed
        | Trouble::UnitBlocked
        | Trouble::FeedParked
        | Trouble::BatchAtFault
        | Trouble::Parked => false,
    }
}

/// The catalogue as last read.
#[derive(Default)]
pub(super) struct Programs {
    // Held while the portal is asked: who needs titles meanwhile waits for that one answer.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    titles: Option<Arc<Titles>>,
    failure: Option<Failure>,
    /// Nobody asks before.
    next: Option<Instant>,
}

impl Programs {
    /// The titles: those of the last hours, or new ones, or old ones when the portal does not give any. Nothing that comes of asking concerns
    /// the records that are to be sent: no failure may have applied anything.
    pub async fn titles(&self, wire: &Wire) -> Result<Arc<Titles>, Failure> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if state.next.is_none_or(|next| next <= now) {
            match wire.programs().await.and_then(|answer| titles(&answer)) {
                Ok(titles) => *state = State { titles: Some(titles.into()), failure: None, next: Some(now + FRESH) },
                Err(failure) => {
                    let rest = if passes(&failure) { SHORT_REST } else { REST };
                    state.failure = Some(failure);
                    state.next = Some(now + rest);
                }
            }
        }
        match (&state.titles, &state.failure) {
            (Some(titles), _) => Ok(Arc::clone(titles)),
            (None, Some(failure)) => Err(before_sending(failure)),
            (None, None) => Err(before_sending(&unreadable("it was never asked"))),
        }
    }
}

fn before_sending(failure: &Failure) -> Failure {
    let text = format!("the catalogue of training programmes cannot be read: {}", failure.text);
    Failure { trouble: failure.trouble, maybe_applied: false, text }
}

fn unreadable(reason: &str) -> Failure {
    Mishap::Unreadable { reason: reason.into() }.into()
}

/// `{"learnPrograms":[{"id","code","title"}]}`, in any letter case, or the bare list.
pub(super) fn titles(answer: &Answer) -> Result<Titles, Failure> {
    if !(200..300).contains(&answer.status) {
        return Err(Mishap::Status { code: answer.status, retry_after: answer.retry_after }.into());
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable("it is not JSON"))?;
    let list = member(&body, "learnPrograms").unwrap_or(&body).as_array().ok_or_else(|| unreadable("it is no list"))?;
    let titles: Titles = list.iter().take(MOST_PROGRAMS).filter_map(program).collect();
    if titles.is_empty() { Err(unreadable("it names no programme")) } else { Ok(titles) }
}

fn program(value: &Value) -> Option<(i64, String)> {
    let id = member(value, "id")?;
    let id = id.as_i64().or_else(|| id.as_str()?.trim().parse().ok())?;
    let title = member(value, "title")?.as_str().filter(|title| !title.trim().is_empty())?;
    Some((id, title.to_owned()))
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Titles, Failure> {
        titles(&Answer { status, retry_after: None, date: None, body: body.into() })
    }

    #[test]
    fn titles_are_kept_letter_by_letter_whatever_the_envelope() {
        let title = "Оказание первой  помощи пострадавшим ";
        for body in [
            format!(r#"{{"learnPrograms":[{{"id":4,"code":"x","title":"{title}"}},{{"id":null}},7]}}"#),
            format!(r#"{{"LearnPrograms":[{{"Id":"4","Title":"{title}"}}]}}"#),
            format!(r#"[{{"id":4,"title":"{title}"}}]"#),
        ] {
            assert_eq!(read(200, &body).unwrap(), BTreeMap::from([(4, title.to_owned())]), "{body}");
        }
    }

    #[test]
    fn what_names_no_programme_is_no_catalogue() {
        for (status, body) in [(200, "{}"), (200, "[]"), (200, "<html>"), (200, r#"{"learnPrograms":{}}"#), (404, "[]")]
        {
            assert!(read(status, body).is_err(), "{status} {body}");
        }
    }
}
