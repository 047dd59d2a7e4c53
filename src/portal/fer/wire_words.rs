//! What a recording makes of the wire of FER: logins and the envelope of appendix 2.

use crate::portal::WireWords;

pub(super) static WORDS: WireWords = WireWords {
    shown: &[
        "issuccess",
        "statuscode",
        "errorcode",
        "sendedguids",
        "sendedguidstocontactcenter",
        "oid",
        "departoid",
        "startdate",
        "enddate",
    ],
    incidental: &["validto"],
    messages: &["errormessage", "message"],
    secrets: &["username", "password", "value"],
    files: &[],
    pending: &[],
    questions: &[],
    moving_days: &[],
};
