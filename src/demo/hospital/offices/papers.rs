//! The files of personnel documents: PDF/A-1b, and detached CMS signatures (RFC 5652) by a key and a certificate that exist for one file
//! only. Both are real: a PDF reader opens the one, `openssl cms -verify -noverify` approves of the other.
//!
//! A page without a word needs no embedded font and no colour, so that everything PDF/A-1 asks for stands in the lines below.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::documents;

/// The files are those of yesterday: a file of this second counts as one that is being written.
const AGE: Duration = Duration::from_secs(24 * 3600);

/// Why the papers are not there.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// The system refused.
    #[error("the demo's document {path} cannot be written")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// No key could be made.
    #[error("the demo's document {path} cannot be signed")]
    Signature {
        /// The file.
        path: PathBuf,
    },
}

/// Writes the files that the table of documents names into a folder that is there.
pub fn write_papers(folder: &Path) -> Result<(), PaperError> {
    for (name, title) in documents::files() {
        let path = folder.join(format!("{name}.pdf"));
        let pdf = pdf(&title);
        let signature = signature(&pdf).map_err(|_| PaperError::Signature { path: path.clone() })?;
        write(&path, &pdf)?;
        write(&folder.join(format!("{name}.sig")), &signature)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PaperError> {
    let failed = |source| PaperError::File { path: path.to_owned(), source };
    std::fs::write(path, bytes).map_err(failed)?;
    let file = File::options().write(true).open(path).map_err(failed)?;
    file.set_modified(SystemTime::now() - AGE).map_err(failed)
}

/// A PDF/A-1b of one empty page with this title.
fn pdf(title: &str) -> Vec<u8> {
    let xmp = format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
         <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\
         <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt></dc:title></rdf:Description>\n\
         <rdf:Description rdf:about=\"\" xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\">\
         <pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>\n\
         </rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>"
    );
    let utf16: String = title.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << >> >>".to_owned(),
        format!("<< /Type /Metadata /Subtype /XML /Length {} >>\nstream\n{xmp}\nendstream", xmp.len()),
        format!("<< /Title <FEFF{utf16}> >>"),
    ];
    // The comment of four high bytes tells programs that the file is not plain text.
    let mut pdf = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", at + 1).as_bytes());
    }
    let start = pdf.len();
    let id = documents::digest(title.as_bytes());
    let trailer = format!("trailer\n<< /Size {} /Root 1 0 R /Info 5 0 R /ID [<{id}> <{id}>] >>", objects.len() + 1);
    pdf.extend_from_slice(format!("{table}{trailer}\nstartxref\n{start}\n%%EOF\n").as_bytes());
    pdf
}

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
pub fn signature(content: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let sign = |bytes: &[u8]| key.sign(&SystemRandom::new(), bytes).map(|signature| signature.as_ref().to_vec());
    let (digest, algorithm) = (sequence(&[&element(OID, oid::SHA256)]), sequence(&[&element(OID, oid::ECDSA_SHA256)]));
    let (name, serial, one) = (name(), element(INTEGER, &[17]), element(INTEGER, &[1]));
    let to_be_signed = certificate_content(&name, &serial, &algorithm, key.public_key().as_ref());
    let certificate = sequence(&[&to_be_signed, &algorithm, &bits(&sign(&to_be_signed)?)]);
    let signer = sequence(&[
        &one,
        &sequence(&[&name, &serial]),
        &digest,
        &algorithm,
        // Without signed attributes the content itself is what is signed.
        &element(OCTETS, &sign(content)?),
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
    fn the_table_of_a_pdf_points_at_its_objects() {
        let pdf = pdf("Приказ о приеме 12/к");
        let text = String::from_utf8_lossy(&pdf);
        let at = |digits: &str| digits.parse::<usize>().unwrap();
        let (_, end) = text.rsplit_once("startxref\n").unwrap();
        let table = std::str::from_utf8(&pdf[at(end.lines().next().unwrap())..]).unwrap();
        let entries: Vec<&str> = table.lines().skip(3).take(5).collect();
        for (number, entry) in entries.iter().enumerate() {
            let wanted = format!("{} 0 obj", number + 1);
            assert!(pdf[at(&entry[..10])..].starts_with(wanted.as_bytes()), "{entry}");
            assert_eq!(entry.len(), 19, "and each has twenty bytes with its line's end");
        }
        assert!(table.starts_with("xref\n0 6\n"));
    }

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
