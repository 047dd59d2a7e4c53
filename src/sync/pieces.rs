//! The pieces of one planned request: which are still to be sent, and what became of its records so far.

use std::collections::VecDeque;

use super::batch_size::Lesson;
use super::deliver::{Outcome, REFUSED, TOO_LARGE};
use crate::portal::{Cure, Verdict};
use crate::transport::{Failure, Trouble};

/// Most requests that one planned request may be cut into by failures before the rest waits for a later cycle.
const MOST_PIECES: usize = 200;
/// Most records of one planned request that are found guilty one by one; with more, something else is wrong, and a portal blocks who goes on.
const MOST_REFUSED_ALONE: usize = 20;

/// Pieces of a request. A record is called by its position in the request.
#[derive(Debug)]
pub(super) struct Pieces {
    outcomes: Vec<Option<Outcome>>,
    /// Records that an earlier piece may have brought to the portal: what is heard of a later one does not take that back.
    maybe_applied: Vec<bool>,
    /// Records that a second request would make twice: once they may be there, nothing more is sent of them.
    once: Vec<bool>,
    queue: VecDeque<Vec<usize>>,
    /// Why the whole came to nothing, if it did.
    pub(super) failure: Option<Failure>,
    /// Pieces that may still be sent.
    left: usize,
    refused_alone: usize,
    /// True once a piece was refused and its culprit looked for.
    bisected: bool,
    /// Pieces that were too large.
    too_large: Vec<Vec<usize>>,
    timed_out: Option<usize>,
    judged: Vec<usize>,
}

impl Pieces {
    /// So many records, cut into pieces of at most `size`.
    pub(super) fn of(records: usize, size: usize) -> Self {
        let all: Vec<usize> = (0..records).collect();
        let queue: VecDeque<Vec<usize>> = all.chunks(size.max(1)).map(<[usize]>::to_vec).collect();
        let left = queue.len().saturating_add(MOST_PIECES);
        Pieces {
            outcomes: vec![None; records],
            maybe_applied: vec![false; records],
            once: vec![false; records],
            queue,
            failure: None,
            left,
            refused_alone: 0,
            bisected: false,
            too_large: Vec::new(),
            timed_out: None,
            judged: Vec::new(),
        }
    }

    /// Says which records a second request would make twice.
    pub(super) fn only_once(mut self, once: impl IntoIterator<Item = bool>) -> Self {
        self.once.iter_mut().zip(once).for_each(|(mine, once)| *mine = once);
        self
    }

