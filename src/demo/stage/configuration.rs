//! The configuration of a demo: an ordinary one with all five portals, only quicker than a hospital needs.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::learners::{HANDOVER_SECRET, PORTAL_ID, PORTAL_SECRET, TEMPLATE};
use crate::demo::feed::Feed;
use crate::demo::fer::Subsystem;
use crate::demo::hospital::{Hospital, signature, write_papers};
use crate::demo::mocks::Account;

/// What the demo keeps beside its database.
pub(super) struct Folder<'a>(pub(super) &'a Path);

impl Folder<'_> {
    /// Where the files of personnel documents lie.
    pub(super) fn papers(&self) -> PathBuf {
        self.0.join("papers")
    }

    fn signer(&self) -> PathBuf {
        self.0.join("sign.sh")
    }

    /// Writes the documents, and the program that signs sets of training records: it leaves a signature that was made beforehand.
    pub(super) fn fill(&self) -> Result<()> {
        let papers = self.papers();
        std::fs::create_dir(&papers).context("cannot make the folder of documents")?;
        write_papers(&papers)?;
        let stamp = signature(b"a set of the demo").map_err(|_| anyhow::anyhow!("no signature can be made"))?;
        std::fs::write(self.0.join("set.sig"), stamp).context("cannot write a signature")?;
        // Ctrl-C reaches every program of a terminal; a set that is being signed is finished all the same.
        let script = "#!/bin/sh\ntrap '' INT\nexec cp \"${0%/*}/set.sig\" \"$1.sig\"\n";
        std::fs::write(self.signer(), script).context("cannot write the program that signs")
    }

    /// The whole configuration, with bookings and the platform's services answered at these addresses.
    pub(super) fn configuration(
        &self,
        hospital: &Hospital,
        accounts: &[Account],
        booking: SocketAddr,
        platform: SocketAddr,
    ) -> String {
        let mut text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\n[ledger]\nurl = \"sqlite:{}\"\n\n\
             [daemon]\nworkers = 8\n\n[serve]\nplatform_listen = \"{platform}\"\n\n\
             [booking]\nlisten = \"{booking}\"\npublic_url = \"http://{booking}\"\nallow = \"127.0.0.1\"\n\
             book = \"builtin\"\ncancel = \"builtin\"\n",
            hospital.source_url(),
            self.0.join("ledger.db").display(),
        );
        for account in accounts {
            let Account { kind, url, credentials, .. } = account;
            let _infallible = write!(text, "\n[portals.{kind}]\nkind = \"{kind}\"\nurl = \"{url}\"\n");
            for (key, value) in credentials {
                let _infallible = writeln!(text, "{key} = \"{value}\"");
            }
            text.push_str(&self.more(kind));
        }
        Feed::all().for_each(|feed| text.push_str(&section(feed)));
        text
    }

    /// What a kind of portal has beside its account.
    fn more(&self, kind: &str) -> String {
        match kind {
            "sout" => format!(
                "sign_command = [\"/bin/sh\", \"{}\"]\ninquire_every = \"1s\"\nrequests_per_second = 20\n",
                self.signer().display()
            ),
            "nmo" => format!(
                "inquire_every = \"1s\"\nrequests_per_second = 50\n[portals.nmo.platform]\nportal_id = \"{PORTAL_ID}\"\n\
                 portal_secret = \"{PORTAL_SECRET}\"\nhandover_secret = \"{HANDOVER_SECRET}\"\n\
                 redirect_template = \"{TEMPLATE}\"\n"
            ),
            "pos" => "requests_per_second = 50\n".to_owned(),
            "ekdo" => format!(
                "files_root = \"{}\"\ngroups = {{ \"Приказ о приеме\" = \"Приказы по личному составу\", \
                 \"Трудовой договор\" = \"Трудовые договоры\" }}\n",
                self.papers().display()
            ),
            _ => String::new(),
        }
    }
}

/// A feed's section: when it runs, and what of a receipt goes back into the hospital.
fn section(feed: Feed) -> String {
    let every = if feed == Feed::Fer(Subsystem::Slot) { "3s" } else { "5s" };
    let mut text = format!("\n[portals.{}.feeds.{}]\nevery = \"{every}\"\n", feed.portal(), feed.name());
    if let Some(statement) = write_back(feed) {
        let _infallible = writeln!(text, "write_back = \"{statement}\"");
    }
    text
}

/// Keys of the offices are a letter, a hyphen and the row's own number; a course has a code.
fn write_back(feed: Feed) -> Option<&'static str> {
    match feed {
        Feed::Fer(_) | Feed::Result => None,
        Feed::Training => Some("UPDATE tests SET register_no = :base_no, set_no = :set_id WHERE id = substr(:key, 3)"),
        Feed::Module => Some("UPDATE courses SET nmo_url = :url, nmo_state = :status WHERE code = :key"),
        Feed::Poll => Some("UPDATE surveys SET pos_id = :remote_id WHERE id = substr(:key, 3)"),
        Feed::Voting => Some("UPDATE votings SET pos_id = :remote_id WHERE id = substr(:key, 3)"),
        Feed::VotingObject => Some("UPDATE candidates SET pos_id = :remote_id WHERE id = substr(:key, 3)"),
        Feed::Document => Some("UPDATE documents SET ekdo_id = :remote_id WHERE id = substr(:key, 3)"),
    }
}
