//! Looking records up in the register: what became of those whose push had no answer, and how far those have got that were taken.
//!
//! A push is not to be repeated before it is certain that it made nothing. A signed set is in the register or nowhere, a while after it was
//! sent; an unsigned one may lie at the portal as a draft that no read-back shows, so that not finding it proves nothing.
//!
//! Drafts that nobody ever sends are asked about for ever: what was lost comes before them, and they come in the order in which they are
//! given, so that none keeps others from their turn.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{self, Found, Page};
use super::pages::{self, PageSize};
use super::wire::{Filter, Wire};
use crate::portal::{Asked, Finding};
use crate::transport::{Failure, Trouble};

/// Most requests of one inquiry; what was not asked about by then is asked about in the next one.
const MOST_REQUESTS: u32 = 60;
/// Most of them that a list may take, so that some are left to ask about records one by one.
const MOST_PAGES: u32 = 40;
/// Most of them that are kept for sets while what was lost is looked up, one a set.
const KEPT_FOR_SETS: u32 = 10;
/// How long before the time that is known a record may have been sent: that is the time of the restart where the process ended meanwhile.
const MARGIN_DAYS: i64 = 7;
/// So few records are asked about one by one, without a list.
const FEW: usize = 3;
/// So many records of each push, spread over those that the list lacks, are asked about one by one: a list may hide a small set and show
/// all others.
const PROBES: usize = 5;
/// What the portal gives on a page when it does not heed the size that is asked for.
const DEFAULT_PAGE: usize = 100;

/// What an inquiry needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Not before this long after the sending is a record certainly not there.
    pub absent_after: Duration,
    /// What was lost at one time may be several pushes.
    pub several_at_once: bool,
}

/// One inquiry.
pub(super) struct Lookup<'a> {
    wire: &'a Wire,
    page_size: &'a PageSize,
    terms: Terms,
    now: DateTime<Utc>,
    requests_left: u32,
}

/// Records of the register by their ids of ours.
#[derive(Default)]
struct Listing {
    found: HashMap<String, Found>,
    /// The list came to its end.
    whole: bool,
    /// No request was left for the rest of it.
    cut: bool,
}

/// What came of asking about records one by one.
#[derive(Debug, Clone, Copy)]
struct Came {
    any_there: bool,
    /// A request was left for each of them.
    all_asked: bool,
}

impl Listing {
    fn add(&mut self, found: Found) {
        // A record that was pushed twice in times past: the one that is in the register counts.
        let known = self.found.get(&found.outer_id).is_some_and(|known| known.base_no.is_some());
        if !known {
            self.found.insert(found.outer_id.clone(), found);
        }
    }
}

impl<'a> Lookup<'a> {
    pub fn new(wire: &'a Wire, page_size: &'a PageSize, terms: Terms, now: DateTime<Utc>) -> Self {
        Lookup { wire, page_size, terms, now, requests_left: MOST_REQUESTS }
    }

    /// A finding for each record, in order. When the portal fails on the way, what it said before counts.
    pub async fn inquire(mut self, asked: &[Asked]) -> Result<Vec<Finding>, Failure> {
        let mut findings = vec![Finding::NotAsked; asked.len()];
        match self.ask_all(asked, &mut findings).await {
            Err(failure) if findings.iter().all(|finding| *finding == Finding::NotAsked) => Err(failure),
            Ok(()) | Err(_) => Ok(findings),
        }
    }

    async fn ask_all(&mut self, asked: &[Asked], findings: &mut [Finding]) -> Result<(), Failure> {
        let (sets, lost) = sorted(asked);
        let kept = KEPT_FOR_SETS.min(u32::try_from(sets.len()).unwrap_or(KEPT_FOR_SETS));
        self.requests_left = self.requests_left.saturating_sub(kept);
        self.find_lost(asked, lost, findings).await?;
        self.requests_left = self.requests_left.saturating_add(kept);
        for (number, positions) in sets {
            self.ask_set(asked, number, &positions, findings).await?;
        }
        Ok(())
    }

