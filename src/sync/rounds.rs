//! Rounds: contested records are read again with the holders of their places, and sent as the places become free.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::contest::{self, Contest, DUPLICATE_PLACE, Decision};
use super::cycle::{CycleError, Run, Wanted};
use super::index::At;
use super::line::OnConflict;
use super::plan::refusal;
use super::removal::Removed;
use super::said::Said;
use super::watermark::Watermark;
use crate::ledger::{Ledger, LedgerError, Refusal, Settlement, State};
use crate::portal::Portal;
use crate::record::{Key, KeyId};
use crate::source::Source;

/// Most rounds of one cycle: a chain of moves takes one for each of its records.
const MOST_ROUNDS: usize = 1000;
/// Most contests of one round.
const MOST_CONTESTS: usize = 5000;
/// A ring that is longer is opened in several places, so that its chains are sent side by side.
const LONGEST_CHAIN: usize = 100;

/// The contests of a cycle that are not decided.
#[derive(Default)]
struct Contests {
    /// Those that may be looked at.
    open: BTreeMap<Key, Contest>,
    /// Those of rounds in which nothing moved: they are not looked at again before all others were, and something has moved.
    stuck: BTreeMap<Key, Contest>,
    /// Those of them whose place has become free.
    free: BTreeSet<Key>,
}

impl Contests {
    /// Takes the contests whose rows are read next. As long as places become free, these are of those who wait for them, so that a chain goes
    /// on link by link; else of rings, and of those whose holder waits for nobody. Who waits for one that waits is brought further by that one.
    fn next(&mut self) -> Vec<Contest> {
        let mut next = Vec::new();
        while next.len() < MOST_CONTESTS
            && let Some(key) = self.free.pop_first()
        {
            next.extend(self.open.remove(&key).or_else(|| self.stuck.remove(&key)));
        }
        if !next.is_empty() {
            return next;
        }
        let all: Vec<Contest> = self.open.values().chain(self.stuck.values()).cloned().collect();
        let waits: BTreeSet<KeyId> = all.iter().map(|contest| contest.key.id()).collect();
        let rings = contest::rings(&all);
        let in_rings: BTreeSet<KeyId> = rings.iter().flatten().copied().collect();
        let is_inner =
            |contest: &Contest| waits.contains(&contest.holder.id()) && !in_rings.contains(&contest.key.id());
        self.stuck.extend(self.open.extract_if(.., |_, contest| is_inner(contest)));
        // Rings are taken whole: what is read of one decides on it.
        let mut of_rings: BTreeMap<KeyId, Key> =
            self.open.keys().map(|key| (key.id(), key.clone())).filter(|(id, _)| in_rings.contains(id)).collect();
        for ring in rings {
            if next.len() >= MOST_CONTESTS {
                break;
            }
            let keys: Vec<Key> = ring.iter().filter_map(|id| of_rings.remove(id)).collect();
            next.extend(keys.iter().filter_map(|key| self.open.remove(key)));
        }
        if next.len() < MOST_CONTESTS {
            let room = MOST_CONTESTS - next.len();
            let heads: Vec<Key> =
                self.open.keys().filter(|key| !of_rings.contains_key(&key.id())).take(room).cloned().collect();
            next.extend(heads.iter().filter_map(|key| self.open.remove(key)));
        }
        next
    }

    fn any_is_free(&self) -> bool {
        self.free.iter().any(|key| self.open.contains_key(key) || self.stuck.contains_key(key))
    }

    /// True when a contest is known as it is: nothing is new.
    fn have(&self, contest: &Contest) -> bool {
        let known = self.open.get(&contest.key).or_else(|| self.stuck.get(&contest.key));
        known.is_some_and(|known| (&known.holder, known.place) == (&contest.holder, contest.place))
    }

    fn into_all(self) -> impl Iterator<Item = Contest> {
        self.open.into_values().chain(self.stuck.into_values())
    }
}

