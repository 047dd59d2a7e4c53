//! `--lang`: the language in which a verb explains things to people.

use clap::ValueEnum;

use crate::record::Language;

/// Variables that name the user's language, the strongest first.
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// The language to explain in.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct LanguageChoice {
    /// Language of explanations [default: that of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    lang: Option<Lang>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    En,
    Ru,
}

impl LanguageChoice {
    /// What was asked for, else what the environment speaks.
    pub fn language(&self) -> Language {
        match self.lang {
            Some(Lang::En) => Language::English,
            Some(Lang::Ru) => Language::Russian,
            None => of_environment(|name| std::env::var(name).ok()),
        }
    }
}

/// The first variable that says anything decides, as everywhere.
fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Language {
    let said = VARIABLES.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    match said {
        Some(locale) if locale.to_ascii_lowercase().starts_with("ru") => Language::Russian,
        Some(_) | None => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_variable_that_is_set_decides() {
        let spoken = |set: &[(&str, &str)]| {
            of_environment(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(spoken(&[("LANG", "ru_RU.UTF-8")]), Language::Russian);
        assert_eq!(spoken(&[("LC_ALL", ""), ("LC_MESSAGES", "ru"), ("LANG", "en_US")]), Language::Russian);
        assert_eq!(spoken(&[("LC_ALL", "C"), ("LANG", "ru_RU.UTF-8")]), Language::English);
        assert_eq!(spoken(&[]), Language::English);
    }
}
