//! Problems: what is wrong with a configuration, each with the key it is about.

use std::fmt;

use serde::Serialize;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing runs with it.
    Error,
    /// It runs, and may not do what is wanted.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key in dotted form, `portals.fer.feeds.slot.every`; empty when the problem is the file itself.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what to do. Never holds a secret.
    pub text: String,
}

/// Everything that is wrong, ordered by key; of one key errors first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Severity {
    /// The word for it in texts and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.name();
        match self.key.as_str() {
            "" => write!(f, "{severity}: {}", self.text),
            key => write!(f, "{severity}: {key}: {}", self.text),
        }
    }
}

impl Problems {
    /// Notes an error.
    pub fn error(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.note(key.into(), Severity::Error, text.into());
    }

    /// Notes a warning.
    pub fn warning(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.note(key.into(), Severity::Warning, text.into());
    }

    fn note(&mut self, key: String, severity: Severity, text: String) {
        let problem = Problem { key, severity, text };
        let at = self.0.partition_point(|other| order(other) <= order(&problem));
        self.0.insert(at, problem);
    }

    /// Takes over what others found.
    pub fn extend(&mut self, others: Problems) {
        for problem in others.0 {
            self.note(problem.key, problem.severity, problem.text);
        }
    }

    /// The problems, ordered by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Number of errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Number of warnings.
    pub fn warnings(&self) -> usize {
        self.0.len() - self.errors()
    }

    /// True when nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    /// One problem a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

fn order(problem: &Problem) -> (&str, bool) {
    (&problem.key, problem.severity == Severity::Warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_stand_in_the_order_of_their_keys_with_errors_first() {
        let mut problems = Problems::default();
        problems.warning("b", "w");
        problems.error("c", "e");
        problems.error("b", "e");
        problems.error("", "the file");
        assert_eq!(problems.to_string(), "error: the file\nerror: b: e\nwarning: b: w\nerror: c: e");
        assert_eq!((problems.errors(), problems.warnings()), (3, 1));
    }
}
