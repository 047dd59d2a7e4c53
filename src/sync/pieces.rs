//! The pieces of one planned request: which are still to be sent, and what became of its records so far.
//!
//! A refusal that names no record condemns none by itself. A record is found guilty only when the portal refuses it alone, accepts another
//! one after that, and refuses it alone again: a portal, or a proxy, that refuses everything proves nothing about anything.

use std::collections::VecDeque;

use super::batch_size::Lesson;
use super::deliver::{Outcome, REFUSED, TOO_LARGE, Waits};
use crate::portal::{Cure, Verdict};
use crate::transport::{Failure, Trouble};

/// Most requests that one planned request may be cut into by failures before the rest waits for a later cycle.
const MOST_PIECES: usize = 200;
/// Most records of one planned request that are found guilty one by one; with more, something else is wrong, and a portal blocks who goes on.
const MOST_REFUSED_ALONE: usize = 20;
/// Most records that are refused alone in a row before the portal is to blame: while it has accepted none, and once it has.
const MOST_IN_A_ROW: (usize, usize) = (2, 5);

/// What follows from a refusal that names no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Smaller pieces are to be sent, or others.
    GoOn,
    /// This record is guilty.
    Guilty(usize),
    /// The portal is in trouble: nothing more is to be sent.
    GiveUp,
}

/// What is known against a record before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// Nothing.
    None,
    /// Something before the portal refused it alone, and let others pass since: it waits by itself and is never guilty of that.
    Foreign,
    /// The portal refused it alone, and accepted others since: refused once more, it is guilty.
    Own,
}

