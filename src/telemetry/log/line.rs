//! A line of the log: its priority where the journal reads it, and no more of its kind than anybody reads.

use std::fmt;
use std::time::Instant;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use super::repeats::{LeftOut, Repeats};

/// Writes events by another form, beside what concerns the log as a whole.
pub(super) struct Line<F> {
    inner: F,
    form: LogFormat,
    journal: bool,
    repeats: Repeats,
}

impl<F> Line<F> {
    pub(super) fn new(inner: F, form: LogFormat, journal: bool) -> Self {
        Line { inner, form, journal, repeats: Repeats::default() }
    }

    /// What the journal reads a priority from.
    fn prefix(&self, writer: &mut Writer<'_>, level: Level) -> fmt::Result {
        match self.journal {
            true => write!(writer, "<{}>", priority(level)),
            false => Ok(()),
        }
    }

    /// Says how many lines of a kind were left out.
    fn tell(&self, writer: &mut Writer<'_>, left_out: &LeftOut) -> fmt::Result {
        let LeftOut { level, message, count } = left_out;
        self.prefix(writer, *level)?;
        let text = format!("left out {count} more within a minute like: {message}");
        match self.form {
            LogFormat::Json => {
                let fields = serde_json::json!({"message": text, "left_out": count});
                writeln!(writer, "{}", serde_json::json!({"level": level.to_string(), "fields": fields}))
            }
            LogFormat::Text if self.journal => writeln!(writer, "{text}"),
            LogFormat::Text => writeln!(writer, "{level:>5} {text}"),
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Line<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let ruling = self.repeats.rule(event, Instant::now());
        for left_out in &ruling.left_out {
            self.tell(&mut writer, left_out)?;
        }
        if !ruling.passes {
            return Ok(());
        }
        self.prefix(&mut writer, *event.metadata().level())?;
        self.inner.format_event(context, writer, event)
    }
}

/// The priority of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn journal(log: impl FnOnce()) -> String {
        let (kept, inner) =
            (Kept::default(), format().with_target(false).with_ansi(false).with_level(false).without_time());
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Line::new(inner, LogFormat::Text, true))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_journal_gets_a_priority_and_neither_time_nor_level() {
        let text = journal(|| {
            tracing::error!("bad");
            tracing::warn!(portal = "fer", "odd");
            tracing::info!("done");
            tracing::trace!("step");
        });
        assert_eq!(text, "<3>bad\n<4>odd portal=\"fer\"\n<6>done\n<7>step\n");
    }

    #[test]
    fn a_storm_of_one_line_is_cut_short_and_others_pass() {
        let text = journal(|| {
            for _ in 0..500 {
                tracing::warn!(portal = "fer", "odd");
            }
            tracing::warn!("another");
        });
        let odd = text.lines().filter(|line| line.contains("odd")).count();
        assert!(odd == super::super::repeats::MOST && text.ends_with("<4>another\n"), "{text}");
    }
}
