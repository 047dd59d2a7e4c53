//! Whether a file is what the portal calls PDF/A-1, as far as can be told without reading all of PDF: it begins and ends as a PDF, and its
//! XMP metadata says `pdfaid:part` = 1.
//!
//! PDF/A-1 forbids filters on metadata streams (ISO 19005-1, 6.7.2), so the marker stands in the file as plain text; metadata that must be
//! inflated first is another part's, or nobody's. Whether the claim is true only a validator can say.

/// How far before the end the end mark may stand.
const TAIL: usize = 1024;
const MARKER: &[u8] = b"pdfaid:part";
/// Most bytes between the marker and its value's end.
const VALUE_LEN: usize = 64;

/// Why a file is not taken: what follows "the file".
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    if !bytes.starts_with(b"%PDF-1.") {
        return Err("is no PDF: it does not begin with %PDF-1.".into());
    }
    let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or(bytes);
    if !holds(tail, b"%%EOF") {
        return Err("is an unfinished PDF: its end is missing".into());
    }
    match part(bytes) {
        Some("1") => Ok(()),
        Some(other) => Err(format!("is PDF/A-{other}; the portal takes PDF/A-1")),
        None => Err("has no PDF/A marker (pdfaid:part in uncompressed XMP metadata); export it as PDF/A-1".into()),
    }
}

/// The part of PDF/A that the last marker names: what is appended to a PDF replaces what stands before.
fn part(bytes: &[u8]) -> Option<&'static str> {
    let mut found = None;
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| position(rest, MARKER)) {
        at += next + MARKER.len();
        let value = bytes.get(at..(at + VALUE_LEN).min(bytes.len())).and_then(value_of);
        found = value.or(found);
    }
    found
}

/// `="1"`, `='1'` or `>1<`.
fn value_of(rest: &[u8]) -> Option<&'static str> {
    // The marker's surroundings are text up to where the cut may have split a letter.
    let text = match std::str::from_utf8(rest) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(rest.get(..error.valid_up_to())?).ok()?,
    };
    let text = text.trim_start();
    let value = match text.strip_prefix('=').map(str::trim_start) {
        Some(quoted) => {
            let quote = quoted.chars().next().filter(|sign| matches!(sign, '"' | '\''))?;
            quoted.get(1..)?.split(quote).next()?
        }
        None => text.strip_prefix('>')?.split_once('<')?.0,
    };
    ["1", "2", "3", "4"].into_iter().find(|part| *part == value.trim())
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    position(bytes, wanted).is_some()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    loop {
        from += bytes.get(from..)?.iter().position(|byte| byte == first)?;
        if bytes.get(from..)?.starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
}

/// True for bytes that may be the beginning of a PDF: whoever writes it has not come to its end.
pub(super) fn is_unfinished(bytes: &[u8]) -> bool {
    const HEAD: &[u8] = b"%PDF-1.";
    let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or(bytes);
    HEAD.starts_with(bytes) || (bytes.starts_with(HEAD) && !holds(tail, b"%%EOF"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pdf(metadata: &str) -> Vec<u8> {
        format!(
            "%PDF-1.4\n%\u{e4}\n1 0 obj<</Type/Metadata>>stream\n{metadata}\nendstream\ntrailer\nstartxref\n0\n%%EOF\n"
        )
        .into_bytes()
    }

    #[test]
    fn the_marker_is_an_element_or_an_attribute() {
        for metadata in [
            "<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>",
            "<pdfaid:part> 1 </pdfaid:part>",
            "<rdf:Description pdfaid:part=\"1\" pdfaid:conformance=\"A\"/>",
            "<rdf:Description pdfaid:part = '1'/>",
        ] {
            assert_eq!(check(&pdf(metadata)), Ok(()), "{metadata}");
        }
    }

    #[test]
    fn what_is_appended_replaces_what_stands_before() {
        let appended = [pdf("<pdfaid:part>2</pdfaid:part>"), pdf("<pdfaid:part>1</pdfaid:part>")].concat();
        assert_eq!(check(&appended), Ok(()));
        let appended = [pdf("<pdfaid:part>1</pdfaid:part>"), pdf("<pdfaid:part>3</pdfaid:part>")].concat();
        assert_eq!(check(&appended), Err("is PDF/A-3; the portal takes PDF/A-1".into()));
    }

    #[test]
    fn every_beginning_is_unfinished_and_a_whole_or_foreign_file_is_not() {
        let whole = pdf("<pdfaid:part>1</pdfaid:part>");
        let end = whole.len() - b"F\n".len();
        assert!((0..end).all(|length| is_unfinished(&whole[..length])));
        assert!(!is_unfinished(&whole) && !is_unfinished(b"PK\x03\x04"));
    }

    #[test]
    fn everything_else_is_named_by_what_is_wrong_with_it() {
        let mut unfinished = pdf("<pdfaid:part>1</pdfaid:part>");
        unfinished.truncate(unfinished.len() - 8);
        let late = [b" ".as_slice(), &pdf("<pdfaid:part>1</pdfaid:part>")].concat();
        for (bytes, says) in [
            (Vec::new(), "is empty"),
            (b"PK\x03\x04".to_vec(), "is no PDF"),
            (late, "is no PDF"),
            (unfinished, "unfinished"),
            (pdf(""), "no PDF/A marker"),
            (pdf("<pdfaid:part>x</pdfaid:part>"), "no PDF/A marker"),
            (pdf("pdfaid:part"), "no PDF/A marker"),
            (pdf("<pdfaid:part=\"2\"/>"), "is PDF/A-2"),
        ] {
            let text = check(&bytes).unwrap_err();
            assert!(text.contains(says), "{text}");
        }
    }
}
