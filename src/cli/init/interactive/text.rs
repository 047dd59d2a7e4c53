//! The configuration as text, out of the answers.

use std::fmt::Write as _;

use toml::Value;

/// A secret of the configuration and where it is to stand.
#[derive(Clone)]
pub(super) struct Secret {
    /// Name of its file.
    pub(super) file: String,
    /// The secret itself.
    pub(super) value: String,
}

/// What a key holds.
#[derive(Clone)]
pub(super) enum Setting {
    /// A text.
    Text(String),
    /// A secret.
    Secret(Secret),
}

/// A section of the configuration.
#[derive(Clone, Default)]
pub(super) struct Section {
    /// Its name: `portals.fer`.
    pub(super) name: String,
    /// Its keys, in order.
    pub(super) settings: Vec<(&'static str, Setting)>,
}

/// Where the secrets of a text stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// In the text, which never reaches a disk.
    Inside,
    /// In files of their own.
    InFiles,
}

impl Section {
    /// An empty section.
    pub(super) fn new(name: impl Into<String>) -> Section {
        Section { name: name.into(), settings: Vec::new() }
    }

    /// With a text.
    pub(super) fn text(mut self, key: &'static str, value: impl Into<String>) -> Section {
        self.settings.push((key, Setting::Text(value.into())));
        self
    }

    /// With a secret.
    pub(super) fn secret(mut self, key: &'static str, file: String, value: String) -> Section {
        self.settings.push((key, Setting::Secret(Secret { file, value })));
        self
    }

    /// Its secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.settings.iter().filter_map(|(_, setting)| match setting {
            Setting::Secret(secret) => Some(secret),
            Setting::Text(_) => None,
        })
    }
}

/// Sections as TOML.
pub(super) fn toml(sections: &[Section], secrets: Secrets) -> String {
    let mut text = String::new();
    for section in sections {
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n[{}]", section.name);
        for (key, setting) in &section.settings {
            let _ = match (setting, secrets) {
                (Setting::Text(value), _) => writeln!(text, "{key} = {}", quoted(value)),
                (Setting::Secret(secret), Secrets::Inside) => writeln!(text, "{key} = {}", quoted(&secret.value)),
                (Setting::Secret(secret), Secrets::InFiles) => writeln!(text, "{key}_file = {}", quoted(&secret.file)),
            };
        }
    }
    text
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stands_in_the_text_only_where_it_is_asked_for() {
        let hard = "a\"b\\c\nd'''\"\"\"é";
        let sections =
            [Section::new("portals.fer").text("url", hard).secret("password", "fer-password".into(), hard.into())];
        let read = |text: &str| text.parse::<toml::Table>().expect("TOML")["portals"]["fer"].clone();
        let inside = read(&toml(&sections, Secrets::Inside));
        assert_eq!((inside["url"].as_str(), inside["password"].as_str()), (Some(hard), Some(hard)));
        let filed = read(&toml(&sections, Secrets::InFiles));
        assert_eq!(filed["password_file"].as_str(), Some("fer-password"));
        assert!(filed.get("password").is_none());
    }
}
