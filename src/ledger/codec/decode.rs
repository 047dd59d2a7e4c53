//! Reading steps out of a blob. Total: whatever the bytes are, the answer is steps or an error.

use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::ledger::{Entry, Mark, Replay};
use crate::record::Fingerprint;

/// What is wrong with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::ledger) enum Damaged {
    /// It ends before its end.
    #[error("it is cut short")]
    Short,
    /// Bytes have changed since it was written.
    #[error("its checksum is wrong")]
    Checksum,
    /// It was written by a newer program, or is no blob of ours.
    #[error("its form has the unknown version {0}")]
    Version(u8),
    /// The parts contradict themselves.
    #[error("its {0} makes no sense")]
    Part(&'static str),
}

/// Hands every step of a blob to `visit`, in order. Nothing is handed over from a blob whose checksum is wrong.
pub(in crate::ledger) fn decode(blob: &[u8], mut visit: impl FnMut(Replay)) -> Result<(), Damaged> {
    let (content, checksum) = blob.split_last_chunk::<CHECKSUM>().ok_or(Damaged::Short)?;
    if xxh3_64(content) != u64::from_le_bytes(*checksum) {
        return Err(Damaged::Checksum);
    }
    let mut cursor = Cursor { rest: content };
    match cursor.byte()? {
        VERSION => {}
        other => return Err(Damaged::Version(other)),
    }
    let count = u32::from_le_bytes(cursor.take()?);
    let mut before = Before::default();
    for _ in 0..count {
        cursor.step(&mut before, &mut visit)?;
    }
    if cursor.rest.is_empty() { Ok(()) } else { Err(Damaged::Part("number of steps")) }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// Reads one step. It is built where `visit` takes it: an entry is large, and handing it up in a result copies it each time.
    #[inline]
    fn step(&mut self, before: &mut Before, visit: &mut impl FnMut(Replay)) -> Result<(), Damaged> {
        let [low, middle, high] = self.take::<FLAGS>()?;
        let flags = u32::from_le_bytes([low, middle, high, 0]);
        if flags & !ALL != 0 {
            return Err(Damaged::Part("flags"));
        }
        let given = |flag: u32| flags & flag != 0;
        let key = self.key(given(KEY_IS_TEXT))?;
        let state = flags & STATE | if given(STATE_HIGH) { STATE + 1 } else { 0 };
        if state == DROPPED {
            visit(Replay::Drop(key));
            return Ok(());
        }
        let state = state_of(state).ok_or(Damaged::Part("state"))?;
        let accepted = self.fingerprint(given(ACCEPTED))?;
        let mark = self.mark((flags >> MARK_SHIFT) & MARK, given(FINISHING))?;
        let wanted = self.fingerprint(given(WANTED))?;
        self.links(flags, before)?;
        let expires = given(EXPIRES).then(|| self.signed()).transpose()?;
        let status = given(STATUS).then(|| self.byte()).transpose()?;
        let place = given(PLACE).then(|| self.take().map(u64::from_le_bytes)).transpose()?;
        let remote_id = given(REMOTE_ID).then(|| self.text().map(Box::from)).transpose()?;
        let attempts = if given(ATTEMPTS) { u16::from_le_bytes(self.take()?) } else { 0 };
        let next_attempt = given(NEXT_ATTEMPT).then(|| self.signed()).transpose()?;
        visit(Replay::Put(Entry {
            key,
            accepted,
            mark,
            state,
            wanted,
            parents: before.parents.clone(),
            unit: before.unit.clone(),
            expires,
            status,
            place,
            remote_id,
            write_back_due: given(WRITE_BACK_DUE),
            attempts,
            next_attempt,
        }));
        Ok(())
    }

    fn mark(&mut self, how: u32, finishing: bool) -> Result<Option<Mark>, Damaged> {
        match how {
            MARK_BEGUN if finishing => Ok(self.fingerprint(true)?.map(Mark::Finishing)),
            MARK_BEGUN => Ok(self.fingerprint(true)?.map(Mark::Begun)),
            _ if finishing => Err(Damaged::Part("mark")),
            0 => Ok(None),
            MARK_VERSION => Ok(self.fingerprint(true)?.map(Mark::Version)),
            MARK_REMOVAL => Ok(Some(Mark::Removal)),
            _ => Err(Damaged::Part("mark")),
        }
    }

    /// Turns the links of the step before into those of this one.
    fn links(&mut self, flags: u32, before: &mut Before) -> Result<(), Damaged> {
        let Before { parents, unit } = before;
        for (parent, shift) in parents.iter_mut().zip(PARENT_SHIFT) {
            self.link((flags >> shift) & PARENT, parent)?;
        }
        let how = (flags >> UNIT_SHIFT) & UNIT;
        match LINK_PARENT.iter().zip(parents).find(|(link, _)| **link == how) {
            Some((_, parent)) => unit.clone_from(parent),
            None => self.link(how, unit)?,
        }
        Ok(())
    }

    fn link(&mut self, how: u32, link: &mut Option<Key>) -> Result<(), Damaged> {
        match how {
            LINK_NONE => *link = None,
            LINK_GUID | LINK_TEXT => *link = Some(self.key(how == LINK_TEXT)?),
            LINK_BEFORE if link.is_some() => {}
            _ => return Err(Damaged::Part("link")),
        }
        Ok(())
    }

    fn fingerprint(&mut self, given: bool) -> Result<Option<Fingerprint>, Damaged> {
        given.then(|| self.take().map(|bytes| Fingerprint(u128::from_le_bytes(bytes)))).transpose()
    }

    fn key(&mut self, is_text: bool) -> Result<Key, Damaged> {
        match is_text {
            false => Ok(Key::Guid(u128::from_be_bytes(self.take()?))),
            true => Ok(Key::Text(self.text()?.into())),
        }
    }

    /// A text no longer than what is left of the blob.
    fn text(&mut self) -> Result<&str, Damaged> {
        let length = usize::try_from(self.varint()?).map_err(|_| Damaged::Short)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Damaged::Short)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| Damaged::Part("text"))
    }

    fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged::Part("number"))
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Damaged::Short)?;
        self.rest = rest;
        Ok(*taken)
    }
}
