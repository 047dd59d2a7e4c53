//! The blob's form: everything survives it, nothing breaks the reader.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::ledger::{Entry, Mark, Replay};
use crate::record::Fingerprint;

fn keys() -> impl Strategy<Value = Key> {
    // Few GUIDs, so that links often equal those of the step before.
    prop_oneof![
        (0..3u128).prop_map(Key::Guid),
        any::<u128>().prop_map(Key::Guid),
        ".{0,9}".prop_map(|text| Key::Text(text.into()))
    ]
}

fn fingerprints() -> impl Strategy<Value = Option<Fingerprint>> {
    option::of(any::<u128>().prop_map(Fingerprint))
}

fn marks() -> impl Strategy<Value = Option<Mark>> {
    prop_oneof![
        Just(None),
        Just(Some(Mark::Removal)),
        any::<u128>().prop_map(|version| Some(Mark::Version(Fingerprint(version)))),
        any::<u128>().prop_map(|version| Some(Mark::Begun(Fingerprint(version)))),
        any::<u128>().prop_map(|version| Some(Mark::Finishing(Fingerprint(version)))),
    ]
}

prop_compose! {
    fn entries()(
        key in keys(),
        (accepted, mark, wanted) in (fingerprints(), marks(), fingerprints()),
        state in (0..9u32).prop_filter_map("a state", state_of),
        parents in [option::of(keys()), option::of(keys())],
        unit in option::of(keys()),
        unit_is_parent in 0..4usize,
        (expires, status, place) in (option::of(any::<i64>()), option::of(any::<u8>()), option::of(any::<u64>())),
        remote_id in option::of(".{0,9}"),
        (write_back_due, attempts, next_attempt) in (any::<bool>(), any::<u16>(), option::of(any::<i64>())),
    ) -> Entry {
        let unit = parents.get(unit_is_parent).cloned().unwrap_or(unit);
        Entry {
            key, accepted, mark, state, wanted, parents, unit, expires, status, place,
            remote_id: remote_id.map(String::into_boxed_str), write_back_due, attempts, next_attempt,
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Result<Entry, Key>>> {
    vec(prop_oneof![4 => entries().prop_map(Ok), 1 => keys().prop_map(Err)], 0..20)
}

fn written(steps: &[Result<Entry, Key>]) -> Body {
    let mut encoder = Encoder::with_capacity(steps.len());
    for step in steps {
        match step {
            Ok(entry) => encoder.put(entry),
            Err(key) => encoder.forget(key),
        }
    }
    encoder.finish()
}

fn read(blob: &[u8]) -> Result<Vec<Result<Entry, Key>>, Damaged> {
    let mut steps = Vec::new();
    decode(blob, |step| {
        steps.push(match step {
            Replay::Put(entry) => Ok(entry),
            Replay::Drop(key) => Err(key),
        });
    })?;
    Ok(steps)
}

/// Gives any bytes a right checksum, so that the parts behind it are reached.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let checksum = xxhash_rust::xxh3::xxh3_64(&content);
    content.extend_from_slice(&checksum.to_le_bytes());
    content
}

/// A slot as it is marked: never sent before, its unit is its first parent.
fn slot(number: u128) -> Entry {
    Entry {
        mark: Some(Mark::Version(Fingerprint(number << 64 | 1))),
        state: State::Accepted,
        parents: [Some(Key::Guid(1 << 100)), Some(Key::Guid(number << 90))],
        unit: Some(Key::Guid(1 << 100)),
        expires: Some(1_790_000_000),
        status: Some(0),
        place: Some(u64::MAX),
        ..Entry::new(Key::Guid(number << 80))
    }
}

proptest! {
    #[test]
    fn any_steps_are_read_as_they_were_written(steps in steps()) {
        let body = written(&steps);
        prop_assert_eq!(body.entries as usize, steps.len());
        prop_assert_eq!(read(&body.bytes), Ok(steps));
    }

    #[test]
    fn any_bytes_are_read_or_refused(content in vec(any::<u8>(), 0..300)) {
        let _ = read(&content);
        let _ = read(&sealed(content));
    }

    #[test]
    fn changed_bytes_behind_a_right_checksum_are_read_or_refused(
        steps in steps(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut content = written(&steps).bytes;
        content.truncate(content.len() - CHECKSUM);
        for (at, byte) in changes {
            let at = at.index(content.len());
            content[at] = byte;
        }
        content.truncate(cut.index(content.len()) + 1);
        let _ = read(&sealed(content));
    }

    #[test]
    fn one_flipped_bit_is_noticed(steps in steps(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut blob = written(&steps).bytes;
        let at = at.index(blob.len());
        blob[at] ^= 1 << bit;
        prop_assert_eq!(read(&blob), Err(Damaged::Checksum));
    }
}

#[test]
fn a_marked_slot_is_small() {
    let alone = written(&[Ok(slot(1))]).bytes.len() - HEAD - CHECKSUM;
    assert!(alone <= 90, "{alone} bytes");
    let many: Vec<_> = (0..1000).map(|number| Ok(slot(number))).collect();
    let each = (written(&many).bytes.len() - HEAD - CHECKSUM) / many.len();
    assert!(each <= 70, "{each} bytes with a shared unit");
}

/// The form stands in files of running hospitals: when this test breaks, raise `VERSION` and keep reading the old one.
#[test]
fn the_form_does_not_change_unnoticed() {
    let full = Entry {
        accepted: Some(Fingerprint(2)),
        wanted: Some(Fingerprint(3)),
        remote_id: Some("r".into()),
        write_back_due: true,
        attempts: 5,
        next_attempt: Some(-1),
        ..slot(7)
    };
    let body = written(&[Ok(full), Ok(slot(7)), Err(Key::Text("t".into()))]);
    assert_eq!(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&body.bytes)), "295b55942607fa62");
}

#[test]
fn a_count_that_exceeds_the_content_is_refused() {
    let mut content = vec![VERSION];
    content.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&sealed(content)), Err(Damaged::Short));
}

#[test]
fn a_blob_of_a_newer_form_is_refused_by_its_version() {
    let mut content = vec![VERSION + 1];
    content.extend_from_slice(&0u32.to_le_bytes());
    assert_eq!(read(&sealed(content)), Err(Damaged::Version(VERSION + 1)));
}