    /// Asks about a set by its number.
    async fn ask_set(
        &mut self,
        asked: &[Asked],
        number: &str,
        positions: &[usize],
        findings: &mut [Finding],
    ) -> Result<(), Failure> {
        let filter = Filter { set_id: Some(number.to_owned()), ..Filter::default() };
        let listing = match self.list(&filter).await {
            Ok(listing) => listing,
            // What the portal has against this question says nothing of the next one.
            Err(failure) if failure.trouble == Trouble::Unattributed => {
                tracing::warn!(set = number, "the portal does not tell of a set: {}", failure.text);
                Listing::default()
            }
            Err(failure) => return Err(failure),
        };
        let missing = take(asked, positions, &listing, findings);
        if !listing.cut {
            missing.into_iter().for_each(|at| set(findings, at, Finding::Unclear));
        }
        Ok(())
    }

    /// Records of which nobody knows the set: first in a list of what was made since they were sent, then one by one.
    async fn find_lost(&mut self, asked: &[Asked], lost: Vec<usize>, findings: &mut [Finding]) -> Result<(), Failure> {
        let mut open = lost;
        let mut whole = false;
        if open.len() > FEW {
            let listing = self.list(&Filter { created_from: since(asked, &open), ..Filter::default() }).await?;
            open = take(asked, &open, &listing, findings);
            whole = listing.whole;
        }
        if !whole || self.terms.several_at_once {
            self.ask_each(asked, &open, findings).await?;
            return Ok(());
        }
        let pushes = by_push(asked, &open);
        let left = usize::try_from(self.requests_left).unwrap_or_default();
        let most = (left / pushes.len().max(1)).clamp(1, PROBES);
        let mut rest = Vec::new();
        for push in &pushes {
            let probes = spread(push, most);
            let came = self.ask_each(asked, &probes, findings).await?;
            rest.push((came, push.iter().copied().filter(|at| !probes.contains(at)).collect::<Vec<_>>()));
        }
        if rest.iter().any(|(came, _)| came.any_there) {
            // The list hides what is there: it is worth nothing.
            let rest: Vec<usize> = rest.into_iter().flat_map(|(_, push)| push).collect();
            self.ask_each(asked, &rest, findings).await?;
            return Ok(());
        }
        // Of a push that no question was left for, nothing is known.
        for at in rest.into_iter().filter(|(came, _)| came.all_asked).flat_map(|(_, push)| push) {
            set(findings, at, self.absent(asked.get(at)));
        }
        Ok(())
    }

    /// Asks about each record by its id, as long as requests are left.
    async fn ask_each(&mut self, asked: &[Asked], open: &[usize], findings: &mut [Finding]) -> Result<Came, Failure> {
        let mut came = Came { any_there: false, all_asked: true };
        for at in open {
            let Some(record) = asked.get(*at) else { continue };
            let id = record.key.to_string();
            let Some((page, _)) = self.page(&Filter { outer_id: Some(id.clone()), ..Filter::default() }, 0).await?
            else {
                came.all_asked = false;
                break;
            };
            let mut listing = Listing::default();
            // The filter may find more than is asked for: what begins with the id.
            page.found.into_iter().filter(|found| found.outer_id == id).for_each(|found| listing.add(found));
            match listing.found.remove(&id) {
                Some(found) => {
                    came.any_there = true;
                    set(findings, *at, Finding::Held(found.receipt(record.receipt.as_ref())));
                }
                None => set(findings, *at, self.absent(Some(record))),
            }
        }
        Ok(came)
    }

    /// What it means that a record is not in the register. How it went out decides, not how sets go out today.
    fn absent(&self, record: Option<&Asked>) -> Finding {
        let Some(record) = record else { return Finding::Unclear };
        let waited = self.now.timestamp().saturating_sub(record.sent);
        let long_enough = u64::try_from(waited).is_ok_and(|waited| waited >= self.terms.absent_after.as_secs());
        match (record.signed, long_enough) {
            // It was acknowledged, or may lie there as a draft.
            _ if record.receipt.is_some() => Finding::Unclear,
            (Some(false), _) => Finding::Unclear,
            (Some(true) | None, false) => Finding::Later,
            (Some(true), true) => Finding::Absent,
            (None, true) => Finding::Unclear,
        }
    }

