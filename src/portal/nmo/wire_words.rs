//! What a recording makes of the wire of NMO: OAuth, and the answers of its services.

use crate::portal::WireWords;

pub(super) static WORDS: WireWords = WireWords {
    shown: &["granttype", "tokentype", "scope", "error", "success", "reason", "included"],
    incidental: &["expiresin", "url"],
    messages: &["errordescription", "statusreason", "details", "message"],
    secrets: &["username", "password", "accesstoken", "refreshtoken", "clientid", "clientsecret"],
    files: &[],
    pending: &["in_progress"],
    questions: &["/iom/status", "/results/plan-status", "/module/id-by-pin"],
    moving_days: &[],
};
