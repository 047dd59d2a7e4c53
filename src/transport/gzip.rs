//! Gzip both ways: whole request bodies out, capped answers in. The only file that inflates anything.
//!
//! Bodies are compressed in one piece by libdeflate. On 300 KB of slots it makes, at level 1, two thirds of what zlib-rs makes at
//! a sixth less speed, and at level 6 a little less than zlib-rs at half as much speed again. Answers come from outside and are
//! inflated by flate2 as a stream that stops at a cap, whatever they claim to hold.

use std::cell::RefCell;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use libdeflater::{CompressionLvl, Compressor};

/// How hard to compress: 1 (fastest) to 12 (smallest). The setting `gzip_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(u8);

/// A compressed body and how long it was before.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed {
    /// The gzip stream.
    pub bytes: Vec<u8>,
    /// Bytes before compression.
    pub raw_len: usize,
}

/// Why an answer could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It grows past the cap: a bomb, or no answer of this portal.
    #[error("the answer inflates to more than {limit} bytes")]
    TooLarge {
        /// The cap, in bytes.
        limit: usize,
    },
    /// It is cut or is no gzip at all.
    #[error("the answer is damaged gzip")]
    Damaged,
}

thread_local! {
    // Setting a compressor up takes as long as compressing a single record: each worker thread keeps the one it used last.
    static COMPRESSOR: RefCell<Option<(Level, Compressor)>> = const { RefCell::new(None) };
}

impl Level {
    /// The level of a setting; none outside 1 to 12.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=12 => Some(Level(level)),
            _ => None,
        }
    }

    fn compressor(self) -> Compressor {
        Compressor::new(CompressionLvl::new(i32::from(self.0)).unwrap_or_else(|_| CompressionLvl::fastest()))
    }
}

impl Default for Level {
    /// The fastest: most of what there is to gain is gained here, and the daemon shares its machine with the MIS.
    fn default() -> Self {
        Level(1)
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({} bytes of {})", self.bytes.len(), self.raw_len)
    }
}

impl Packed {
    /// Compresses a body.
    pub fn of(body: &[u8], level: Level) -> Self {
        COMPRESSOR.with_borrow_mut(|kept| {
            let compressor = match kept {
                Some((kept_level, compressor)) if *kept_level == level => compressor,
                other => &mut other.insert((level, level.compressor())).1,
            };
            pack(compressor, body)
        })
    }
}

fn pack(compressor: &mut Compressor, body: &[u8]) -> Packed {
    let mut bytes = vec![0; compressor.gzip_compress_bound(body.len())];
    // The bound is libdeflate's own promise; were it broken, the empty stream would be refused as damaged, not sent as data.
    let len = compressor.gzip_compress(body, &mut bytes).unwrap_or(0);
    bytes.truncate(len);
    bytes.shrink_to_fit();
    Packed { bytes, raw_len: body.len() }
}

/// Inflates a gzip stream of one or several members to at most `limit` bytes.
pub fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflated = Vec::new();
    let capped = MultiGzDecoder::new(bytes).take(limit as u64 + 1).read_to_end(&mut inflated);
    capped.map_err(|_| InflateError::Damaged)?;
    if inflated.len() > limit {
        return Err(InflateError::TooLarge { limit });
    }
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn what_is_packed_inflates_to_the_same_at_every_level() {
        let body = "{\"id\":\"ab7cbc4b-2e68-40d2-881b-6f957b044818\",\"имя\":\"слот\"},".repeat(500);
        for level in (1..=12).filter_map(Level::new) {
            let packed = Packed::of(body.as_bytes(), level);
            assert_eq!(packed.raw_len, body.len());
            assert!(packed.bytes.len() < body.len() / 10, "{level:?}");
            assert_eq!(inflate(&packed.bytes, LIMIT).unwrap(), body.as_bytes());
        }
    }

    #[test]
    fn an_empty_body_is_a_valid_stream() {
        assert_eq!(inflate(&Packed::of(b"", Level::default()).bytes, LIMIT), Ok(Vec::new()));
    }

    #[test]
    fn levels_outside_the_range_are_refused() {
        assert_eq!((Level::new(0), Level::new(13)), (None, None));
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let bomb = Packed::of(&vec![0; 64 * LIMIT], Level(12));
        assert!(bomb.bytes.len() < LIMIT / 8);
        assert_eq!(inflate(&bomb.bytes, LIMIT), Err(InflateError::TooLarge { limit: LIMIT }));
    }

    #[test]
    fn a_bomb_in_many_members_stops_at_the_cap() {
        let member = Packed::of(&vec![0; LIMIT / 2], Level(12)).bytes;
        assert_eq!(inflate(&member.repeat(3), LIMIT), Err(InflateError::TooLarge { limit: LIMIT }));
        assert_eq!(inflate(&member.repeat(2), LIMIT).unwrap().len(), LIMIT);
    }

    #[test]
    fn a_cut_stream_and_no_stream_are_damaged() {
        let packed = Packed::of(b"{\"isSuccess\":true}", Level::default()).bytes;
        for bytes in [&packed[..packed.len() - 3], b"<html>", b""] {
            assert_eq!(inflate(bytes, LIMIT), Err(InflateError::Damaged));
        }
    }
}
