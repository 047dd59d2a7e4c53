//! Whether a file is a detached CMS signature (RFC 5652) that carries its signer's certificate. The portal does not look, so we do.
//!
//! Only the frame is walked: content type, absence of content, certificates, signers, and the digest of the document that each signer
//! states. The signature itself is not verified: that takes keys and chains that this program has no business to judge. Lengths may be
//! indefinite, as some signing programs write them.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::digest::{Algorithm, Digest};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.4: the attribute that holds the document's digest.
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// Deepest nesting of indefinite lengths that is followed.
const DEEPEST: usize = 32;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;
const CONSTRUCTED: u8 = 0x20;
const INDEFINITE: u8 = 0x80;

/// One element: its tag and what is in it.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// The elements of some bytes, one after another. Ends early, and says so, where the bytes are damaged.
struct Elements<'a> {
    rest: &'a [u8],
    damaged: bool,
}

/// What the signers of a signature state of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signature {
    /// Digests of the document, one of each signer that states one.
    pub digests: Vec<Digest>,
    /// True when a signer states none, or one that cannot be made here.
    pub uncompared: bool,
}

/// Why a file is not taken: what follows "the file".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub text: &'static str,
    /// True for bytes that may be the beginning of a signature.
    pub unfinished: bool,
}

/// What a file holds, if it is a detached signature.
pub(super) fn read(bytes: &[u8]) -> Result<Signature, Fault> {
    let unfinished = |text| Fault { text, unfinished: true };
    if bytes.is_empty() {
        return Err(unfinished("is empty"));
    }
    let der = der(bytes).ok_or(unfinished("is neither DER nor PEM nor base64"))?;
    match frame(&der) {
        Some(Ok(signature)) => Ok(signature),
        Some(Err(text)) => Err(Fault { text, unfinished: false }),
        None => Err(unfinished("is no whole CMS signature (SignedData)")),
    }
}

/// The signature as DER: a file may hold it as PEM or as bare base64.
pub(super) fn der(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    if bytes.first() == Some(&SEQUENCE) {
        return Some(Cow::Borrowed(bytes));
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim();
    let inside = match text.strip_prefix("-----BEGIN ") {
        Some(armoured) => armoured.split_once("-----")?.1.split_once("-----END ")?.0,
        None => text,
    };
    let plain: String = inside.chars().filter(|sign| !sign.is_ascii_whitespace()).collect();
    LENIENT.decode(plain).ok().map(Cow::Owned)
}

/// None: damaged, or something else.
fn frame(der: &[u8]) -> Option<Result<Signature, &'static str>> {
    let (outer, rest) = element(der, 0)?;
    if outer.tag != SEQUENCE || !rest.is_empty() {
        return None;
    }
    let [kind, wrapped] = exactly(outer)?;
    if kind.tag != OID || kind.content != SIGNED_DATA || wrapped.tag != CONTEXT_0 {
        return None;
    }
    let [signed] = exactly(wrapped)?;
    let parts = signed.all()?;
    let [version, digests, content, rest @ ..] = parts.as_slice() else { return None };
    if (version.tag, digests.tag, content.tag) != (INTEGER, SET, SEQUENCE) {
        return None;
    }
    if content.all()?.len() > 1 {
        return Some(Err("is an attached signature: it holds the signed content; make a detached one"));
    }
    let certificates = rest.iter().find(|part| part.tag == CONTEXT_0);
    let signers = rest.iter().find(|part| part.tag == SET)?;
    if rest.iter().any(|part| !matches!(part.tag, CONTEXT_0 | CONTEXT_1 | SET)) {
        return None;
    }
    let signers = signers.all()?;
    Some(signed_by(certificates, &signers).and_then(|()| statements(&signers)))
}

