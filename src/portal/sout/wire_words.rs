//! What a recording makes of the wire of SOUT: forms of XML, their errors, and the catalogue of programmes.

use crate::portal::WireWords;

pub(super) static WORDS: WireWords = WireWords {
    shown: &[
        "needsend",
        "pageno",
        "pagesize",
        "sendeducatedperson",
        "statuscode",
        "datecreatedfrom",
        "datecreatedbefore",
        "testdatefrom",
        "testdatebefore",
        "isactive",
        "internalexamination",
        "id",
    ],
    incidental: &["setid", "no", "baseno", "datetime", "requestid", "date", "datecreated", "basedatecreated"],
    messages: &["message"],
    secrets: &["apikey"],
    files: &["Request.xml", "request.xml", "data.olot", "Data.xml", "Data.xml.sig"],
    pending: &[],
    questions: &["/GetEducatedPersonXML"],
    moving_days: &["datecreatedfrom", "datecreatedbefore"],
};
