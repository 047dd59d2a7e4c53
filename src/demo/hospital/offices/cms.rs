//! Detached CMS signatures (RFC 5652) by a key and a certificate that exist for one file only. They are real: `openssl cms -verify -binary
//! -noverify` approves of them.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;

/// Object identifiers, as DER writes them.
mod oid {
    /// 1.2.840.113549.1.7.1 and .2: data, signed data.
    pub(super) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
    /// 1.2.840.113549.1.9.3 and .4: attributes with the kind of the content and its digest.
    pub(super) const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
    pub(super) const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
    pub(super) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    /// 2.16.840.1.101.3.4.2.1
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    /// 1.2.840.10045.4.3.2
    pub(super) const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    /// 1.2.840.10045.2.1 and .3.1.7: a key on an elliptic curve, P-256.
    pub(super) const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    /// 2.5.4.3
    pub(super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
}

/// A detached signature of these bytes, with its signer's certificate.
pub(crate) fn signature(content: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let sign = |bytes: &[u8]| key.sign(&SystemRandom::new(), bytes).map(|signature| signature.as_ref().to_vec());
    let (digest, algorithm) = (sequence(&[&element(OID, oid::SHA256)]), sequence(&[&element(OID, oid::ECDSA_SHA256)]));
    let (name, serial, one) = (name(), element(INTEGER, &[17]), element(INTEGER, &[1]));
    let to_be_signed = certificate_content(&name, &serial, &algorithm, key.public_key().as_ref());
    let certificate = sequence(&[&to_be_signed, &algorithm, &bits(&sign(&to_be_signed)?)]);
    let attributes = attributes(content);
    let signer = sequence(&[
        &one,
        &sequence(&[&name, &serial]),
        &digest,
        &element(CONTEXT_0, &attributes),
        &algorithm,
        // What is signed is the set of attributes under its own tag.
        &element(OCTETS, &sign(&element(SET, &attributes))?),
    ]);
    let signed = sequence(&[
        &one,
        &element(SET, &digest),
        &sequence(&[&element(OID, oid::DATA)]),
        &element(CONTEXT_0, &certificate),
        &element(SET, &signer),
    ]);
    Ok(sequence(&[&element(OID, oid::SIGNED_DATA), &element(CONTEXT_0, &signed)]))
}

/// What the signer states of the content, in the order that DER wants.
fn attributes(content: &[u8]) -> Vec<u8> {
    let attribute = |kind: &[u8], value: &[u8]| sequence(&[&element(OID, kind), &element(SET, value)]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    [
        attribute(oid::CONTENT_TYPE, &element(OID, oid::DATA)),
        attribute(oid::MESSAGE_DIGEST, &element(OCTETS, digest.as_ref())),
    ]
    .concat()
}

/// What a certificate that signs itself says, for the years 2020 to 2049.
fn certificate_content(name: &[u8], serial: &[u8], algorithm: &[u8], public: &[u8]) -> Vec<u8> {
    let version = element(CONTEXT_0, &element(INTEGER, &[2]));
    let validity = sequence(&[&element(UTC_TIME, b"200101000000Z"), &element(UTC_TIME, b"491231235959Z")]);
    let curve = sequence(&[&element(OID, oid::EC_KEY), &element(OID, oid::P256)]);
    let key = sequence(&[&curve, &bits(public)]);
    sequence(&[&version, serial, algorithm, name, &validity, name, &key])
}

fn name() -> Vec<u8> {
    let common = sequence(&[&element(OID, oid::COMMON_NAME), &element(UTF8, "Демонстрация".as_bytes())]);
    sequence(&[&element(SET, &common)])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// Whole bytes as a string of bits.
fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes].concat())
}

/// Tag, length in the shortest form, content of less than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let head: &[u8] = match content.len() {
        0..128 => &[tag, low],
        128..256 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_the_shortest_form() {
        for (length, head) in [(5, vec![4, 5]), (200, vec![4, 0x81, 200]), (300, vec![4, 0x82, 1, 44])] {
            let made = element(OCTETS, &vec![7; length]);
            assert_eq!(made[..head.len()], head);
            assert_eq!(made.len(), head.len() + length);
        }
    }

    #[test]
    fn a_signature_does_not_hold_what_it_signs() {
        let content = [b'x'; 5_000];
        let signature = signature(&content).unwrap();
        assert!(signature.len() < 1_000, "{}", signature.len());
        assert_ne!(signature, super::signature(&content).unwrap(), "each file has a key of its own");
    }
}
