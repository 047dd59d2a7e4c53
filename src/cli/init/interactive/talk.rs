//! Talking with a person at a terminal: questions, choices, secrets that do not echo.

use std::fmt::Display;
use std::io::{self, IsTerminal};

use dialoguer::console::Term;
use dialoguer::{Input, MultiSelect, Password, Select};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::words;
use crate::cli::output::tell;
use crate::cli::{CliError, Outcome};
use crate::record::{Language, Phrase};

/// Lines of a list that are shown at once: fewer than the smallest terminal has.
const SHOWN: usize = 14;

/// The conversation.
pub(super) struct Talk {
    language: Language,
}

impl Talk {
    /// Begins, if there is a terminal to talk at.
    pub(super) fn begin(language: Language) -> Result<Talk, CliError> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(CliError::Usage(words::NO_TERMINAL.said_in(language).to_owned()));
        }
        mend_at_interrupt();
        Ok(Talk { language })
    }

    /// The person's language.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// A phrase in the person's language, about these things.
    pub(super) fn words(&self, phrase: &Phrase, about: &[&dyn Display]) -> String {
        phrase.about_in(self.language, about)
    }

    /// Says something.
    pub(super) fn say(&self, phrase: &Phrase, about: &[&dyn Display]) {
        self.tell(&self.words(phrase, about));
    }

    /// Says a text, broken between words where the terminal ends.
    pub(super) fn tell(&self, text: &str) {
        tell(&broken(text, usize::from(Term::stderr().size().1)));
    }

    /// Asks for a line. A default is taken for an empty answer; what `check` refuses is asked again.
    pub(super) fn line(
        &self,
        prompt: &Phrase,
        default: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<String, CliError> {
        let check = |text: &String| check(text.trim());
        let mut input = Input::<String>::new().with_prompt(self.words(prompt, &[])).validate_with(check);
        if !default.is_empty() {
            input = input.default(default.to_owned());
        }
        Ok(input.interact_text().map_err(stopped)?.trim().to_owned())
    }

    /// Asks for a secret, which does not echo. It may be empty.
    pub(super) fn secret(&self, prompt: &str) -> Result<String, CliError> {
        Password::new().with_prompt(prompt).allow_empty_password(true).interact().map_err(stopped)
    }

    /// Has one of several things chosen, and gives its position.
    pub(super) fn choose(&self, prompt: &str, items: &[String], default: usize) -> Result<usize, CliError> {
        let select = Select::new().with_prompt(prompt).items(items).default(default).max_length(SHOWN);
        select.interact().map_err(stopped)
    }

    /// As [`Self::choose`], among phrases.
    pub(super) fn decide(&self, prompt: &Phrase, choices: &[&Phrase]) -> Result<usize, CliError> {
        let items: Vec<String> = choices.iter().map(|choice| self.words(choice, &[])).collect();
        self.choose(&self.words(prompt, &[]), &items, 0)
    }

    /// Has at least one of several things chosen. The first is marked beforehand.
    pub(super) fn several(&self, prompt: &Phrase, items: &[String]) -> Result<Vec<usize>, CliError> {
        loop {
            let marked: Vec<bool> = (0..items.len()).map(|at| at == 0).collect();
            let select = MultiSelect::new().with_prompt(self.words(prompt, &[])).items(items).defaults(&marked);
            let chosen = select.interact().map_err(stopped)?;
            if !chosen.is_empty() {
                return Ok(chosen);
            }
        }
    }
}

/// A text with lines that fit a width. An indented line is a command or a table, and stays whole.
pub(super) fn broken(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while !line.starts_with(' ') && rest.chars().count() >= width {
            let fits = rest.char_indices().take(width).filter(|(at, c)| *c == ' ' && *at > 0).map(|(at, _)| at).last();
            let Some(at) = fits else { break };
            let (head, tail) = rest.split_at(at);
            lines.push(head);
            rest = tail.trim_start();
        }
        lines.push(rest);
    }
    lines.join("\n")
}

/// The terminal has gone, or the person has.
fn stopped(error: dialoguer::Error) -> CliError {
    let dialoguer::Error::IO(error) = error;
    CliError::Failed(anyhow::Error::from(error).context("the conversation has ended before its end"))
}

/// An interrupt in the middle of a question would leave the terminal without echo or cursor.
fn mend_at_interrupt() {
    let Ok(before) = tcgetattr(io::stdin()) else { return };
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            mend(&before);
            std::process::exit(130);
        }
    });
}

fn mend(before: &Termios) {
    // Whatever fails here, the process ends next.
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    let _ = Term::stderr().show_cursor();
    tell("");
}

/// How a conversation ends that was broken off by a choice.
pub(super) fn broken_off(talk: &Talk) -> Outcome {
    talk.say(&words::NOTHING_WRITTEN, &[]);
    Outcome::Misconfigured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_where_the_terminal_does_and_commands_stay_whole() {
        assert_eq!(broken("один два три\nчетыре", 9), "один два\nтри\nчетыре");
        assert_eq!(broken("    psql -f views.sql", 9), "    psql -f views.sql");
        assert_eq!(broken("неразрывное слово", 5), "неразрывное слово");
        assert_eq!(broken("", 9), "");
    }
}
