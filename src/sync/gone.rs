//! The end of a cycle for what is gone: past and never sent records are forgotten, and the fuse rules on the rest.

use std::collections::BTreeSet;

use super::cycle::{CycleError, Run};
use super::fuse::{IdSet, Removal, Ruling, SHOWN_KEYS, Tripped};
use super::inability;
use super::index::At;
use super::line::FeedLine;
use super::vanished;
use crate::ledger::{Ledger, Note, NoteKind, NotePlace, Settlement, State};
use crate::portal::{self, Portal};
use crate::record::{Expiry, Key, KeyId};
use crate::source::Source;

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// Decides what becomes of the records that were not seen.
    pub(super) async fn let_go_of_what_is_gone(
        &mut self,
        settlement: &mut Settlement,
        now: i64,
    ) -> Result<(), CycleError> {
        let gone = std::mem::take(&mut self.gone);
        let giving_way = std::mem::take(&mut self.giving_way);
        let mut moment = now;
        if !gone.is_empty() || !giving_way.is_empty() {
            // Rows leave a view by the database's clock.
            moment = moment.max(self.feed.plan.source.now().await?.div_euclid(1_000_000));
        }
        self.follow_the_time_of_parents(&gone);
        // What is leaving with a parent at this moment is lost to the feed as well.
        let leaving: Vec<At> = {
            let index = self.feed.index();
            gone.iter().filter_map(|id| index.find(*id)).filter(|at| index.is_leaving(*at)).collect()
        };
        let to_remove = {
            let mut index = self.feed.index();
            let has_children = !self.feed.children.is_empty();
            vanished::sort(&mut index, settlement, &gone, has_children, (now, moment))
        };
        let removable = self.line.portal.abilities(self.feed.plan.schema).removal != portal::Removal::Unsupported;
        let (to_remove, mut with_a_parent) = self.part_those_that_go_with_a_parent(to_remove);
        with_a_parent.extend(leaving);
        self.report.vanished = to_remove.len() as u64;
        if !removable {
            let index = self.feed.index();
            if let Some(mut register) = self.feed.register() {
                inability::note_gone(&index, &mut register, settlement, &to_remove, self.report.sees_all());
            }
            drop(index);
            vanished::hold_back(&mut self.feed.index(), settlement, &to_remove, now);
            return Ok(());
        }
        let giving_way = vanished::sort_giving_way(&self.feed.index(), giving_way, moment);
        if to_remove.is_empty() && giving_way.is_empty() && !self.report.sees_all() {
            return Ok(());
        }
        let all: Vec<At> = to_remove.iter().chain(giving_way.keys()).copied().collect();
        let passes = self.rule(&all, &with_a_parent, now).await?;
        let mut index = self.feed.index();
        if passes {
            vanished::let_give_way(&mut index, settlement, giving_way, self.line.last_run(), now);
            vanished::let_go(
                &mut index,
                settlement,
                &to_remove,
                self.line.last_run(),
                self.line.settings.longest_wait(),
                now,
            );
        } else {
            vanished::hold_back(&mut index, settlement, &to_remove, now);
        }
        Ok(())
    }

    /// What is past with its parent is past when that is by now, not when it was as the record was sent.
    fn follow_the_time_of_parents(&self, gone: &[KeyId]) {
        let schema = self.feed.plan.schema;
        let Expiry::WithParent(field) = schema.expires else { return };
        let edge = schema.holding_edges().enumerate().find(|(_, edge)| edge.field == field);
        let Some((at_edge, parent)) = edge.and_then(|(at, edge)| Some((at, self.line.feed(edge.feed)?))) else {
            return;
        };
        let mut index = self.feed.index();
        let parent = parent.index();
        for at in gone.iter().filter_map(|id| index.find(*id)).collect::<Vec<_>>() {
            let time_of = |parents: &[Option<Key>; 2]| parent.expires(parents[at_edge].as_ref()?.id());
            let times: Option<Vec<i64>> = index.parents_at_portal(at).iter().map(time_of).collect();
            if let Some(time) = times.and_then(|times| times.into_iter().max()) {
                index.set_expiry(at, time);
            }
        }
    }

    /// What the portal will remove with a parent that is to be removed needs no removal of its own: it is given apart.
    fn part_those_that_go_with_a_parent(&self, mut to_remove: Vec<At>) -> (Vec<At>, Vec<At>) {
        let mut with_a_parent = Vec::new();
        let schema = self.feed.plan.schema;
        for (edge, parent) in schema.holding_edges().enumerate() {
            let Some(parent) = self
                .line
                .feed(parent.feed)
                .filter(|parent| parent.plan.schema.cascades.contains(&schema.feed) && !parent.fuse_holds())
            else {
                continue;
            };
            let own = self.feed.index();
            let parents: Vec<Option<Key>> = to_remove.iter().map(|at| own.parents(*at)[edge].clone()).collect();
            drop(own);
            let index = parent.index();
            let mut goes = parents.iter().map(|key| {
                let at = key.as_ref().and_then(|key| index.find(key.id()));
                at.is_some_and(|at| index.state(at) == State::Gone)
            });
            with_a_parent.extend(to_remove.extract_if(.., |_| goes.next().unwrap_or(false)));
        }
        (to_remove, with_a_parent)
    }

    /// Asks the fuse, and writes down what it says. True when the records may go. Those that go with a parent, let go by the fuse of that
    /// one's feed, are lost to this feed as well.
    async fn rule(&mut self, to_remove: &[At], with_a_parent: &[At], now: i64) -> Result<bool, CycleError> {
        let (keys, lost) = {
            let index = self.feed.index();
            let leaves = |at: At, state: State| state == State::Gone || index.is_to_make_way(at);
            let on_their_way = index.detailed().filter(|(at, state, _)| leaves(*at, *state)).map(|(at, ..)| at);
            let all: BTreeSet<At> = to_remove.iter().copied().chain(on_their_way).collect();
            let lost: BTreeSet<At> = all.iter().chain(with_a_parent).copied().collect();
            let keys = |all: BTreeSet<At>| all.into_iter().map(|at| index.key(at)).collect::<Vec<Key>>();
            (keys(all), keys(lost))
        };
        let removal = Removal {
            ids: keys.iter().map(Key::id).collect::<IdSet>(),
            losses: if keys.is_empty() { Default::default() } else { self.line.losses(self.feed, lost) },
            empty: self.report.saw_none(),
        };
        let before = lock(self.feed).clone();
        let ruling = self.line.settings.fuse.rule(removal, before.as_ref(), now);
        match ruling {
            Ruling::Pass => {
                if before.is_some() && self.report.sees_all() && !self.order.dry_run {
                    self.line.ledger.drop_note(&self.note_place()).await?;
                    *lock(self.feed) = None;
                }
                Ok(true)
            }
            Ruling::PassByWord => Ok(true),
            Ruling::StillTripped => {
                self.report.fused = before.map(|fuse| fuse.reason());
                Ok(false)
            }
            Ruling::Trips(mut fuse) => {
                fuse.keys = keys.iter().take(SHOWN_KEYS).map(Key::to_string).collect();
                self.report.fused = Some(fuse.reason());
                self.trip(fuse).await?;
                Ok(false)
            }
        }
    }

    async fn trip(&mut self, fuse: Tripped) -> Result<(), CycleError> {
        if self.order.dry_run {
            return Ok(());
        }
        let (portal, feed) = (self.line.name.as_str(), self.feed.plan.schema.feed);
        tracing::error!(
            portal,
            feed,
            "the fuse has tripped: {}; look at the source, and if the records are really gone, say \
             `vitrina fuse accept {portal}.{feed}`",
            fuse.reason()
        );
        if let Ok(body) = serde_json::to_string(&fuse) {
            self.line.ledger.set_note(&Note { place: self.note_place(), body }).await?;
        }
        *lock(self.feed) = Some(fuse);
        Ok(())
    }

    fn note_place(&self) -> NotePlace {
        fuse_place(&self.line.name, self.feed.plan.schema.feed)
    }
}

/// Where the note of a feed's fuse is.
pub(super) fn fuse_place(portal: &str, feed: &str) -> NotePlace {
    NotePlace { portal: portal.to_owned(), feed: feed.to_owned(), kind: NoteKind::Fuse, name: String::new() }
}

fn lock<S>(feed: &FeedLine<S>) -> std::sync::MutexGuard<'_, Option<Tripped>> {
    feed.fuse.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
