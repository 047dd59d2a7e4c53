//! Examination: what records name outside their rows (files) is looked at before they are planned, on threads that may wait for a slow
//! disk and while nothing of the engine is locked. Only what was found comes under the index's lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, spawn_blocking};

use super::index::{At, Index};
use super::plan::{FILE, Plan, refusal, see_in_flight};
use super::said::{self, Said};
use crate::ledger::{Entry, State};
use crate::portal::{Awaited, Unfit};
use crate::record::{Encoder, Fingerprint, RowChunk};

/// Rows are examined for about so long before those that are done are planned.
const GO: Duration = Duration::from_millis(100);

/// Looks at what a record names outside its row, and adds to its body what the fingerprint must cover.
pub(super) type Look = Arc<dyn Fn(&mut Vec<u8>) -> Result<(), Unfit> + Send + Sync>;

/// What came of the look at one row: the body with all that was added, or why it is not sent. None for a row that breaks rules by
/// itself.
pub(super) type Examined = Option<Result<Vec<u8>, Unfit>>;

/// Examines the rows of one read. Has an encoder of its own: what it finds is planned later.
pub(super) struct Examination {
    encoder: Encoder,
    look: Look,
}

impl Examination {
    /// An examination of rows that this encoder was bound to.
    pub(super) fn new(encoder: Encoder, look: Look) -> Self {
        Examination { encoder, look }
    }

    /// Examines rows of a chunk from one on, at least that one, and gives back what it was lent. Fails when the look panicked.
    pub(super) async fn rows(
        mut self,
        chunk: RowChunk,
        from: usize,
    ) -> Result<(Self, RowChunk, Vec<Examined>), JoinError> {
        let examine = move || {
            let begun = Instant::now();
            let mut examined = Vec::new();
            for row in chunk.rows().skip(from) {
                examined.push(self.encoder.encode(row).then(|| {
                    let mut body = self.encoder.body().to_vec();
                    (self.look)(&mut body).map(|()| body)
                }));
                if begun.elapsed() >= GO {
                    break;
                }
            }
            (self, chunk, examined)
        };
        spawn_blocking(examine).await
    }
}

impl Plan {
    /// A row names a file that is still to come. Its record waits, and is looked at again at each read.
    pub(super) fn await_file(&mut self, index: &mut Index, known: Option<At>, (field, file): (&'static str, Awaited)) {
        let Some(key) = self.encoder.key() else { return };
        // The row stays where it is.
        self.tell(key.id(), None, None);
        let phrase = match file {
            Awaited::Missing => said::FILE_MISSING,
            Awaited::Unfinished => said::FILE_UNFINISHED,
        };
        let wanted = Fingerprint::of(format!("{field}: {}", phrase.en).as_bytes());
        if let Some(at) = known {
            if index.in_flight(at) {
                return see_in_flight(index, at, wanted);
            }
            if index.state(at) == State::Unknown {
                return self.await_outcome(index, at, wanted);
            }
        }
        self.report.held += 1;
        let waits = |at: &At| {
            index.state(*at) == State::Held && index.detail(*at).is_some_and(|detail| detail.wanted == Some(wanted))
        };
        if let Some(at) = known.filter(|at| waits(at) && !self.tells_all) {
            return index.clear_due(at);
        }
        let mut entry = known.map_or_else(|| Entry::new(key.clone()), |at| index.entry(at));
        (entry.state, entry.wanted, entry.next_attempt) = (State::Held, Some(wanted), None);
        let text = Said::ours(phrase, &[&field]);
        self.note(index, entry, Some(refusal(Some(key), State::Held, FILE, Vec::new(), text, self.now())));
    }
}
