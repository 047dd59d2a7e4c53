//! The files of personnel documents: a PDF/A-1b that a PDF reader opens, and its detached signature.
//!
//! A page without a word needs no embedded font and no colour, so that everything PDF/A-1 asks for stands in the lines below.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::cms::signature;
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
}