    /// The next piece to send.
    pub(super) fn next(&mut self) -> Option<Vec<usize>> {
        while self.refused_alone < MOST_REFUSED_ALONE {
            self.left = self.left.checked_sub(1)?;
            let mut piece = self.queue.pop_front()?;
            piece.retain(|position| !self.must_rest(*position));
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }

    fn must_rest(&self, position: usize) -> bool {
        self.once[position] && self.maybe_applied[position]
    }

    /// True while a culprit is looked for: each piece is a request that would not be needed without one.
    pub(super) fn is_bisected(&self) -> bool {
        self.bisected
    }

    /// Pieces that are to be sent after all others.
    pub(super) fn add(&mut self, pieces: impl IntoIterator<Item = Vec<usize>>) {
        self.queue.extend(pieces);
    }

    /// Takes the verdicts on a piece; gives the records that were refused. Records that the answer does not mention are asked about once
    /// more, together, then in ever smaller pieces; one that is not even mentioned alone stays open.
    pub(super) fn judge(&mut self, positions: Vec<usize>, verdicts: Vec<Verdict>) -> Vec<usize> {
        let asked = positions.len();
        self.judged.push(asked);
        let (mut unknown, mut refused) = (Vec::new(), Vec::new());
        // A portal that takes or refuses a request as a whole says the culprit's name by refusing it alone.
        let found_by_halving = asked == 1 && self.bisected;
        let mut verdicts = verdicts.into_iter();
        for position in positions {
            match verdicts.next().unwrap_or(Verdict::Unknown) {
                Verdict::Accepted { receipt } => self.outcomes[position] = Some(Outcome::Accepted { receipt }),
                Verdict::Begun { remote_id } => self.outcomes[position] = Some(Outcome::Begun { remote_id }),
                Verdict::Rejected { code, text, holder, cure } => {
                    let maybe_applied = self.maybe_applied[position];
                    self.outcomes[position] = Some(Outcome::Rejected { code, text, holder, cure, maybe_applied });
                    refused.push(position);
                    self.refused_alone += usize::from(found_by_halving);
                }
                Verdict::Unknown => {
                    self.leave_open(&[position], true);
                    unknown.push(position);
                }
            }
        }
        if unknown.len() == asked {
            self.halve(unknown);
        } else if !unknown.is_empty() {
            self.queue.push_back(unknown);
        }
        refused
    }

    /// A piece was too large. One record that is too large alone can only be cured in its row.
    pub(super) fn too_large(&mut self, positions: Vec<usize>, failure: &Failure) {
        self.too_large.push(positions.clone());
        if let [position] = positions[..] {
            self.refuse(position, TOO_LARGE, failure, Cure::Row);
        } else {
            self.leave_open(&positions, failure.maybe_applied);
            self.halve(positions);
        }
    }

    /// A piece was refused, and the answer names no record: gives the culprit once it is found. Why the portal refuses it nobody knows, so
    /// time may cure it.
    pub(super) fn bisect(&mut self, positions: Vec<usize>, failure: &Failure) -> Vec<usize> {
        self.judged.push(positions.len());
        self.bisected = true;
        if let [position] = positions[..] {
            if self.once[position] && failure.maybe_applied {
                // Whatever was refused, the record may be there.
                self.leave_open(&positions, true);
                return Vec::new();
            }
            self.refuse(position, REFUSED, failure, Cure::Time);
            return positions;
        }
        self.leave_open(&positions, failure.maybe_applied);
        self.halve(positions);
        Vec::new()
    }

    /// The failure is not of this piece alone: nothing more is sent.
    pub(super) fn give_up(&mut self, positions: Vec<usize>, failure: Failure) {
        if failure.trouble == Trouble::TimedOut {
            self.timed_out = Some(positions.len());
        }
        self.leave_open(&positions, failure.maybe_applied);
        self.queue.clear();
        self.failure = Some(failure);
    }

    /// Nobody judged these.
    pub(super) fn leave_open(&mut self, positions: &[usize], maybe_applied: bool) {
        for position in positions {
            self.maybe_applied[*position] |= maybe_applied;
            self.outcomes[*position] = Some(Outcome::Open { maybe_applied: self.maybe_applied[*position] });
        }
    }

    fn refuse(&mut self, position: usize, code: &str, failure: &Failure, cure: Cure) {
        let (code, text) = (code.into(), failure.text.clone());
        // A refusal that names nobody may, even so, have come after the record was stored.
        self.maybe_applied[position] |= failure.maybe_applied;
        let maybe_applied = self.maybe_applied[position];
        self.outcomes[position] = Some(Outcome::Rejected { code, text, holder: None, cure, maybe_applied });
        self.refused_alone += 1;
    }

    fn halve(&mut self, mut positions: Vec<usize>) {
        if positions.len() > 1 {
            let right = positions.split_off(positions.len() / 2);
            // Depth first: each culprit is found before the next is looked for.
            self.queue.push_front(right);
            self.queue.push_front(positions);
        }
    }

    /// What the pieces have shown of sizes. A record that is too large alone explains every larger piece that held it.
    pub(super) fn lesson(&self) -> Lesson {
        let culprits: Vec<usize> = self.too_large.iter().filter(|piece| piece.len() == 1).flatten().copied().collect();
        let unexplained = self.too_large.iter().filter(|piece| !piece.iter().any(|at| culprits.contains(at)));
        Lesson { too_large: unexplained.map(Vec::len).min(), timed_out: self.timed_out, judged: self.judged.clone() }
    }

    /// True when every record was judged on its merits: the portal has looked at its unit and not blocked it.
    pub(super) fn proves_a_unit(&self) -> bool {
        self.outcomes.iter().all(|outcome| match outcome {
            Some(Outcome::Accepted { .. } | Outcome::Begun { .. }) => true,
            Some(Outcome::Rejected { code, .. }) => code != TOO_LARGE,
            Some(Outcome::Open { .. }) | None => false,
        })
    }

    /// What became of each record; what was not sent is open.
    pub(super) fn outcomes(self) -> Vec<Outcome> {
        let unsent = Outcome::Open { maybe_applied: false };
        self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| unsent.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(trouble: Trouble) -> Failure {
        Failure { trouble, maybe_applied: false, text: "x".into() }
    }

    /// Sends everything to a portal that finds pieces too large by this rule.
    fn send(records: usize, size: usize, too_large: impl Fn(&[usize]) -> bool) -> Pieces {
        let mut pieces = Pieces::of(records, size);
        while let Some(piece) = pieces.next() {
            if too_large(&piece) {
                pieces.too_large(piece, &failure(Trouble::TooLarge));
            } else {
                let verdicts = vec![Verdict::Accepted { receipt: None }; piece.len()];
                pieces.judge(piece, verdicts);
            }
        }
        pieces
    }

    #[test]
    fn a_request_above_the_size_is_cut_before_it_is_sent() {
        assert_eq!(send(10, 4, |_| false).lesson().judged, [4, 4, 2]);
    }

    #[test]
    fn the_smallest_size_that_was_too_large_is_learnt() {
        let pieces = send(100, 500, |piece| piece.len() > 30);
        assert_eq!(pieces.lesson().too_large, Some(50));
        assert!(pieces.outcomes().iter().all(|outcome| matches!(outcome, Outcome::Accepted { .. })));
    }

    #[test]
    fn one_large_record_says_nothing_of_the_number_of_records() {
        let pieces = send(100, 500, |piece| piece.contains(&42));
        assert_eq!(pieces.lesson().too_large, None);
        let outcomes = pieces.outcomes();
        assert!(matches!(&outcomes[42], Outcome::Rejected { code, cure: Cure::Row, .. } if code == TOO_LARGE));
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted { .. })).count(), 99);
    }

    #[test]
    fn one_large_record_does_not_hide_that_requests_are_too_large() {
        let pieces = send(100, 500, |piece| piece.contains(&1) || piece.len() > 20);
        assert_eq!(pieces.lesson().too_large, Some(25));
    }

    #[test]
    fn however_small_the_pieces_all_of_them_are_sent() {
        assert_eq!(send(1000, 1, |_| false).lesson().judged.len(), 1000);
    }

    #[test]
    fn what_may_be_there_and_must_not_be_there_twice_is_sent_once() {
        let mut pieces = Pieces::of(4, 4).only_once([true, true, false, true]);
        let piece = pieces.next().unwrap();
        let mut verdicts = vec![Verdict::Unknown; 4];
        verdicts[3] = Verdict::Accepted { receipt: None };
        pieces.judge(piece, verdicts);
        assert_eq!(pieces.next(), Some(vec![2]), "the others may be there");
        let open = failure(Trouble::Unattributed);
        pieces.bisect(vec![2], &Failure { maybe_applied: true, ..open });
        assert_eq!(pieces.next(), None);
        let mut outcomes = pieces.outcomes().into_iter();
        assert!(matches!(outcomes.next(), Some(Outcome::Open { maybe_applied: true })));
    }

    #[test]
    fn a_refusal_that_may_have_come_after_the_fact_is_none_of_a_record_that_must_not_be_there_twice() {
        let mut pieces = Pieces::of(1, 1).only_once([true]);
        let refused = pieces.bisect(vec![0], &Failure { maybe_applied: true, ..failure(Trouble::Unattributed) });
        assert_eq!(refused, Vec::<usize>::new());
        assert_eq!(pieces.outcomes(), [Outcome::Open { maybe_applied: true }]);
    }

    #[test]
    fn only_a_judgement_proves_a_unit() {
        let proven = |outcome: &dyn Fn(&mut Pieces)| {
            let mut pieces = Pieces::of(1, 1);
            outcome(&mut pieces);
            pieces.proves_a_unit()
        };
        let rejected = || Verdict::Rejected { code: "R".into(), text: String::new(), holder: None, cure: Cure::Time };
        assert!(proven(&|pieces| drop(pieces.judge(vec![0], vec![rejected()]))));
        assert!(proven(&|pieces| drop(pieces.bisect(vec![0], &failure(Trouble::Unattributed)))));
        assert!(!proven(&|pieces| drop(pieces.judge(vec![0], vec![Verdict::Unknown]))));
        assert!(!proven(&|pieces| pieces.too_large(vec![0], &failure(Trouble::TooLarge))));
        assert!(!proven(&|pieces| pieces.give_up(vec![0], failure(Trouble::TimedOut))));
        assert!(!proven(&|_| {}));
    }
}
