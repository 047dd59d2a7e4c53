//! Rounds: contested records are read again with the holders of their places, and sent as the places become free.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::contest::{self, Contest, DUPLICATE_PLACE, Decision};
use super::cycle::{CycleError, Run, Wanted};
use super::index::At;
use super::line::OnConflict;
use super::plan::refusal;
use super::watermark::Watermark;
use crate::ledger::{Ledger, Refusal, Settlement, State};
use crate::portal::Portal;
use crate::record::{Key, KeyId};
use crate::source::Source;

/// Most rounds of one cycle: a chain of moves takes one for each of its records.
const MOST_ROUNDS: usize = 200;
/// Most contests of one round.
const MOST_CONTESTS: usize = 5000;

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// Sends contested records as far as their places become free.
    pub(super) async fn settle_contests(
        &mut self,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        let until = self.until();
        // Contests of rounds in which nothing moved: they are not looked at again before all others were, and something has moved.
        let mut stuck: BTreeMap<Key, Contest> = BTreeMap::new();
        let (mut any_moved, mut moved_since) = (false, false);
        for _ in 0..MOST_ROUNDS {
            let mut contests = self.open_contests();
            contests.retain(|one| !stuck.contains_key(&one.key));
            if contests.is_empty() && std::mem::take(&mut moved_since) {
                self.contested.extend(std::mem::take(&mut stuck).into_values());
                contests = self.open_contests();
            }
            if contests.is_empty() || self.report.stop.is_some() {
                return Ok(());
            }
            // As long as places become free, the rows of who waits for them are enough: so a chain goes on link by link.
            let mut later = if any_moved { self.without_the_free(&mut contests) } else { Vec::new() };
            let whole = later.is_empty();
            later.extend(contests.split_off(contests.len().min(MOST_CONTESTS)));
            let accepted = self.report.accepted;
            let keys: BTreeSet<Key> = contests.iter().flat_map(|one| [one.key.clone(), one.holder.clone()]).collect();
            let asked_for: BTreeSet<KeyId> = keys.iter().map(Key::id).collect();
            self.report.held -= (contests.len() as u64).min(self.report.held);
            let read = self.read_and_settle(Wanted::Contested(keys.into_iter().collect()), watermark, findings).await;
            if read.is_err() {
                self.contested.extend(contests.into_iter().chain(later).chain(stuck.into_values()));
                return read;
            }
            let (moved, waiting) = self.decide(&asked_for, stuck.values(), whole).await?;
            let moved = moved || self.report.accepted > accepted;
            if moved || !whole {
                any_moved |= moved;
                moved_since |= moved;
                self.contested.extend(waiting);
            } else {
                stuck.extend(waiting.into_iter().map(|one| (one.key.clone(), one)));
            }
            self.contested.extend(later);
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
        }
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

    /// Leaves the contests whose places are free by now, if there are any, and gives the others.
    fn without_the_free(&self, contests: &mut Vec<Contest>) -> Vec<Contest> {
        let index = self.feed.index();
        let is_free = |contest: &Contest| {
            let at = index.find(contest.key.id());
            at.is_some() && index.holder(contest.place, at).is_none()
        };
        let (free, held): (Vec<_>, Vec<_>) = std::mem::take(contests).into_iter().partition(is_free);
        if free.is_empty() {
            *contests = held;
            return Vec::new();
        }
        *contests = free;
        held
    }

    /// Decides on every contest that the last read has left. True when something has moved at the portal; and the contests that wait,
    /// which with those that are `stuck` already may make rings. Unless the `whole` of what waits was looked at, somebody else may still bring
    /// it further.
    async fn decide(
        &mut self,
        asked_for: &BTreeSet<KeyId>,
        stuck: impl Iterator<Item = &Contest>,
        whole: bool,
    ) -> Result<(bool, Vec<Contest>), CycleError> {
        let mut waiting = Vec::new();
        let wants = std::mem::take(&mut self.wants);
        // A place that this very read has found taken: of its holder nothing is known before the next one.
        let (known, news): (Vec<_>, Vec<_>) =
            self.open_contests().into_iter().partition(|contest| asked_for.contains(&contest.holder.id()));
        let mut moved = !news.is_empty();
        for contest in known {
            match contest::decide(&contest, &wants) {
                None => {}
                Some(Decision::Wait) => waiting.push(contest),
                Some(Decision::Fault) => self.report_fault(&contest).await?,
                Some(Decision::HolderGone) => moved |= self.holder_gone(contest).await?,
            }
        }
        let open: Vec<Contest> = stuck.cloned().chain(waiting.iter().cloned()).collect();
        let all: Vec<Contest> = {
            let index = self.feed.index();
            open.iter().filter(|contest| !contest::is_doubtful(contest, &index)).cloned().collect()
        };
        for ring in contest::rings(&all) {
            if let Some(at) = self.who_steps_aside(&ring) {
                let removed = self.line.make_room(self.feed, at).await?;
                moved |= removed.removed > 0;
                if removed.busy {
                    // A request that is under way keeps the ring closed.
                    let in_ring = all.iter().filter(|one| ring.contains(&one.key.id()));
                    self.contested.extend(in_ring.cloned());
                }
                self.take_removed(removed);
            }
        }
        if whole && !moved {
            // Nobody else can bring it further: the portal is asked, and if the holder is there after all, its refusal says so.
            let mut index = self.feed.index();
            let doubtful: Vec<&Contest> = open.iter().filter(|contest| contest::may_be_free(contest, &index)).collect();
            for contest in doubtful {
                if let Some(at) = index.find(contest.holder.id()) {
                    index.does_not_hold(at, contest.place);
                    moved = true;
                }
            }
        }
        self.contested.extend(news);
        Ok((moved, waiting))
    }

    /// Who of a ring is taken away for a moment: one whose status says that nothing hangs on it, else the one with the fewest children, which
    /// are sent again after it. Nobody where the schema knows no such status: a unit is not torn down for a name.
    fn who_steps_aside(&self, ring: &[KeyId]) -> Option<At> {
        let schema = self.feed.plan.schema;
        schema.spare_statuses().next()?;
        let (spare, members) = {
            let index = self.feed.index();
            // One that the portal has just refused to remove is not asked about again before its time.
            let now = self.line.clock.now();
            let waits = |at: At| index.detail(at).and_then(|detail| detail.next_attempt).is_some_and(|next| next > now);
            let at_rest = |at: &At| !index.in_flight(*at) && !waits(*at);
            let members: Vec<At> = ring.iter().filter_map(|id| index.find(*id)).filter(at_rest).collect();
            (contest::spare(&members, &index, schema), members)
        };
        let children = |at: &At| {
            let key = self.feed.index().key(*at);
            self.line.subtree(self.feed, vec![key]).feeds.values().map(Vec::len).sum::<usize>()
        };
        spare.or_else(|| members.into_iter().min_by_key(children))
    }

    /// Both rows want the place: the one that the portal holds there stays, the other is a fault of the site's data.
    async fn report_fault(&mut self, contest: &Contest) -> Result<(), CycleError> {
        let schema = self.feed.plan.schema;
        let violation = contest::fault(schema, &contest.holder);
        let now = self.line.clock.now();
        self.report.invalid += 1;
        self.report.held = self.report.held.saturating_sub(1);
        let key = Some(contest.key.clone());
        let refused = refusal(key, State::Rejected, DUPLICATE_PLACE, vec![violation], String::new(), now);
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
        let (code, text) = self.said.get(&contest.key).cloned().unwrap_or_else(|| {
            (super::plan::PLACE.to_owned(), contest::waiting_text(self.feed.plan.schema.feed, &contest.holder))
        });
        let slow = now.saturating_add(self.line.settings.slow_retry.as_secs().cast_signed());
        let refused = refusal(Some(contest.key.clone()), State::Rejected, &code, Vec::new(), text, now);
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
