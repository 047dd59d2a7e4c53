//! Examination: what records name outside their rows (files) is looked at before they are planned, on threads that may wait for a slow
//! disk and while nothing of the engine is locked. Only what was found comes under the index's lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, spawn_blocking};

use crate::record::{Encoder, RowChunk, Violation};

/// Rows are examined for about so long before those that are done are planned.
const GO: Duration = Duration::from_millis(100);

/// Looks at what a record names outside its row, and adds to its body what the fingerprint must cover.
pub(super) type Look = Arc<dyn Fn(&mut Vec<u8>) -> Result<(), Vec<Violation>> + Send + Sync>;

/// What came of the look at one row: the body with all that was added, or the rules that are broken. None for a row that breaks rules by
/// itself.
pub(super) type Examined = Option<Result<Vec<u8>, Vec<Violation>>>;

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