/// What the signers state of the document.
fn statements(signers: &[Element<'_>]) -> Result<Signature, &'static str> {
    let mut signature = Signature::default();
    for signer in signers {
        match statement(signer)? {
            Some(digest) => signature.digests.push(digest),
            None => signature.uncompared = true,
        }
    }
    Ok(signature)
}

/// The digest that a signer states; none without signed attributes, or by an algorithm that is not known.
fn statement(signer: &Element<'_>) -> Result<Option<Digest>, &'static str> {
    let parts = signer.all().unwrap_or_default();
    let [_version, _name, algorithm, attributes, ..] = parts.as_slice() else { return Ok(None) };
    if attributes.tag != CONTEXT_0 {
        return Ok(None);
    }
    let algorithm = algorithm.all().unwrap_or_default().first().and_then(|oid| Algorithm::of(oid.content));
    let stated = attributes.all().unwrap_or_default().iter().find_map(message_digest);
    let value = stated.ok_or("has signed attributes without the digest of the document; sign the document anew")?;
    Ok(algorithm.map(|algorithm| Digest { algorithm, value: value.into() }))
}

fn message_digest<'a>(attribute: &Element<'a>) -> Option<&'a [u8]> {
    let [kind, values] = exactly(*attribute)?;
    let [value] = exactly(values).filter(|_| kind.content == MESSAGE_DIGEST)?;
    (value.tag == OCTETS).then_some(value.content)
}

/// Every signer's certificate must be there.
fn signed_by(certificates: Option<&Element<'_>>, signers: &[Element<'_>]) -> Result<(), &'static str> {
    let certificates = certificates.and_then(Element::all).unwrap_or_default();
    let serials: Vec<&[u8]> = certificates.iter().filter_map(serial_of_certificate).collect();
    if signers.is_empty() {
        return Err("is a CMS without a signer");
    }
    if serials.is_empty() {
        return Err("holds no certificate; have the signing program add the signer's");
    }
    let known = |signer: &Element<'_>| match serial_of_signer(signer) {
        Signer::Serial(serial) => serials.contains(&serial),
        Signer::KeyId => true,
        Signer::Unclear => false,
    };
    match signers.iter().all(known) {
        true => Ok(()),
        false => Err("holds certificates, but not the signer's; have the signing program add it"),
    }
}

/// How a signer names its certificate.
enum Signer<'a> {
    Serial(&'a [u8]),
    KeyId,
    Unclear,
}

fn serial_of_signer<'a>(signer: &Element<'a>) -> Signer<'a> {
    let parts = signer.all().unwrap_or_default();
    let [version, name, ..] = parts.as_slice() else { return Signer::Unclear };
    match (version.tag, name.tag) {
        (INTEGER, SEQUENCE) => match name.all().as_deref() {
            Some([_issuer, serial]) if serial.tag == INTEGER => Signer::Serial(serial.content),
            _ => Signer::Unclear,
        },
        (INTEGER, tag) if tag & !CONSTRUCTED == 0x80 => Signer::KeyId,
        _ => Signer::Unclear,
    }
}

fn serial_of_certificate<'a>(certificate: &Element<'a>) -> Option<&'a [u8]> {
    if certificate.tag != SEQUENCE {
        return None;
    }
    let whole = certificate.all()?;
    let inside = whole.first().filter(|part| part.tag == SEQUENCE)?.all()?;
    let serial = inside.iter().find(|part| part.tag != CONTEXT_0)?;
    (serial.tag == INTEGER).then_some(serial.content)
}

fn exactly<'a, const N: usize>(element: Element<'a>) -> Option<[Element<'a>; N]> {
    element.all()?.try_into().ok()
}

impl<'a> Element<'a> {
    /// What it consists of; none where it is damaged.
    fn all(&self) -> Option<Vec<Element<'a>>> {
        let mut elements = Elements { rest: self.content, damaged: false };
        let all: Vec<_> = elements.by_ref().collect();
        (!elements.damaged).then_some(all)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        match element(self.rest, 0) {
            Some((element, rest)) => {
                self.rest = rest;
                Some(element)
            }
            None => {
                self.damaged = true;
                None
            }
        }
    }
}

/// The first element of some bytes, and what is behind it.
fn element(bytes: &[u8], depth: usize) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    // Tags of several bytes occur nowhere in the frame.
    if tag & 0x1f == 0x1f || depth > DEEPEST {
        return None;
    }
    if length == INDEFINITE {
        return (tag & CONSTRUCTED != 0).then(|| indefinite(tag, rest, depth)).flatten();
    }
    let (length, rest) = match length {
        0..INDEFINITE => (usize::from(length), rest),
        _ => long(usize::from(length & 0x7f), rest)?,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, content }, rest))
}

fn long(bytes: usize, rest: &[u8]) -> Option<(usize, &[u8])> {
    if bytes > 4 {
        return None;
    }
    let (length, rest) = rest.split_at_checked(bytes)?;
    Some((length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest))
}

/// Up to the two zeros that end it.
fn indefinite(tag: u8, content: &[u8], depth: usize) -> Option<(Element<'_>, &[u8])> {
    let mut rest = content;
    loop {
        if let Some(behind) = rest.strip_prefix(&[0, 0]) {
            let content = content.get(..content.len() - rest.len())?;
            return Some((Element { tag, content }, behind));
        }
        rest = element(rest, depth + 1)?.1;
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
