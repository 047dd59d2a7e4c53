//! Visits from elsewhere: what a cancellation's own statement does not say may stand in the rows that the feeds read.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::answer::Visit;
use crate::record::Key;

/// Knows the visit of a booking.
pub trait Visits: Send + Sync {
    /// The visit of this booking, as far as it can be found out within the limit.
    fn of(&self, book: Key, limit: Duration) -> BoxFuture<'_, Visit>;
}

/// Knows none.
pub(super) struct Nowhere;

impl Visits for Nowhere {
    fn of(&self, _: Key, _: Duration) -> BoxFuture<'_, Visit> {
        Box::pin(std::future::ready(Visit::default()))
    }
}
