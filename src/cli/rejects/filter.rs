//! Which rejected and held records a verb is about.

use clap::ValueEnum;

use crate::cli::{CliError, Selection};
use crate::config::Config;
use crate::ledger::{Refusal, State};

/// Narrows what is shown. Everything that is given must fit.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// A portal, or one feed of it [default: everything]
    #[arg(value_name = "PORTAL[.FEED]")]
    pub selection: Option<Selection>,

    /// Only records in this state
    #[arg(long, value_enum)]
    pub state: Option<Stuck>,

    /// Only records refused with this code, such as CHECK or R-330
    #[arg(long)]
    pub code: Option<String>,

    /// Only what is wrong with this field
    #[arg(long)]
    pub field: Option<String>,
}

/// Why a record does not flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stuck {
    /// Refused by our checks or by the portal.
    Rejected,
    /// Waits for another record.
    Held,
    /// Sent, and nobody knows what became of it.
    Unknown,
}

impl Stuck {
    /// The state of a refusal.
    pub fn of(state: State) -> Self {
        match state {
            State::Held => Stuck::Held,
            State::Unknown => Stuck::Unknown,
            // No refusal is written in any other state.
            State::Rejected | State::Accepted | State::Pending | State::Past | State::Gone | State::Yielded => {
                Stuck::Rejected
            }
        }
    }

    /// Its name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Stuck::Rejected => "rejected",
            Stuck::Held => "held",
            Stuck::Unknown => "unknown",
        }
    }
}

impl Filter {
    /// Fails when it names a portal or feed that does not exist.
    pub fn check(&self, config: &Config) -> Result<(), CliError> {
        self.selection.as_ref().map_or(Ok(()), |selection| selection.check(config))
    }

    /// True when it lets a feed pass.
    pub fn covers(&self, portal: &str, feed: &str) -> bool {
        self.selection.as_ref().is_none_or(|selection| selection.covers(portal, feed))
    }

    /// True when it lets a record pass: with a field, when any of the record's violations is one of that field.
    pub fn admits(&self, refusal: &Refusal) -> bool {
        let has_field = refusal.violations.iter().any(|violation| self.admits_field(Some(&violation.field)));
        self.state.is_none_or(|state| state == Stuck::of(refusal.state))
            && self.code.as_ref().is_none_or(|code| code.eq_ignore_ascii_case(&refusal.code))
            && (self.field.is_none() || has_field)
    }

    /// True when it lets one thing that is wrong pass. Several fields that are wrong together are joined by commas.
    pub fn admits_field(&self, fields: Option<&str>) -> bool {
        let named = |wanted: &str| fields.is_some_and(|fields| fields.split(", ").any(|field| field == wanted));
        self.field.as_deref().is_none_or(named)
    }
}