/// Does these side by side, so many at once, and begins no other once it is not to go on. Gives what came of those that were begun, in order.
pub(super) async fn side_by_side<T>(jobs: Vec<BoxFuture<'_, T>>, most: usize, goes_on: impl Fn() -> bool) -> Vec<T> {
    let mut rest = jobs.into_iter();
    let (mut under_way, mut done) = (FuturesOrdered::new(), Vec::new());
    loop {
        while under_way.len() < most.max(1)
            && goes_on()
            && let Some(job) = rest.next()
        {
            under_way.push_back(job);
        }
        match under_way.next().await {
            Some(one) => done.push(one),
            None => return done,
        }
    }
}

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// Sends contested records as far as their places become free.
    pub(super) async fn settle_contests(
        &mut self,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        // Places that become free have a time of their own, else a large muddle would never get beyond being looked at.
        let (until, mut until_freed) = (self.until(), None);
        let is_over = |until: Option<Instant>| until.is_some_and(|until| Instant::now() >= until);
        let mut contests = Contests::default();
        let (mut any_moved, mut moved_since) = (false, false);
        for _ in 0..MOST_ROUNDS {
            self.take_up(&mut contests);
            let whole = !contests.any_is_free();
            if whole && contests.open.is_empty() && std::mem::take(&mut moved_since) {
                contests.open = std::mem::take(&mut contests.stuck);
            }
            if whole && contests.open.is_empty() {
                return Ok(());
            }
            let over = if whole { is_over(until) } else { is_over(*until_freed.get_or_insert_with(|| self.until())) };
            if self.report.stop.is_some() || over {
                break;
            }
            let next = contests.next();
            if next.is_empty() {
                continue;
            }
            let accepted = self.report.accepted;
            // Who holds a place that is free does not matter any more.
            let names = |one: &Contest| [Some(one.key.clone()), whole.then(|| one.holder.clone())];
            let keys: BTreeSet<Key> = next.iter().flat_map(names).flatten().collect();
            let asked_for: BTreeSet<KeyId> = keys.iter().map(Key::id).collect();
            self.report.held -= (next.len() as u64).min(self.report.held);
            let read = self.read_and_settle(Wanted::Contested(keys.into_iter().collect()), watermark, findings).await;
            if read.is_err() {
                self.contested.extend(next.into_iter().chain(contests.into_all()));
                return read;
            }
            let (moved, waiting) = self.decide(&asked_for, &contests, whole, until).await?;
            let moved = moved || self.report.accepted > accepted;
            if moved || !whole {
                any_moved |= moved;
                moved_since |= moved;
                self.contested.extend(waiting);
            } else {
                contests.stuck.extend(waiting.into_iter().map(|one| (one.key.clone(), one)));
            }
        }
        self.contested.extend(contests.into_all());
        if any_moved {
            self.report.released.insert(self.feed.plan.schema.feed);
        }
        Ok(())
    }

    /// Contests on which nobody decided: the next run takes them up, whatever it reads.
    pub(super) fn leave_undecided(&mut self) {
        let mut index = self.feed.index();
        for contest in std::mem::take(&mut self.contested) {
            // One that was sent since is no longer in a contest, whatever came of it.
            let waits = |at: &At| index.state(*at) == State::Held || index.waits_for_place(*at);
            if let Some(at) = index.find(contest.key.id()).filter(waits) {
                index.make_due(at);
            }
        }
    }

    /// The contests that a read by key can bring further, one for each record. Where a complete read has shown that the holder is gone, its
    /// removal is waited for.
    fn open_contests(&mut self) -> Vec<Contest> {
        let gone: BTreeSet<KeyId> = self.gone.iter().copied().collect();
        let mut open: BTreeMap<Key, Contest> = BTreeMap::new();
        for mut contest in std::mem::take(&mut self.contested) {
            if let Some(said) = contest.said.take() {
                self.said.insert(contest.key.clone(), said);
            }
            if !gone.contains(&contest.holder.id()) {
                open.insert(contest.key.clone(), contest);
            }
        }
        open.into_values().collect()
    }

    /// Takes up what the last read has left, and notes whose places have become free since.
    fn take_up(&mut self, contests: &mut Contests) {
        let new = self.open_contests();
        let mut index = self.feed.index();
        for contest in new {
            if contests.stuck.contains_key(&contest.key) {
                continue;
            }
            let at = index.find(contest.key.id());
            if at.is_some() && index.holder(contest.place, at).is_none() {
                contests.free.insert(contest.key.clone());
            }
            contests.open.insert(contest.key.clone(), contest);
        }
        for at in index.take_released() {
            let key = index.key(at);
            if contests.open.contains_key(&key) || contests.stuck.contains_key(&key) {
                contests.free.insert(key);
            } else {
                index.make_due(at);
                self.report.released.insert(self.feed.plan.schema.feed);
            }
        }
    }

    /// Decides on every contest that the last read has left. True when something has moved at the portal; and the contests that wait,
    /// which with those that are stuck already may make rings. Unless the `whole` of what waits was looked at, somebody else may still bring
    /// it further.
    async fn decide(
        &mut self,
        asked_for: &BTreeSet<KeyId>,
        contests: &Contests,
        whole: bool,
        until: Option<Instant>,
    ) -> Result<(bool, Vec<Contest>), CycleError> {
        let mut waiting = Vec::new();
        let wants = std::mem::take(&mut self.wants);
        // A place that this very read has found taken: of its holder nothing is known before the next one.
        let (known, mut news): (Vec<_>, Vec<_>) =
            self.open_contests().into_iter().partition(|contest| asked_for.contains(&contest.holder.id()));
        news.retain(|contest| !contests.have(contest));
        let mut moved = !news.is_empty();
        for contest in known {
            match contest::decide(&contest, &wants) {
                None => {}
                Some(Decision::Wait) => waiting.push(contest),
                Some(Decision::Fault) => self.report_fault(&contest).await?,
                Some(Decision::HolderYields | Decision::Yields) if !self.can_remove() => {
                    self.report_fault(&contest).await?;
                }
                Some(Decision::HolderYields) => self.give_way(&contest.holder, &contest).await?,
                Some(Decision::Yields) => self.give_way(&contest.key, &contest).await?,
                Some(Decision::HolderGone) => moved |= self.holder_gone(contest).await?,
            }
        }
        if whole {
            let open: Vec<Contest> = contests.stuck.values().chain(&waiting).cloned().collect();
            moved |= self.open_rings(&open, until).await?;
            if !moved {
                moved = self.look_for_holders(&open, until).await?;
            }
        }
        self.contested.extend(news);
        Ok((moved, waiting))
    }

    /// Opens the rings among contests, as many as time allows. True when a record has gone.
    async fn open_rings(&mut self, open: &[Contest], until: Option<Instant>) -> Result<bool, CycleError> {
        let certain: Vec<Contest> = {
            let index = self.feed.index();
            open.iter().filter(|contest| !contest::is_doubtful(contest, &index)).cloned().collect()
        };
        let rings = contest::rings(&certain);
        let goes_on = || {
            let is_over = until.is_some_and(|until| Instant::now() >= until);
            !is_over && self.line.standstill(self.feed).is_none()
        };
        // Each takes a request or more of its own: as many at once as may be under way.
        let jobs = rings.iter().map(|ring| self.open_ring(ring).boxed()).collect();
        let opened = side_by_side(jobs, self.line.settings.in_flight, goes_on).await;
        let mut moved = false;
        for (ring, removed) in rings.iter().zip(opened) {
            for removed in removed? {
                moved |= removed.removed > 0;
                if removed.busy {
                    // A request that is under way keeps the ring closed.
                    let in_ring = certain.iter().filter(|one| ring.contains(&one.key.id()));
                    self.contested.extend(in_ring.cloned());
                }
                self.take_removed(removed);
            }
        }
        Ok(moved)
    }

    async fn open_ring(&self, ring: &[KeyId]) -> Result<Vec<Removed>, LedgerError> {
        let mut all = Vec::new();
        for at in self.who_steps_aside(ring) {
            all.push(self.line.make_room(self.feed, at).await?);
        }
        Ok(all)
    }

    /// Who of a ring is taken away for a moment: one whose status says that nothing hangs on it, of a long ring several; else the one with
    /// the fewest children, which are sent again after it. Nobody where the schema knows no such status: a unit is not torn down for a name.
    fn who_steps_aside(&self, ring: &[KeyId]) -> Vec<At> {
        let schema = self.feed.plan.schema;
        if schema.spare_statuses().next().is_none() {
            return Vec::new();
        }
        let (spare, members) = {
            let index = self.feed.index();
            // One that the portal has just refused to remove is not asked about again before its time.
            let now = self.line.clock.now();
            let waits = |at: At| index.detail(at).and_then(|detail| detail.next_attempt).is_some_and(|next| next > now);
            let at_rest = |at: &At| !index.in_flight(*at) && !waits(*at);
            let members: Vec<At> = ring.iter().filter_map(|id| index.find(*id)).filter(at_rest).collect();
            let parts = members.len().div_ceil(LONGEST_CHAIN).max(1);
            let length = members.len().div_ceil(parts).max(1);
            let spare: Vec<At> =
                members.chunks(length).filter_map(|part| contest::spare(part, &index, schema)).collect();
            (spare, members)
        };
        if !spare.is_empty() {
            return spare;
        }
        let children = |at: &At| {
            let key = self.feed.index().key(*at);
            self.line.subtree(self.feed, vec![key]).feeds.values().map(Vec::len).sum::<usize>()
        };
        members.into_iter().min_by_key(children).into_iter().collect()
    }

    /// What gives way must be taken away where the portal holds it.
    fn can_remove(&self) -> bool {
        self.line.portal.abilities(self.feed.plan.schema).removal != crate::portal::Removal::Unsupported
    }

    /// One of the two gives its place up to the other. What the portal holds of it is removed at the end of the cycle, if the fuse lets it.
    async fn give_way(&mut self, who: &Key, contest: &Contest) -> Result<(), CycleError> {
        let to = if *who == contest.key { &contest.holder } else { &contest.key };
        if *who == contest.key {
            self.report.held = self.report.held.saturating_sub(1);
            self.report.yielded += 1;
        }
        let entry = {
            let mut index = self.feed.index();
            let may = |at: &At| !index.in_flight(*at) && !index.is_stranger(*at) && index.state(*at) != State::Unknown;
            let Some(at) = index.find(who.id()).filter(may) else { return Ok(()) };
            if index.may_be_at_portal(at) {
                self.giving_way.insert(who.id(), to.clone());
                return Ok(());
            }
            if index.state(at) == State::Yielded && contest::is_at_fault(&index, at, to) {
                return Ok(());
            }
            let entry = contest::giving_way(index.entry(at), to);
            index.put_at(at, &entry, self.line.clock.now());
            index.wait_for_place(contest.place, at);
            entry
        };
        let cleared = vec![who.clone()];
        self.write(Settlement { entries: vec![entry], cleared, ..Settlement::default() }).await
    }

    /// Both rows want the place: the one that the portal holds there stays, the other is a fault of the site's data.
    async fn report_fault(&mut self, contest: &Contest) -> Result<(), CycleError> {
        let schema = self.feed.plan.schema;
        let violation = contest::fault(schema, &contest.holder);
        let now = self.line.clock.now();
        self.report.invalid += 1;
        self.report.held = self.report.held.saturating_sub(1);
        if contest::is_reported(contest, &self.feed.index()) {
            return Ok(());
        }
        let key = Some(contest.key.clone());
        let refused = refusal(key, State::Rejected, DUPLICATE_PLACE, vec![violation], Said::nothing(), now);
        self.restate(contest, refused, |entry| {
            entry.wanted = Some(contest::fault_of(&contest.holder));
            entry.next_attempt = None;
        })
        .await
    }

    /// Nobody's row holds the place any more. One of ours is removed as any other record that is gone; what becomes of a stranger is the
    /// site's choice.
    async fn holder_gone(&mut self, contest: Contest) -> Result<bool, CycleError> {
        let (holder, stranger) = {
            let index = self.feed.index();
            let holder = index.find(contest.holder.id());
            (holder, holder.is_some_and(|at| index.is_stranger(at)))
        };
        let Some(at) = holder else {
            self.contested.push(contest);
            return Ok(true);
        };
        if !stranger {
            self.gone.push(contest.holder.id());
            return Ok(false);
        }
        match self.line.settings.on_conflict {
            OnConflict::Replace if self.replaced < self.line.settings.fuse.min => {
                self.replaced += 1;
                let removed = self.line.remove_stranger(self.feed, at).await?;
                let done = removed.removed > 0;
                self.take_removed(removed);
                self.contested.push(contest);
                Ok(done)
            }
            OnConflict::Report | OnConflict::Replace => {
                self.refuse(&contest).await?;
                Ok(false)
            }
            OnConflict::Adopt => {
                let entry = {
                    let mut index = self.feed.index();
                    let entry = index.entry(at);
                    index.put_at(at, &entry, self.line.clock.now());
                    entry
                };
                self.write(Settlement { entries: vec![entry], ..Settlement::default() }).await?;
                Ok(false)
            }
        }
    }

    /// The portal's refusal stands.
    async fn refuse(&mut self, contest: &Contest) -> Result<(), CycleError> {
        let now = self.line.clock.now();
        let (code, said) = match self.said.get(&contest.key).cloned() {
            Some((code, text)) => (code, Said::of_portal(text)),
            None => (super::plan::PLACE.to_owned(), contest::waiting(self.feed.plan.schema.feed, &contest.holder)),
        };
        let slow = now.saturating_add(self.line.settings.slow_retry.as_secs().cast_signed());
        let refused = refusal(Some(contest.key.clone()), State::Rejected, &code, Vec::new(), said, now);
        self.restate(contest, refused, |entry| entry.next_attempt = Some(slow)).await?;
        // The stranger is forgotten here, not at the portal: its place does not become free by that.
        let mut index = self.feed.index();
        if let Some(at) = index.find(contest.key.id()) {
            index.wait_no_longer(at);
        }
        Ok(())
    }

    async fn restate(
        &mut self,
        contest: &Contest,
        refused: Refusal,
        change: impl FnOnce(&mut crate::ledger::Entry),
    ) -> Result<(), CycleError> {
        let now = self.line.clock.now();
        let entry = {
            let mut index = self.feed.index();
            let Some(at) = index.find(contest.key.id()).filter(|at| !index.in_flight(*at)) else { return Ok(()) };
            let mut entry = index.entry(at);
            entry.state = State::Rejected;
            change(&mut entry);
            index.put_at(at, &entry, now);
            index.wait_for_place(contest.place, at);
            entry
        };
        self.write(Settlement { entries: vec![entry], refused: vec![refused], ..Settlement::default() }).await
    }
}
