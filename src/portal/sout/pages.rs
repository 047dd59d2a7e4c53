//! Pages of the register, from the first to the last, whatever their size comes to.
//!
//! A page that is too large for anybody on the way is asked for again in parts; the size that is borne is remembered. A portal may give
//! smaller pages than it is asked for.

use std::sync::atomic::{AtomicU32, Ordering};

use super::answer;
use super::entry::RegisterRecord;
use super::wire::{Filter, Wire};
use crate::transport::{Answer, Failure, Mishap};

/// The size of pages that the portal, and what stands before it, bears.
#[derive(Debug)]
pub(super) struct PageSize(AtomicU32);

impl PageSize {
    pub fn new(most: u32) -> Self {
        PageSize(AtomicU32::new(most.max(1)))
    }

    pub fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// A page of this size was too large. The next size divides it, so that no record falls between two pages; none when it was one record.
    fn shrink(&self, size: u32) -> Option<u32> {
        let factor = (2..=size).find(|factor| size.is_multiple_of(*factor))?;
        let smaller = size / factor;
        tracing::warn!(size, smaller, "a page of the register is too large and is read in parts; set page_size");
        self.0.fetch_min(smaller, Ordering::Relaxed);
        Some(smaller)
    }
}

/// The page that begins after so many records, and its size. `size` divides `after`.
pub(super) async fn fetch(
    wire: &Wire,
    filter: &Filter,
    after: u64,
    mut size: u32,
    bearable: &PageSize,
) -> Result<(Answer, u32), Failure> {
    loop {
        let answer = wire.read_back(filter, after / u64::from(size) + 1, size).await;
        let too_large = match &answer {
            Ok(answer) => answer.status == 413,
            Err(mishap) => matches!(mishap, Mishap::Oversized { .. }),
        };
        match too_large.then(|| bearable.shrink(size)).flatten() {
            Some(smaller) => size = smaller,
            None => return Ok((answer?, size)),
        }
    }
}

/// Reads all that a filter finds, and hands it over page by page.
pub(super) async fn all(
    wire: &Wire,
    filter: &Filter,
    bearable: &PageSize,
    mut take: impl FnMut(Vec<RegisterRecord>) + Send,
) -> Result<(), Failure> {
    let (mut after, mut size, mut before) = (0, bearable.now(), Vec::new());
    loop {
        let (answer, used) = fetch(wire, filter, after, size, bearable).await?;
        let page = answer::records(&answer, wire.key())?;
        let got = page.len() as u64;
        if page.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = page.iter().map(RegisterRecord::id).collect();
        if ids == before {
            return match got < u64::from(used) {
                // The last page once more.
                true => Ok(()),
                false => Err(Mishap::Unreadable { reason: "every page of the register is the same one".into() }.into()),
            };
        }
        before = ids;
        take(page);
        let short = got < u64::from(used);
        if short && after > 0 {
            return Ok(());
        }
        // A first page that is short is all there is, or all that the portal gives at a time: the next one tells.
        size = if short { u32::try_from(got).unwrap_or(used) } else { used };
        after += got;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_page_divides_the_larger_one() {
        let size = PageSize::new(5000);
        let mut sizes = vec![5000];
        while let Some(smaller) = size.shrink(sizes[sizes.len() - 1]) {
            sizes.push(smaller);
        }
        assert_eq!(sizes, [5000, 2500, 1250, 625, 125, 25, 5, 1]);
        assert_eq!(size.now(), 1);
        assert_eq!(PageSize::new(7).shrink(7), Some(1));
    }
}
