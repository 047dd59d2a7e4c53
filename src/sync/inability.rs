//! What a portal cannot do: changes and removals that it has no request for are noted, explained, and never tried.

use super::exchange::Register;
use super::index::{At, Index};
use super::plan::{Plan, refusal};
use super::said::{self, Said};
use crate::ledger::{Mark, Refusal, Remark, Settlement, State};
use crate::record::{Fingerprint, Key, KeyId, Record};

/// Code of a changed row whose record the portal cannot replace.
pub(super) const NO_UPDATE: &str = "NO_UPDATE";
/// Code of a record whose row is gone and which the portal cannot remove.
pub(super) const NO_REMOVAL: &str = "NO_REMOVAL";
/// Code of a record that was removed at the portal, in the register alone.
pub(super) const REMOVED: &str = "REMOVED";

impl Plan {
    /// True when the portal cannot take this version of a record that it holds in another, or has begun to take in another.
    pub(super) fn cannot_change(&self, index: &Index, at: At, version: Fingerprint) -> bool {
        let holds_another = || index.accepted(at).is_some_and(|accepted| accepted != version);
        (!self.abilities.update && holds_another()) || is_begun(index, at).is_some_and(|begun| begun != version)
    }

    /// True when this very version was turned down after the portal had taken it: what it holds is not well, and only another version
    /// can be.
    pub(super) fn is_turned_down(&self, index: &Index, at: At, version: Fingerprint) -> bool {
        let wanted = index.detail(at).and_then(|detail| detail.wanted);
        self.abilities.registered && index.state(at) == State::Rejected && wanted == Some(version)
    }

    /// Notes that the portal cannot take this version.
    pub(super) fn refuse_change(&mut self, index: &mut Index, at: At, record: &Record) {
        self.report.invalid += 1;
        let phrase = if is_begun(index, at).is_some() { said::CHANGED_MIDWAY } else { said::CHANGED };
        let mut entry = index.entry(at);
        entry.state = State::Rejected;
        entry.wanted = Some(record.fingerprint);
        // Only the row, or an operator, can cure this.
        entry.next_attempt = None;
        let key = record.key.clone();
        self.remark(key.clone(), Some(NO_UPDATE));
        let said = Said::ours(phrase, &[]);
        let refused = refusal(Some(key), State::Rejected, NO_UPDATE, Vec::new(), said, self.now());
        self.note(index, entry, Some(refused));
    }

    /// Changes the code of a record in the register, where there is one.
    pub(super) fn remark(&mut self, key: Key, code: Option<&'static str>) {
        if self.abilities.registered {
            self.notes.remarked.push(Remark { key, code });
        }
    }
}

/// True for a refusal of a record of which an operator may say what became of it. `unnamed` are the codes under which the portal says that
/// it holds a record whose id is not known here.
pub fn is_resolvable(refusal: &Refusal, unnamed: &[&str]) -> bool {
    let lacks_id = refusal.state == State::Rejected && unnamed.contains(&refusal.code.as_str());
    refusal.state == State::Unknown
        || lacks_id
        || (refusal.code == NO_UPDATE && refusal.text == said::CHANGED_MIDWAY.en)
}

/// The version of which the portal has taken a part, under an id of its own.
pub(super) fn is_begun(index: &Index, at: At) -> Option<Fingerprint> {
    match index.detail(at)?.mark {
        Some(Mark::Begun(version) | Mark::Finishing(version)) => Some(version),
        Some(Mark::Version(_) | Mark::Removal) | None => None,
    }
}

/// Notes in the register which records are gone from the source and stay at the portal. `all` when every record was looked for: those noted
/// before whose rows are there again are well.
pub(super) fn note_gone(index: &Index, register: &mut Register, settlement: &mut Settlement, gone: &[At], all: bool) {
    let now_gone: std::collections::BTreeSet<KeyId> = gone.iter().map(|at| index.id(*at)).collect();
    for at in gone {
        if register.gone.insert(index.id(*at)) {
            settlement.remarked.push(Remark { key: index.key(*at), code: Some(NO_REMOVAL) });
        }
    }
    if all {
        let back: Vec<KeyId> = register.gone.difference(&now_gone).copied().collect();
        for id in back {
            register.gone.remove(&id);
            if let Some(at) = index.find(id) {
                settlement.remarked.push(Remark { key: index.key(at), code: None });
            }
        }
    }
}
