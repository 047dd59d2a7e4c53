//! GUIDs: any hex form in, lower case with hyphens out. FER document, appendix 1: «нижний регистр, через дефис».

const HEX: &[u8; 16] = b"0123456789abcdef";
const BAD: u8 = 0xff;

/// Value of each ASCII hex digit, `BAD` for every other byte.
static NIBBLE: [u8; 256] = {
    let mut table = [BAD; 256];
    let mut i = 0;
    while i < 16 {
        table[HEX[i] as usize] = i as u8;
        table[HEX[i].to_ascii_uppercase() as usize] = i as u8;
        i += 1;
    }
    table
};

/// Where each of the sixteen bytes starts in the printed form.
const OFFSETS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The eight hex digits of four bytes, as the bytes of a number.
fn digits(bytes: u32) -> u64 {
    let mut nibbles = u64::from(bytes);
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in every byte whose nibble is above 9.
    let letters = ((nibbles + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    nibbles + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)
}

/// Appends a GUID as it is printed: 36 characters, lower case, hyphens. Put together in registers and stored in three pieces: every
/// record has several.
pub fn write(guid: u128, out: &mut Vec<u8>) {
    const HYPHEN: u128 = b'-' as u128;
    let part = |shift: u32| u128::from(digits((guid >> shift) as u32));
    let (first, second, third, fourth) = (part(96), part(64), part(32), part(0));
    let low = u128::from(u32::MAX);
    let start = first << 64 | HYPHEN << 56 | (second >> 32) << 24 | HYPHEN << 16 | (second & low) >> 16;
    let middle = (second & 0xffff) << 112
        | HYPHEN << 104
        | (third >> 32) << 72
        | HYPHEN << 64
        | (third & low) << 32
        | fourth >> 32;
    out.extend_from_slice(&start.to_be_bytes());
    out.extend_from_slice(&middle.to_be_bytes());
    out.extend_from_slice(&((fourth & low) as u32).to_be_bytes());
}

/// A GUID as it is printed.
pub fn format(guid: u128) -> String {
    let mut printed = Vec::with_capacity(36);
    write(guid, &mut printed);
    // Hex digits and hyphens are always text.
    String::from_utf8(printed).unwrap_or_default()
}

/// Reads a GUID of 36 characters with hyphens in their places, in either case.
fn parse_hyphenated(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
        return None;
    }
    let mut bytes = [0u8; 16];
    let mut bad = 0u8;
    for (byte, at) in bytes.iter_mut().zip(OFFSETS) {
        let (high, low) = (NIBBLE[text[at] as usize], NIBBLE[text[at + 1] as usize]);
        bad |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    (bad & 0xf0 == 0).then(|| u128::from_be_bytes(bytes))
}

/// Reads a GUID in its canonical form only: 36 characters, lower case.
pub fn parse_canonical(text: &[u8]) -> Option<u128> {
    let lower = !text.iter().any(u8::is_ascii_uppercase);
    lower.then(|| parse_hyphenated(text)).flatten()
}

/// Reads a GUID in any of the forms databases keep it in: with hyphens, bare 32 digits, in braces, padded with
/// spaces, in either case.
pub fn parse(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if let Some(guid) = parse_hyphenated(bytes) {
        return Some(guid);
    }
    let trimmed = bytes.trim_ascii();
    let bare = trimmed.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or(trimmed);
    if bare.len() == 32 {
        return bare.iter().try_fold(0u128, |value, byte| match NIBBLE[*byte as usize] {
            BAD => None,
            nibble => Some((value << 4) | u128::from(nibble)),
        });
    }
    parse_hyphenated(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";
    const VALUE: u128 = 0xab7c_bc4b_2e68_40d2_881b_6f95_7b04_4818;

    #[test]
    fn every_form_a_database_keeps_reads_as_the_same_guid() {
        let padded = format!("{TEXT}    ");
        for form in [TEXT, &TEXT.to_uppercase(), &TEXT.replace('-', ""), &format!("{{{TEXT}}}"), &padded] {
            assert_eq!(parse(form), Some(VALUE), "{form}");
        }
    }

    #[test]
    fn what_is_no_guid_is_refused() {
        for text in [
            "",
            "1",
            "ab7cbc4b-2e68-40d2-881b-6f957b04481",
            "ab7cbc4b-2e68-40d2-881b-6f957b04481g",
            "ab7cbc4b_2e68-40d2-881b-6f957b044818",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn printing_is_lower_case_with_hyphens() {
        assert_eq!(format(VALUE), TEXT);
        assert_eq!(format(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn canonical_refuses_upper_case() {
        assert_eq!(parse_canonical(TEXT.to_uppercase().as_bytes()), None);
        assert_eq!(parse_canonical(TEXT.as_bytes()), Some(VALUE));
    }
}
