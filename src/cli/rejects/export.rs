//! `vitrina rejects export`: a table for the people who mend rows, one line for each broken rule.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;

use super::filter::{Filter, Stuck};
use super::gather::{FeedRejects, gather};
use super::item;
use crate::cli::csv::{Dialect, write_row};
use crate::cli::{CliError, ConfigFile, LanguageChoice, Outcome, moment, print};
use crate::daemon::trouble::points;
use crate::ledger::AnyLedger;
use crate::record::Language;

const COLUMNS: [&str; 11] =
    ["portal", "feed", "key", "state", "code", "field", "rule", "text", "who", "remedy", "since"];

/// Options of `rejects export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// What to write.
    #[command(flatten)]
    pub filter: Filter,

    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,

    /// For Excel: semicolons and a byte order mark
    #[arg(long)]
    pub excel: bool,

    /// Where to write it; an existing file is replaced [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// In which language.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// RFC 4180, a row for each broken rule.
    Csv,
    /// An array with every record, as `rejects list --json` prints it.
    Json,
}

/// Where the export goes.
enum Sink<'a> {
    Output,
    File { path: &'a Path, file: BufWriter<File> },
}

/// Writes the export.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    if args.excel && args.format == Format::Json {
        return Err(CliError::Usage("--excel is a form of CSV; leave it or --format json out".to_owned()));
    }
    let config = args.config.load()?.config;
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let gathered = gather(&config, &ledger, &args.filter).await?;
    let language = args.language.language();
    let mut sink = Sink::open(args.output.as_deref())?;
    match args.format {
        Format::Json => {
            for piece in item::array(&gathered, language) {
                sink.write(&piece.context("cannot write the records")?)?;
            }
        }
        Format::Csv => {
            let dialect = if args.excel { Dialect::Excel } else { Dialect::Standard };
            let mut head = dialect.opening().to_owned();
            write_row(&mut head, dialect, COLUMNS);
            sink.write(&head)?;
            for of in &gathered {
                sink.write(&table(of, &args.filter, dialect, language))?;
            }
        }
    }
    sink.close()?;
    Ok(Outcome::Done)
}

/// The rows of a feed.
fn table(of: &FeedRejects, filter: &Filter, dialect: Dialect, language: Language) -> String {
    let mut out = String::new();
    for refusal in &of.refusals {
        let key = refusal.key.as_ref().map(ToString::to_string).unwrap_or_default();
        let since = moment(refusal.since);
        for point in points(of.kind, refusal, language).iter().filter(|point| filter.admits_field(point.field)) {
            let cells = [
                of.portal.as_str(),
                &of.feed,
                &key,
                Stuck::of(refusal.state).name(),
                &refusal.code,
                point.field.unwrap_or_default(),
                point.rule.map(crate::record::Rule::name).unwrap_or_default(),
                &point.text,
                point.remedy.actor.name(language),
                &point.remedy.text(language),
                &since,
            ];
            write_row(&mut out, dialect, cells);
        }
    }
    out
}

impl<'a> Sink<'a> {
    fn open(path: Option<&'a Path>) -> Result<Self, CliError> {
        let Some(path) = path else { return Ok(Sink::Output) };
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Sink::File { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Sink::Output => print(text),
            Sink::File { path, file } => {
                let written = file.write_all(text.as_bytes());
                Ok(written.with_context(|| format!("cannot write {}", path.display()))?)
            }
        }
    }

    fn close(self) -> Result<(), CliError> {
        match self {
            Sink::Output => Ok(()),
            Sink::File { path, mut file } => {
                Ok(file.flush().with_context(|| format!("cannot write {}", path.display()))?)
            }
        }
    }
}
