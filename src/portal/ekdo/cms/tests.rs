//! Signatures built by hand, so that each part can be left out.

use base64::engine::general_purpose::STANDARD;

use super::*;

/// What is wrong with a file.
fn check(bytes: &[u8]) -> Result<(), &'static str> {
    read(bytes).map(|_| ()).map_err(|fault| fault.text)
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match length {
        0..128 => vec![length as u8],
        128..256 => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [vec![tag], length, content.to_vec()].concat()
}

fn endless(tag: u8, content: &[u8]) -> Vec<u8> {
    [vec![tag, 0x80], content.to_vec(), vec![0, 0]].concat()
}

fn certificate(serial: u8) -> Vec<u8> {
    let version = tlv(CONTEXT_0, &tlv(INTEGER, &[2]));
    let inside = [version, tlv(INTEGER, &[serial]), tlv(SEQUENCE, &[]), tlv(SEQUENCE, &[7; 300])].concat();
    tlv(SEQUENCE, &[tlv(SEQUENCE, &inside), tlv(SEQUENCE, &[]), tlv(0x03, &[0])].concat())
}

fn signer(serial: u8) -> Vec<u8> {
    let name = tlv(SEQUENCE, &[tlv(SEQUENCE, &[]), tlv(INTEGER, &[serial])].concat());
    tlv(SEQUENCE, &[tlv(INTEGER, &[1]), name, tlv(SEQUENCE, &[]), tlv(SEQUENCE, &[]), tlv(0x04, &[9; 64])].concat())
}

fn key_id_signer() -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(INTEGER, &[3]), tlv(0x80, &[1; 20])].concat())
}

fn signed(content: &[u8], certificates: Option<&[Vec<u8>]>, signers: &[Vec<u8>]) -> Vec<u8> {
    let data = tlv(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]);
    let certificates = certificates.map(|all| tlv(CONTEXT_0, &all.concat())).unwrap_or_default();
    let parts = [
        tlv(INTEGER, &[1]),
        tlv(SET, &[]),
        tlv(SEQUENCE, &[data, content.to_vec()].concat()),
        certificates,
        tlv(SET, &signers.concat()),
    ];
    let wrapped = tlv(CONTEXT_0, &tlv(SEQUENCE, &parts.concat()));
    tlv(SEQUENCE, &[tlv(OID, SIGNED_DATA), wrapped].concat())
}

fn sound() -> Vec<u8> {
    signed(&[], Some(&[certificate(4), certificate(5)]), &[signer(5)])
}

#[test]
fn a_detached_signature_with_its_signers_certificate_is_taken_in_every_wrapping() {
    let base64 = STANDARD.encode(sound());
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for bytes in [
        sound(),
        base64.clone().into_bytes(),
        format!("\u{feff}-----BEGIN CMS-----\r\n{}\r\n-----END CMS-----\r\n", lines.join("\r\n")).into_bytes(),
        format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----", lines.join("\n")).into_bytes(),
    ] {
        assert_eq!(check(&bytes), Ok(()));
        assert_eq!(der(&bytes).unwrap(), sound());
    }
    assert_eq!(check(&signed(&[], Some(&[certificate(4)]), &[key_id_signer()])), Ok(()));
}

/// A signer that states a digest of the document.
fn stating(serial: u8, algorithm: &[u8], attributes: &[u8]) -> Vec<u8> {
    let name = tlv(SEQUENCE, &[tlv(SEQUENCE, &[]), tlv(INTEGER, &[serial])].concat());
    let algorithm = tlv(SEQUENCE, &tlv(OID, algorithm));
    let parts =
        [tlv(INTEGER, &[1]), name, algorithm, tlv(CONTEXT_0, attributes), tlv(SEQUENCE, &[]), tlv(OCTETS, &[9; 64])];
    tlv(SEQUENCE, &parts.concat())
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(OID, oid), tlv(SET, &tlv(OCTETS, value))].concat())
}

#[test]
fn each_signers_digest_of_the_document_is_found() {
    const STREEBOG: &[u8] = &[0x2a, 0x85, 0x03, 0x07, 0x01, 0x01, 0x02, 0x02];
    const SHA_1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
    let attributes = [attribute(&[1, 2, 3], &[1]), attribute(MESSAGE_DIGEST, &[7; 32])].concat();
    let known = stating(5, STREEBOG, &attributes);
    let all = |signers: &[Vec<u8>]| read(&signed(&[], Some(&[certificate(5)]), signers)).unwrap();
    let digest = Digest { algorithm: Algorithm::Streebog256, value: [7; 32].into() };
    assert_eq!(all(std::slice::from_ref(&known)), Signature { digests: vec![digest.clone()], uncompared: false });
    for other in [signer(5), stating(5, SHA_1, &attributes)] {
        assert_eq!(all(&[known.clone(), other]), Signature { digests: vec![digest.clone()], uncompared: true });
    }
    let silent = signed(&[], Some(&[certificate(5)]), &[stating(5, STREEBOG, &attribute(&[1, 2, 3], &[1]))]);
    assert!(check(&silent).unwrap_err().contains("without the digest"));
}

#[test]
fn lengths_may_be_indefinite() {
    let Some((outer, _)) = element(&sound(), 0).map(|(outer, rest)| (outer.content.to_vec(), rest.len())) else {
        panic!()
    };
    assert_eq!(check(&endless(SEQUENCE, &outer)), Ok(()));
    let nested = (0..DEEPEST + 2).fold(tlv(INTEGER, &[1]), |inside, _| endless(SEQUENCE, &inside));
    assert!(check(&nested).is_err(), "and are followed to a depth");
}

#[test]
fn what_is_wrong_is_named() {
    let attached = tlv(CONTEXT_0, &tlv(0x04, b"content"));
    for (bytes, says) in [
        (signed(&attached, Some(&[certificate(5)]), &[signer(5)]), "attached"),
        (signed(&[], None, &[signer(5)]), "no certificate"),
        (signed(&[], Some(&[]), &[signer(5)]), "no certificate"),
        (signed(&[], Some(&[certificate(4)]), &[signer(5)]), "not the signer's"),
        (signed(&[], Some(&[certificate(4)]), &[signer(4), signer(5)]), "not the signer's"),
        (signed(&[], Some(&[certificate(4)]), &[]), "without a signer"),
        (tlv(SEQUENCE, &tlv(OID, &[1, 2])), "no whole CMS"),
        ([sound(), vec![0]].concat(), "no whole CMS"),
        (b"%PDF-1.4 not a signature".to_vec(), "neither DER"),
        (Vec::new(), "is empty"),
    ] {
        let text = check(&bytes).unwrap_err();
        assert!(text.contains(says), "{text} instead of {says}");
    }
}

#[test]
fn a_signature_that_is_cut_anywhere_is_not_taken() {
    let whole = sound();
    for length in 0..whole.len() {
        assert!(check(&whole[..length]).is_err(), "{length}");
    }
}