/// A record that was refused alone.
#[derive(Debug)]
struct Suspect {
    position: usize,
    /// Records that were accepted before.
    accepted: usize,
}

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
    accepted: usize,
    /// Records refused alone since one was accepted.
    in_a_row: usize,
    refused_alone: usize,
    /// True once a piece was refused and its culprit looked for.
    bisected: bool,
    /// What was said of records that were refused alone.
    alone: Vec<Option<Trouble>>,
    suspects: Vec<Suspect>,
    suspicions: Vec<Suspicion>,
    /// Says which record of a refused piece is tried alone.
    dice: usize,
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
            accepted: 0,
            in_a_row: 0,
            refused_alone: 0,
            bisected: false,
            alone: vec![None; records],
            suspects: Vec::new(),
            suspicions: vec![Suspicion::None; records],
            dice: 0,
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

    /// Says which records were refused alone in an earlier request, while others were accepted since: they go last, and alone.
    pub(super) fn suspecting(mut self, suspicions: impl IntoIterator<Item = Suspicion>) -> Self {
        self.suspicions.iter_mut().zip(suspicions).for_each(|(mine, suspicion)| *mine = suspicion);
        for position in (0..self.suspicions.len()).filter(|at| self.is_suspected(*at)).collect::<Vec<_>>() {
            self.take_out(position);
            self.queue.push_back(vec![position]);
        }
        self
    }

    /// So many other records were refused alone since one was accepted.
    pub(super) fn after_refusing(mut self, in_a_row: usize) -> Self {
        self.in_a_row = in_a_row;
        self
    }

    /// Which record is tried alone, of a portal that refused everything or of a piece that was refused.
    pub(super) fn at_random(mut self, dice: usize) -> Self {
        self.dice = dice;
        self
    }

    /// The first piece is one record alone: the portal refused everything that was sent last.
    pub(super) fn carefully(mut self) -> Self {
        let open: Vec<usize> = (0..self.suspicions.len()).filter(|at| !self.is_suspected(*at)).collect();
        if let Some(position) = open.get(self.dice % open.len().max(1)).copied() {
            self.take_out(position);
            self.queue.push_front(vec![position]);
        }
        self
    }

    fn is_suspected(&self, position: usize) -> bool {
        self.suspicions[position] != Suspicion::None
    }

    fn take_out(&mut self, position: usize) {
        self.queue.iter_mut().for_each(|piece| piece.retain(|other| *other != position));
    }

    /// The next piece to send.
    pub(super) fn next(&mut self) -> Option<Vec<usize>> {
        loop {
            let mut piece = self.upcoming()?;
            piece.retain(|position| !self.must_rest(*position));
            if !piece.is_empty() {
                self.left = self.left.checked_sub(1)?;
                return Some(piece);
            }
        }
    }

    fn upcoming(&mut self) -> Option<Vec<usize>> {
        let waiting = self.queue.pop_front().filter(|_| self.refused_alone < MOST_REFUSED_ALONE);
        waiting.or_else(|| {
            // What was accepted meanwhile proves that the portal is well.
            let proven = |suspect: &Suspect| suspect.accepted < self.accepted;
            let suspect = self.suspects.iter().position(proven).map(|at| self.suspects.remove(at))?;
            self.suspicions[suspect.position] = Suspicion::Own;
            Some(vec![suspect.position])
        })
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
                Verdict::Accepted { receipt } => self.accept(position, Outcome::Accepted { receipt }),
                Verdict::Begun { remote_id } => self.accept(position, Outcome::Begun { remote_id }),
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

    fn accept(&mut self, position: usize, outcome: Outcome) {
        self.outcomes[position] = Some(outcome);
        self.alone[position] = None;
        self.accepted += 1;
        self.in_a_row = 0;
    }

    /// A piece was refused, and the answer names no record.
    pub(super) fn refused(&mut self, positions: Vec<usize>, failure: &Failure) -> Next {
        self.leave_open(&positions, failure.maybe_applied);
        match failure.trouble {
            Trouble::TooLarge => self.too_large.push(positions.clone()),
            Trouble::Unattributed => {
                self.judged.push(positions.len());
                self.bisected = true;
            }
            _ => {}
        }
        let foreign = matches!(failure.trouble, Trouble::Foreign { .. });
        match positions[..] {
            [position] => return self.refused_alone(position, failure),
            _ if foreign && self.accepted == 0 => return Next::GiveUp,
            _ if self.accepted == 0 => self.try_one_of(positions),
            _ => self.halve(positions),
        }
        Next::GoOn
    }

    fn refused_alone(&mut self, position: usize, failure: &Failure) -> Next {
        let is_first = self.alone[position].replace(failure.trouble).is_none();
        let foreign = matches!(failure.trouble, Trouble::Foreign { .. });
        match self.suspicions[position] {
            Suspicion::Own => return self.find_guilty(position, failure),
            Suspicion::Foreign if foreign => return Next::GoOn,
            Suspicion::Foreign | Suspicion::None => {}
        }
        self.refused_alone += usize::from(is_first);
        self.in_a_row += 1;
        let (before, after) = MOST_IN_A_ROW;
        let most = if self.accepted == 0 { before } else { after };
        if self.in_a_row >= most || (foreign && self.accepted == 0) {
            return Next::GiveUp;
        }
        if self.accepted == 0 {
            self.try_another_one();
        }
        if !foreign {
            self.suspects.push(Suspect { position, accepted: self.accepted });
        }
        Next::GoOn
    }

    /// Others were accepted between two refusals of this record alone.
    fn find_guilty(&mut self, position: usize, failure: &Failure) -> Next {
        let (code, cure) = match failure.trouble {
            Trouble::TooLarge => (TOO_LARGE, Cure::Time),
            // Whatever was refused, the record may be there.
            Trouble::Unattributed if self.once[position] && failure.maybe_applied => return Next::GoOn,
            // Why the portal refuses it nobody knows, so time may cure it.
            Trouble::Unattributed => (REFUSED, Cure::Time),
            // What is not the portal's word never condemns: the record waits by itself and holds nothing up.
            _ => return Next::GoOn,
        };
        let (code, text, maybe_applied) = (code.into(), failure.text.clone(), self.maybe_applied[position]);
        self.outcomes[position] = Some(Outcome::Rejected { code, text, holder: None, cure, maybe_applied });
        Next::Guilty(position)
    }

    /// The failure is not of this piece alone: nothing more is sent.
    pub(super) fn give_up(&mut self, positions: Vec<usize>, failure: Failure) {
        if failure.trouble == Trouble::TimedOut {
            self.timed_out = Some(positions.len());
        }
        self.leave_open(&positions, failure.maybe_applied);
        self.queue.clear();
        self.suspects.clear();
        self.failure = Some(failure);
    }

    /// Nobody judged these.
    pub(super) fn leave_open(&mut self, positions: &[usize], maybe_applied: bool) {
        for position in positions {
            self.maybe_applied[*position] |= maybe_applied;
            let (maybe_applied, waits) = (self.maybe_applied[*position], Waits::Itself);
            self.outcomes[*position] = Some(Outcome::Open { maybe_applied, waits });
        }
    }

    /// One record of a refused piece goes alone before the others: one request tells a record's fault from a portal's trouble. Another one goes
    /// after them all, so that something can be accepted after the last culprit was refused.
    fn try_one_of(&mut self, mut positions: Vec<usize>) {
        let one = positions.remove(self.dice % positions.len().max(1));
        if positions.len() > 2 {
            let last = positions.remove(self.dice / 2 % positions.len());
            self.queue.push_back(vec![last]);
        }
        if positions.len() > 1 {
            self.halve(positions);
        } else {
            self.queue.push_front(positions);
        }
        self.queue.push_front(vec![one]);
    }

    /// What comes next is one record alone as well.
    fn try_another_one(&mut self) {
        if let Some(next) = self.queue.front_mut().filter(|next| next.len() > 1) {
            let one = next.remove(self.dice % next.len().max(1));
            self.queue.push_front(vec![one]);
        }
    }

    fn halve(&mut self, mut positions: Vec<usize>) {
        if positions.len() > 1 {
            let right = positions.split_off(positions.len() / 2);
            // Depth first: each culprit is found before the next is looked for.
            self.queue.push_front(right);
            self.queue.push_front(positions);
        }
    }

    /// What the pieces have shown of sizes. A record that is too large alone explains every larger piece that held it; a portal that finds
    /// everything too large explains nothing.
    pub(super) fn lesson(&self) -> Lesson {
        let culprits: Vec<usize> = self.too_large.iter().filter(|piece| piece.len() == 1).flatten().copied().collect();
        let unexplained = self.too_large.iter().filter(|piece| !piece.iter().any(|at| culprits.contains(at)));
        let too_large = unexplained.map(Vec::len).min().filter(|_| self.accepted > 0);
        Lesson { too_large, timed_out: self.timed_out, judged: self.judged.clone() }
    }

    /// True when every record was judged on its merits: the portal has looked at its unit and not blocked it.
    pub(super) fn proves_a_unit(&self) -> bool {
        self.outcomes.iter().zip(&self.alone).all(|(outcome, alone)| match outcome {
            Some(Outcome::Accepted { .. } | Outcome::Begun { .. }) => true,
            Some(Outcome::Rejected { code, .. }) => code != TOO_LARGE,
            Some(Outcome::Open { .. }) => *alone == Some(Trouble::Unattributed),
            None => false,
        })
    }

    /// How many records the portal accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted
    }

    /// True when the record was accepted or refused.
    pub(super) fn is_settled(&self, position: usize) -> bool {
        !matches!(self.outcomes.get(position), Some(Some(Outcome::Open { .. }) | None) | None)
    }

    /// Records that were refused alone without being guilty. Of a portal that refused everything they are no suspects, unless what refused
    /// them can never make them guilty.
    pub(super) fn suspects(&self) -> impl Iterator<Item = (usize, Suspicion)> {
        let given_up = self.failure.is_some();
        let suspicion = move |trouble: &Trouble| match trouble {
            Trouble::Foreign { .. } => Some(Suspicion::Foreign),
            _ => (!given_up).then_some(Suspicion::Own),
        };
        let open = |(position, _): &(usize, Suspicion)| matches!(self.outcomes[*position], Some(Outcome::Open { .. }));
        let alone = self.alone.iter().enumerate();
        alone.filter_map(move |(at, alone)| Some((at, suspicion(alone.as_ref()?)?))).filter(open)
    }

    /// What became of each record; what was not sent is open. What is open while the portal `rests` waits for nothing else, unless it was
    /// refused alone and may be to blame. A request of one record, first in its order each time, would let no other pass.
    pub(super) fn outcomes(self, rests: bool) -> Vec<Outcome> {
        let may_be_to_blame = self.failure.is_none() || self.outcomes.len() == 1;
        let settled = |(outcome, alone): (Option<Outcome>, Option<Trouble>)| {
            let waits = if rests && !(alone.is_some() && may_be_to_blame) { Waits::Portal } else { Waits::Itself };
            match outcome {
                Some(Outcome::Open { maybe_applied, .. }) => Outcome::Open { maybe_applied, waits },
                Some(outcome) => outcome,
                None => Outcome::Open { maybe_applied: false, waits },
            }
        };
        self.outcomes.into_iter().zip(self.alone).map(settled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(trouble: Trouble) -> Failure {
        Failure { trouble, maybe_applied: false, text: "x".into() }
    }

    /// Takes a refusal that names no record as the engine does.
    fn answer(pieces: &mut Pieces, piece: Vec<usize>, trouble: Trouble) {
        if pieces.refused(piece.clone(), &failure(trouble)) == Next::GiveUp {
            pieces.give_up(piece, failure(trouble).of_portal());
        }
    }

    /// Sends everything to a portal that refuses some pieces like this; gives the pieces, and how often it was asked.
    fn talk(mut pieces: Pieces, trouble: Trouble, refuses: impl Fn(&[usize], usize) -> bool) -> (Pieces, usize) {
        let mut asked = 0;
        while let Some(piece) = pieces.next() {
            asked += 1;
            if refuses(&piece, asked) {
                answer(&mut pieces, piece, trouble);
            } else {
                let verdicts = vec![Verdict::Accepted { receipt: None }; piece.len()];
                pieces.judge(piece, verdicts);
            }
        }
        (pieces, asked)
    }

    fn condemned(pieces: Pieces) -> Vec<usize> {
        let outcomes = pieces.outcomes(false).into_iter().enumerate();
        outcomes.filter(|(_, outcome)| matches!(outcome, Outcome::Rejected { .. })).map(|(at, _)| at).collect()
    }

    const FOREIGN: Trouble = Trouble::Foreign { retry_after: None };

    #[test]
    fn a_portal_that_refuses_everything_is_asked_a_few_times_and_condemns_nothing() {
        for (trouble, most) in [(FOREIGN, 1), (Trouble::TooLarge, 3), (Trouble::Unattributed, 3)] {
            let (pieces, asked) = talk(Pieces::of(300, 500).at_random(77), trouble, |_, _| true);
            assert!(asked <= most, "{trouble:?}: {asked}");
            assert!(matches!(&pieces.failure, Some(failure) if failure.trouble == FOREIGN), "{trouble:?}");
            assert_eq!(pieces.lesson().too_large, None, "{trouble:?}");
            assert_eq!(condemned(pieces), Vec::<usize>::new(), "{trouble:?}");
            let (_, asked) = talk(Pieces::of(300, 500).at_random(77).carefully(), trouble, |_, _| true);
            assert!(asked <= 2, "{trouble:?}: {asked} after a pause");
        }
    }

    #[test]
    fn a_portal_that_falls_ill_or_heals_at_any_moment_condemns_nothing() {
        for trouble in [FOREIGN, Trouble::TooLarge, Trouble::Unattributed] {
            for (from, until) in (0..12).flat_map(|from| (from..14).map(move |until| (from, until))) {
                let (pieces, _) =
                    talk(Pieces::of(100, 30).at_random(5), trouble, |_, asked| (from..until).contains(&asked));
                assert_eq!(condemned(pieces), Vec::<usize>::new(), "{trouble:?} {from}..{until}");
            }
        }
    }

    #[test]
    fn a_record_that_a_proxy_refuses_waits_by_itself_and_its_neighbours_go() {
        let (pieces, _) = talk(Pieces::of(100, 500).at_random(9).carefully(), FOREIGN, |piece, _| piece.contains(&42));
        assert_eq!(
            (pieces.failure.clone(), pieces.suspects().collect::<Vec<_>>()),
            (None, vec![(42, Suspicion::Foreign)])
        );
        let outcomes = pieces.outcomes(true);
        assert_eq!(outcomes[42], Outcome::Open { maybe_applied: false, waits: Waits::Itself });
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted { .. })).count(), 99);
    }

    #[test]
    fn one_record_that_is_refused_alone_is_guilty_only_after_others_were_accepted() {
        let (pieces, asked) = talk(Pieces::of(1, 500), Trouble::Unattributed, |_, _| true);
        assert_eq!((asked, pieces.failure.is_some(), condemned(pieces)), (1, false, vec![]));
        let (pieces, asked) = talk(Pieces::of(1, 500).suspecting([Suspicion::Own]), Trouble::Unattributed, |_, _| true);
        assert_eq!((asked, condemned(pieces)), (1, vec![0]));
        let (pieces, asked) = talk(Pieces::of(1, 500).suspecting([Suspicion::Foreign]), FOREIGN, |_, _| true);
        assert_eq!((asked, pieces.failure.is_some(), condemned(pieces)), (1, false, vec![]));
        let (pieces, asked) = talk(Pieces::of(1, 500).suspecting([Suspicion::Foreign]), Trouble::TooLarge, |_, _| true);
        assert_eq!((asked, condemned(pieces)), (1, vec![]), "what a proxy refused before is no proof");
    }

    #[test]
    fn what_waits_for_the_portal_waits_for_nothing_else() {
        let (pieces, _) = talk(Pieces::of(3, 2), FOREIGN, |_, _| true);
        let waits = |waits| Outcome::Open { maybe_applied: false, waits };
        assert_eq!(pieces.outcomes(true), [Waits::Portal, Waits::Portal, Waits::Portal].map(waits));
        let (pieces, _) = talk(Pieces::of(3, 1), FOREIGN, |_, _| true);
        assert_eq!(pieces.outcomes(true), [Waits::Portal, Waits::Portal, Waits::Portal].map(waits));
        let (pieces, _) = talk(Pieces::of(1, 1), FOREIGN, |_, _| true);
        assert_eq!(pieces.outcomes(true), [waits(Waits::Itself)]);
    }

    /// Sends everything to a portal that finds pieces too large by this rule.
    fn send(records: usize, size: usize, too_large: impl Fn(&[usize]) -> bool) -> Pieces {
        let mut pieces = Pieces::of(records, size);
        while let Some(piece) = pieces.next() {
            if too_large(&piece) {
                answer(&mut pieces, piece, Trouble::TooLarge);
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
        assert_eq!(pieces.lesson().too_large, Some(49), "a half, less the two that went alone");
        assert!(pieces.outcomes(false).iter().all(|outcome| matches!(outcome, Outcome::Accepted { .. })));
    }

    #[test]
    fn one_large_record_says_nothing_of_the_number_of_records() {
        let pieces = send(100, 500, |piece| piece.contains(&42));
        assert_eq!(pieces.lesson().too_large, None);
        let outcomes = pieces.outcomes(false);
        assert!(matches!(&outcomes[42], Outcome::Rejected { code, .. } if code == TOO_LARGE));
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted { .. })).count(), 99);
    }

    #[test]
    fn one_large_record_does_not_hide_that_requests_are_too_large() {
        let pieces = send(100, 500, |piece| piece.contains(&1) || piece.len() > 20);
        assert_eq!(pieces.lesson().too_large, Some(24));
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
        pieces.refused(vec![2], &Failure { maybe_applied: true, ..open });
        assert_eq!(pieces.next(), None);
        let mut outcomes = pieces.outcomes(false).into_iter();
        assert!(matches!(outcomes.next(), Some(Outcome::Open { maybe_applied: true, .. })));
    }

    #[test]
    fn a_refusal_that_may_have_come_after_the_fact_is_none_of_a_record_that_must_not_be_there_twice() {
        let mut pieces = Pieces::of(1, 1).only_once([true]).suspecting([Suspicion::Own]);
        let open = Failure { maybe_applied: true, ..failure(Trouble::Unattributed) };
        assert_eq!(pieces.refused(vec![0], &open), Next::GoOn);
        assert_eq!(pieces.outcomes(false), [Outcome::Open { maybe_applied: true, waits: Waits::Itself }]);
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
        assert!(proven(&|pieces| answer(pieces, vec![0], Trouble::Unattributed)));
        assert!(!proven(&|pieces| drop(pieces.judge(vec![0], vec![Verdict::Unknown]))));
        assert!(!proven(&|pieces| answer(pieces, vec![0], Trouble::TooLarge)));
        assert!(!proven(&|pieces| answer(pieces, vec![0], FOREIGN)));
        assert!(!proven(&|pieces| pieces.give_up(vec![0], failure(Trouble::TimedOut))));
        assert!(!proven(&|_| {}));
    }
}
