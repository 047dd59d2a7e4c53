//! `vitrina register`: what the register behind a portal holds, read page by page and printed. People stand in it: it goes to standard output
//! and nowhere else.

use anyhow::{Context, anyhow};
use chrono::NaiveDate;
use clap::Subcommand;

use super::csv::{Dialect, write_row};
use super::one_portal::{no_portal, open_alone, the_portal};
use super::{CliError, ConfigFile, Outcome, print};
use crate::config::PortalKind;
use crate::portal::AnyPortal;
use crate::portal::sout::{RegisterFilter, RegisterRecord, SoutPortal};

/// Options of `register`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which register.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Registers that can be read.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print what the register of training in occupational safety holds: all of it, or what the filters find
    Sout(Box<SoutArgs>),
}

/// Options of `register sout`. Has no `Debug` that shows a person.
#[derive(clap::Args)]
pub struct SoutArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The portal, where several are configured
    #[arg(long, value_name = "NAME")]
    pub portal: Option<String>,

    /// Id that the record was given here (outer_id)
    #[arg(long, value_name = "ID")]
    pub outer_id: Option<String>,

    /// Number in the register
    #[arg(long, value_name = "NUMBER")]
    pub no: Option<String>,

    /// Number of the set
    #[arg(long, value_name = "NUMBER")]
    pub set_id: Option<String>,

    /// Last name of the worker
    #[arg(long, value_name = "NAME")]
    pub last_name: Option<String>,

    /// First name
    #[arg(long, value_name = "NAME")]
    pub first_name: Option<String>,

    /// Patronymic
    #[arg(long, value_name = "NAME")]
    pub middle_name: Option<String>,

    /// SNILS, in any form
    #[arg(long, value_name = "SNILS", value_parser = snils)]
    pub snils: Option<String>,

    /// Position
    #[arg(long, value_name = "TEXT")]
    pub position: Option<String>,

    /// First day on which the record was made, YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub created_from: Option<NaiveDate>,

    /// Last day on which it was made
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub created_before: Option<NaiveDate>,

    /// First day of the test
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub tested_from: Option<NaiveDate>,

    /// Last day of the test
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub tested_before: Option<NaiveDate>,

    /// Number of the programme of training
    #[arg(long, value_name = "N")]
    pub programme: Option<u32>,

    /// Number of the protocol
    #[arg(long, value_name = "NUMBER")]
    pub protocol: Option<String>,

    /// Print CSV (RFC 4180)
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,

    /// Print JSON: an array with every record
    #[arg(long)]
    pub json: bool,
}

impl std::fmt::Debug for SoutArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoutArgs").field("portal", &self.portal).finish_non_exhaustive()
    }
}

fn day(text: &str) -> Result<NaiveDate, String> {
    let forms = ["%Y-%m-%d", "%d.%m.%Y"];
    let parsed = forms.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    parsed.ok_or_else(|| "is no date; write YYYY-MM-DD".to_owned())
}

/// `XXX-XXX-XXX XX`, as the register prints it.
fn snils(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match (digits.get(0..3), digits.get(3..6), digits.get(6..9), digits.get(9..11), digits.len()) {
        (Some(one), Some(two), Some(three), Some(check), 11) => Ok(format!("{one}-{two}-{three} {check}")),
        _ => Err("a SNILS has eleven digits".to_owned()),
    }
}

impl SoutArgs {
    fn filter(&self) -> RegisterFilter {
        let day = |day: Option<NaiveDate>| day.map(|day| day.to_string());
        RegisterFilter {
            no: self.no.clone(),
            last_name: self.last_name.clone(),
            first_name: self.first_name.clone(),
            middle_name: self.middle_name.clone(),
            outer_id: self.outer_id.clone(),
            snils: self.snils.clone(),
            set_id: self.set_id.clone(),
            position: self.position.clone(),
            created_from: day(self.created_from),
            created_before: day(self.created_before),
            tested_from: day(self.tested_from),
            tested_before: day(self.tested_before),
            programme: self.programme.map(|number| number.to_string()),
            protocol: self.protocol.clone(),
        }
    }
}

/// Prints a register.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::Sout(args) => sout(args).await,
    }
}

async fn sout(args: &SoutArgs) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let name = the_portal(&config, PortalKind::Sout, args.portal.as_deref())?;
    let AnyPortal::Sout(portal) = open_alone(&config, name)? else {
        return Err(no_portal(&config, PortalKind::Sout));
    };
    let form = match (args.csv, args.json) {
        (true, _) => Form::Csv,
        (false, true) => Form::Json,
        (false, false) => Form::Text,
    };
    print_all(&portal, &args.filter(), form).await.map_err(|error| match error {
        CliError::Failed(error) => CliError::Failed(error.context(name.to_owned())),
        other => other,
    })?;
    Ok(Outcome::Done)
}