    /// All records that a filter finds, page by page.
    async fn list(&mut self, filter: &Filter) -> Result<Listing, Failure> {
        let mut listing = Listing::default();
        let mut before = Page::default();
        let mut after = 0;
        for _ in 0..MOST_PAGES {
            let Some((page, size)) = self.page(filter, after).await? else {
                listing.cut = true;
                break;
            };
            if page.size > 0 && page == before {
                // The portal does not turn pages.
                break;
            }
            page.found.iter().cloned().for_each(|found| listing.add(found));
            if page.size < size as usize && page.size != DEFAULT_PAGE {
                listing.whole = true;
                break;
            }
            after += u64::from(size);
            before = page;
        }
        Ok(listing)
    }

    /// The page that begins after so many records, and the size that was asked for; none when no request is left.
    async fn page(&mut self, filter: &Filter, after: u64) -> Result<Option<(Page, u32)>, Failure> {
        let Some(left) = self.requests_left.checked_sub(1) else { return Ok(None) };
        self.requests_left = left;
        let (answer, size) = pages::fetch(self.wire, filter, after, self.page_size.now(), self.page_size).await?;
        Ok(Some((answer::page(&answer, self.wire.key())?, size)))
    }
}

/// Records by the sets in which they were sent, in the order in which each set is first named; and those of which no set is known.
fn sorted(asked: &[Asked]) -> (Vec<(&str, Vec<usize>)>, Vec<usize>) {
    let (mut sets, mut places, mut lost) = (Vec::<(&str, Vec<usize>)>::new(), HashMap::new(), Vec::new());
    for (at, record) in asked.iter().enumerate() {
        let Some(number) = set_of(record) else {
            lost.push(at);
            continue;
        };
        let place = *places.entry(number).or_insert_with(|| {
            sets.push((number, Vec::new()));
            sets.len() - 1
        });
        if let Some((_, positions)) = sets.get_mut(place) {
            positions.push(at);
        }
    }
    (sets, lost)
}

/// The set in which a record was sent: the portal's word, or an operator's who has looked at the site.
fn set_of(record: &Asked) -> Option<&str> {
    let receipt = record.receipt.as_ref()?;
    receipt.set_id.as_deref().or(receipt.remote_id.as_deref())
}

/// Records by the pushes that they were lost with, which are told apart by when and how they went out.
fn by_push(asked: &[Asked], open: &[usize]) -> Vec<Vec<usize>> {
    let mut pushes = BTreeMap::<_, Vec<usize>>::new();
    for at in open {
        let push = asked.get(*at).map(|record| (record.sent, record.signed));
        pushes.entry(push).or_default().push(*at);
    }
    pushes.into_values().collect()
}

/// A day before the first of these was sent.
fn since(asked: &[Asked], positions: &[usize]) -> Option<String> {
    let first = positions.iter().filter_map(|at| asked.get(*at)).map(|record| record.sent).min()?;
    let day = DateTime::from_timestamp(first, 0)? - TimeDelta::days(MARGIN_DAYS);
    Some(day.format("%Y-%m-%d").to_string())
}

/// Notes what a list says of these records; gives those that it lacks.
fn take(asked: &[Asked], positions: &[usize], listing: &Listing, findings: &mut [Finding]) -> Vec<usize> {
    let mut missing = Vec::new();
    for at in positions {
        let Some(record) = asked.get(*at) else { continue };
        match listing.found.get(&record.key.to_string()) {
            Some(found) => set(findings, *at, Finding::Held(found.receipt(record.receipt.as_ref()))),
            None => missing.push(*at),
        }
    }
    missing
}

fn set(findings: &mut [Finding], at: usize, finding: Finding) {
    if let Some(slot) = findings.get_mut(at) {
        *slot = finding;
    }
}

/// At most `most` of these, from the first to the last.
fn spread(positions: &[usize], most: usize) -> Vec<usize> {
    let count = positions.len();
    if count <= most {
        return positions.to_vec();
    }
    (0..most).filter_map(|probe| positions.get(probe * (count - 1) / (most - 1).max(1))).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_reach_from_the_first_to_the_last() {
        let all: Vec<usize> = (10..5010).collect();
        assert_eq!(spread(&all, 5), [10, 1259, 2509, 3759, 5009]);
        assert_eq!(spread(&[3, 4], 5), [3, 4]);
        assert!(spread(&[], 5).is_empty());
    }
}
