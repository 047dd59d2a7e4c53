//! `vitrina log`: the register of exchange. For each record that was ever sent to a portal that takes documents: when, with which id of the
//! portal, and where it stands. Keys only.

use std::collections::BTreeSet;

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

use super::csv::{Dialect, write_row};
use super::{CliError, ConfigFile, LanguageChoice, Outcome, Selection, moment, print};
use crate::ledger::{AnyLedger, Exchange, ExchangeState, FeedSummary, Ledger};
use crate::record::{Language, Receipt};
use crate::sync;

/// Rows that are read and printed at a time.
const PAGE: usize = 1000;
const COLUMNS: [&str; 14] = [
    "portal",
    "feed",
    "key",
    "state",
    "sent",
    "changed",
    "code",
    "remote_id",
    "set_id",
    "base_no",
    "status",
    "reason",
    "url",
    "write_back_due",
];

/// Options of `log`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// A portal, or one feed of it [default: everything]
    #[arg(value_name = "PORTAL[.FEED]")]
    pub selection: Option<Selection>,

    /// Only records in this state
    #[arg(long, value_enum)]
    pub state: Option<Standing>,

    /// Print CSV (RFC 4180)
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,

    /// For Excel: semicolons and a byte order mark
    #[arg(long, requires = "csv")]
    pub excel: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// In which language codes are explained.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Standing {
    /// To be sent, or to be sent again.
    Ready,
    /// Taken by the portal, to be confirmed.
    Sent,
    /// Done.
    Confirmed,
    /// Turned down.
    Refused,
    /// Sent, and nobody knows what became of it.
    Unknown,
}

/// A row as JSON.
#[derive(Debug, Serialize)]
struct Row<'a> {
    portal: &'a str,
    feed: &'a str,
    key: String,
    state: &'static str,
    sent: Option<String>,
    changed: String,
    code: Option<&'a str>,
    remote_id: Option<&'a str>,
    set_id: Option<&'a str>,
    base_no: Option<&'a str>,
    /// The portal's own word for where it stands.
    status: Option<&'a str>,
    /// The portal's words why.
    reason: Option<&'a str>,
    url: Option<&'a str>,
    /// True while this is still to be written back to the source.
    write_back_due: bool,
}

/// How rows are printed, and what was printed so far.
struct Printer {
    form: Form,
    rows: u64,
    codes: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Csv(Dialect),
    Json,
}

/// Prints the register.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    if let Some(selection) = &args.selection {
        selection.check(&config)?;
    }
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let form = match args {
        Args { json: true, .. } => Form::Json,
        Args { csv: true, excel: true, .. } => Form::Csv(Dialect::Excel),
        Args { csv: true, .. } => Form::Csv(Dialect::Standard),
        _ => Form::Text,
    };
    let mut printer = Printer { form, rows: 0, codes: BTreeSet::new() };
    print(&printer.opening())?;
    for feed in ledger.feeds().await.map_err(anyhow::Error::from)? {
        if args.selection.as_ref().is_none_or(|selection| selection.covers(&feed.portal, &feed.feed)) {
            print_feed(&ledger, &feed, args.state, &mut printer).await?;
        }
    }
    print(&printer.closing(args.language.language()))?;
    Ok(Outcome::Done)
}

async fn print_feed(
    ledger: &AnyLedger,
    feed: &FeedSummary,
    state: Option<Standing>,
    printer: &mut Printer,
) -> Result<(), CliError> {
    let mut after = None;
    loop {
        let page = ledger.exchanges(feed.id, after.as_ref(), PAGE).await.map_err(anyhow::Error::from)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.key.clone());
        let mut text = String::new();
        for exchange in page.iter().filter(|row| state.is_none_or(|state| state.is(row.state))) {
            printer.row(&mut text, &Row::new(feed, exchange))?;
        }
        print(&text)?;
    }
}

impl Standing {
    fn is(self, state: ExchangeState) -> bool {
        let own = match self {
            Standing::Ready => ExchangeState::Ready,
            Standing::Sent => ExchangeState::Sent,
            Standing::Confirmed => ExchangeState::Confirmed,
            Standing::Refused => ExchangeState::Refused,
            Standing::Unknown => ExchangeState::Unknown,
        };
        own == state
    }
}

impl<'a> Row<'a> {
    fn new(feed: &'a FeedSummary, exchange: &'a Exchange) -> Self {
        let of_receipt =
            |field: fn(&Receipt) -> &Option<String>| exchange.receipt.as_ref().and_then(|it| field(it).as_deref());
        Row {
            portal: &feed.portal,
            feed: &feed.feed,
            key: exchange.key.to_string(),
            state: exchange.state.name(),
            sent: exchange.sent.map(moment),
            changed: moment(exchange.changed),
            code: exchange.code.as_deref(),
            remote_id: of_receipt(|receipt| &receipt.remote_id),
            set_id: of_receipt(|receipt| &receipt.set_id),
            base_no: of_receipt(|receipt| &receipt.base_no),
            status: of_receipt(|receipt| &receipt.status),
            reason: of_receipt(|receipt| &receipt.reason),
            url: of_receipt(|receipt| &receipt.url),
            write_back_due: exchange.write_back.is_some(),
        }
    }

