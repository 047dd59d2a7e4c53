//! Made-up personnel documents: PDFs that say they are PDF/A-1, and detached signatures with their signer's certificate.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A PDF of at least so many bytes.
pub fn pdf(bytes: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.4\n1 0 obj<</Type/Metadata/Subtype/XML>>stream\n<x:xmpmeta><pdfaid:part>1</pdfaid:part>\
                    <pdfaid:conformance>B</pdfaid:conformance></x:xmpmeta>\nendstream endobj\n%"
        .to_vec();
    let end = b"\ntrailer<<>>\nstartxref\n0\n%%EOF\n";
    pdf.resize(pdf.len().max(bytes.saturating_sub(end.len())), b'.');
    pdf.extend_from_slice(end);
    pdf
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, content.to_vec()].concat()
}

/// A detached signature without signed attributes: it says nothing of the document.
pub fn signature() -> Vec<u8> {
    signature_with(&element(0x30, &[]), &[])
}

/// SHA-256, as an object identifier.
pub const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// A detached signature that states a digest of its document.
pub fn signature_stating(algorithm: &[u8], digest: &[u8]) -> Vec<u8> {
    let kind = element(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04]);
    let attribute = element(0x30, &[kind, element(0x31, &element(0x04, digest))].concat());
    signature_with(&element(0x30, &element(0x06, algorithm)), &element(0xa0, &attribute))
}

/// A detached signature of a document.
pub fn signature_of(document: &[u8]) -> Vec<u8> {
    signature_stating(SHA_256, aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document).as_ref())
}

fn signature_with(algorithm: &[u8], attributes: &[u8]) -> Vec<u8> {
    let serial = element(0x02, &[17]);
    let inside = [element(0xa0, &element(0x02, &[2])), serial.clone(), element(0x30, &[]), element(0x30, &[])].concat();
    let certificate = element(0x30, &[element(0x30, &inside), element(0x30, &[]), element(0x03, &[0; 200])].concat());
    let name = element(0x30, &[element(0x30, &[]), serial].concat());
    let signer = [
        element(0x02, &[1]),
        name,
        algorithm.to_vec(),
        attributes.to_vec(),
        element(0x30, &[]),
        element(0x04, &[5; 64]),
    ];
    let signer = element(0x30, &signer.concat());
    let data = element(0x30, &element(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]));
    let parts = [element(0x02, &[1]), element(0x31, &[]), data, element(0xa0, &certificate), element(0x31, &signer)];
    let signed = element(0xa0, &element(0x30, &parts.concat()));
    let kind = element(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02]);
    element(0x30, &[kind, signed].concat())
}

/// Writes a file as one that was finished a while ago.
pub fn write(path: &Path, bytes: &[u8], age: Duration) {
    std::fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}