/// Prints page by page: a register may be larger than anybody wants in memory.
async fn print_all(portal: &SoutPortal, filter: &RegisterFilter, form: Form) -> Result<(), CliError> {
    let (pages, mut printed) = tokio::sync::mpsc::unbounded_channel();
    let read = async {
        let result = portal.register(filter, |page| drop(pages.send(page))).await;
        drop(pages);
        result.map_err(|failure| anyhow!("{}", failure.text))
    };
    let write = async {
        let mut printer = Printer { form, records: 0 };
        print(&printer.opening())?;
        while let Some(page) = printed.recv().await {
            print(&printer.page(&page)?)?;
        }
        Ok::<Printer, CliError>(printer)
    };
    let (read, written) = tokio::join!(read, write);
    read.map_err(CliError::Failed)?;
    print(&written?.closing())?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Csv,
    Json,
}

struct Printer {
    form: Form,
    records: u64,
}

/// Names of the columns, in the order in which they are printed: that of the record itself.
fn columns() -> Result<Vec<String>, CliError> {
    let empty = serde_json::to_string(&RegisterRecord::default()).context("cannot print the register")?;
    // A map of JSON may be sorted; its text is not.
    let names = empty.split('"').skip(1).step_by(2).map(str::to_owned);
    Ok(names.collect())
}

impl Printer {
    fn opening(&self) -> String {
        match self.form {
            Form::Json => "[".to_owned(),
            Form::Text | Form::Csv => String::new(),
        }
    }

    fn page(&mut self, page: &[RegisterRecord]) -> Result<String, CliError> {
        let names = columns()?;
        let mut text = String::new();
        if self.form == Form::Csv && self.records == 0 {
            write_row(&mut text, Dialect::Standard, names.iter().map(String::as_str));
        }
        for record in page {
            self.record(&mut text, &names, record)?;
            self.records += 1;
        }
        Ok(text)
    }

    fn record(&self, text: &mut String, names: &[String], record: &RegisterRecord) -> Result<(), CliError> {
        if self.form == Form::Json {
            text.push_str(if self.records == 0 { "\n  " } else { ",\n  " });
            text.push_str(&serde_json::to_string(record).context("cannot print the register")?);
            return Ok(());
        }
        let value = serde_json::to_value(record).context("cannot print the register")?;
        let cells: Vec<String> = names.iter().map(|name| cell(&value[name.as_str()])).collect();
        match self.form {
            Form::Csv => write_row(text, Dialect::Standard, cells.iter().map(String::as_str)),
            Form::Text | Form::Json => {
                let there = names.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
                let lines: String = there.map(|(name, cell)| format!("{name:<22} {cell}\n")).collect();
                text.push_str(&lines);
                text.push('\n');
            }
        }
        Ok(())
    }

    fn closing(&self) -> String {
        match (self.form, self.records) {
            (Form::Json, 0) => "]\n".to_owned(),
            (Form::Json, _) => "\n]\n".to_owned(),
            (Form::Csv, _) => String::new(),
            (Form::Text, 0) => "the register holds nothing of the kind\n".to_owned(),
            (Form::Text, 1) => "1 record\n".to_owned(),
            (Form::Text, count) => format!("{count} records\n"),
        }
    }
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(form: Form, page: &[RegisterRecord]) -> String {
        let mut printer = Printer { form, records: 0 };
        let opening = printer.opening();
        let page = printer.page(page).unwrap();
        format!("{opening}{page}{}", printer.closing())
    }

    #[test]
    fn every_form_prints_what_there_is() {
        let record = RegisterRecord {
            base_no: Some("00012".into()),
            last_name: Some("Петрова".into()),
            is_passed: Some(true),
            learn_program_id: Some(4),
            ..RegisterRecord::default()
        };
        let json: serde_json::Value =
            serde_json::from_str(&printed(Form::Json, std::slice::from_ref(&record))).unwrap();
        assert_eq!((&json[0]["base_no"], &json[0]["learn_program_id"]), (&"00012".into(), &4.into()));
        let csv = printed(Form::Csv, std::slice::from_ref(&record));
        assert!(csv.starts_with("base_no,registered_at,set_id,outer_id,"), "{csv}");
        assert!(csv.contains("\r\n00012,,,,,Петрова,") && csv.ends_with(",4,,true\r\n"), "{csv}");
        let text = printed(Form::Text, &[record.clone(), record]);
        assert!(text.contains("last_name              Петрова\n") && text.ends_with("2 records\n"), "{text}");
        assert_eq!(printed(Form::Json, &[]), "[]\n");
    }

    #[test]
    fn a_snils_and_a_date_are_taken_in_any_form() {
        assert_eq!(snils("11223344595").unwrap(), "112-233-445 95");
        assert!(snils("1122334459").is_err());
        assert_eq!(day("02.10.2026"), day("2026-10-02"));
        assert!(day("yesterday").is_err());
    }
}