    fn cells(&self) -> [&str; 14] {
        let or_empty = |cell: Option<&'a str>| cell.unwrap_or_default();
        [
            self.portal,
            self.feed,
            &self.key,
            self.state,
            self.sent.as_deref().unwrap_or_default(),
            &self.changed,
            or_empty(self.code),
            or_empty(self.remote_id),
            or_empty(self.set_id),
            or_empty(self.base_no),
            or_empty(self.status),
            or_empty(self.reason),
            or_empty(self.url),
            if self.write_back_due { "yes" } else { "" },
        ]
    }
}

impl Printer {
    fn opening(&self) -> String {
        match self.form {
            Form::Text => String::new(),
            Form::Json => "[".to_owned(),
            Form::Csv(dialect) => {
                let mut head = dialect.opening().to_owned();
                write_row(&mut head, dialect, COLUMNS);
                head
            }
        }
    }

    fn row(&mut self, text: &mut String, row: &Row<'_>) -> Result<(), CliError> {
        match self.form {
            Form::Text => {
                text.push_str(&readable(row));
                self.codes.extend(row.code.map(str::to_owned));
            }
            Form::Json => {
                text.push_str(if self.rows == 0 { "\n  " } else { ",\n  " });
                text.push_str(&serde_json::to_string(row).context("cannot print the register")?);
            }
            Form::Csv(dialect) => write_row(text, dialect, row.cells()),
        }
        self.rows += 1;
        Ok(())
    }

    fn closing(&self, language: Language) -> String {
        match (self.form, self.rows) {
            (Form::Csv(_), _) => String::new(),
            (Form::Json, 0) => "]\n".to_owned(),
            (Form::Json, _) => "\n]\n".to_owned(),
            (Form::Text, 0) => "nothing was exchanged\n".to_owned(),
            (Form::Text, _) => {
                let explained = |code: &String| Some((code.clone(), sync::remedy(code, "")?));
                let explained = self.codes.iter().filter_map(explained);
                explained.map(|(code, remedy)| format!("{code}: {}\n", remedy.text(language))).collect()
            }
        }
    }
}

/// A row for people: what is there, in one line.
fn readable(row: &Row<'_>) -> String {
    let mut text = format!("{}.{} {} {}", row.portal, row.feed, row.key, row.state);
    for (name, value) in [
        ("", row.code),
        ("sent ", row.sent.as_deref()),
        ("id ", row.remote_id),
        ("set ", row.set_id),
        ("number ", row.base_no),
        ("status ", row.status),
        ("reason: ", row.reason),
        ("", row.url),
        ("", row.write_back_due.then_some("to be written back")),
    ] {
        if let Some(value) = value {
            text.push_str(", ");
            text.push_str(name);
            text.push_str(value);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Counts, FeedId, Progress, WriteBackDue};
    use crate::record::Key;

    fn printed(form: Form, exchange: &Exchange) -> String {
        let feed = FeedSummary {
            id: FeedId(1),
            portal: "sout".into(),
            feed: "training".into(),
            counts: Counts::default(),
            progress: Progress::default(),
        };
        let mut printer = Printer { form, rows: 0, codes: BTreeSet::new() };
        let mut text = printer.opening();
        printer.row(&mut text, &Row::new(&feed, exchange)).unwrap();
        text.push_str(&printer.closing(Language::English));
        text
    }

    fn exchange() -> Exchange {
        let receipt = Receipt { remote_id: Some("r;1".into()), base_no: Some("=5".into()), ..Receipt::default() };
        Exchange {
            key: Key::Text("k-1".into()),
            version: None,
            state: ExchangeState::Confirmed,
            receipt: Some(receipt),
            sent: Some(0),
            changed: 60,
            code: Some("NO_REMOVAL".into()),
            write_back: Some(WriteBackDue::default()),
        }
    }

    #[test]
    fn a_row_is_a_line_and_its_code_is_explained_below() {
        let text = printed(Form::Text, &exchange());
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                "sout.training k-1 confirmed, NO_REMOVAL, sent 1970-01-01T00:00:00Z, id r;1, number =5, to be written back"
            )
        );
        assert!(lines.next().is_some_and(|line| line.starts_with("NO_REMOVAL: The row is gone")));
    }

    #[test]
    fn a_table_has_a_cell_for_everything_and_no_formula() {
        let text = printed(Form::Csv(Dialect::Standard), &exchange());
        let row = text.lines().nth(1).unwrap();
        assert_eq!(
            row,
            "sout,training,k-1,confirmed,1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,NO_REMOVAL,\"r;1\",,'=5,,,,yes"
        );
    }

    #[test]
    fn json_is_an_array_whatever_is_in_it() {
        let rows: serde_json::Value = serde_json::from_str(&printed(Form::Json, &exchange())).unwrap();
        assert_eq!((&rows[0]["base_no"], &rows[0]["write_back_due"]), (&"=5".into(), &true.into()));
        let empty = Printer { form: Form::Json, rows: 0, codes: BTreeSet::new() };
        assert_eq!(empty.opening() + &empty.closing(Language::English), "[]\n");
    }
}
