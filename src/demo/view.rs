//! What a person sees of a running demo: bars on a terminal, plain lines elsewhere, and a summary at the end.
//!
//! Numbers come from a closure, so this file knows nothing of the daemon.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::hospital::Differences;

/// How often the bars move.
const REDRAW: Duration = Duration::from_millis(250);
/// How often a plain line is printed.
const PLAIN_LINE: Duration = Duration::from_secs(5);

/// A demo at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DemoProgress {
    /// Since the start.
    pub elapsed: Duration,
    /// Changes that the hospital's life has made so far.
    pub changes: u64,
    /// The feeds, in the order to show them.
    pub feeds: Vec<FeedProgress>,
}

/// A feed at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedProgress {
    /// Its name.
    pub name: String,
    /// Rows in the hospital.
    pub source_rows: u64,
    /// Records in the mart.
    pub in_mart: u64,
    /// Records sent so far, repeats included.
    pub sent: u64,
    /// Records refused now.
    pub rejected: u64,
    /// Records that wait for a parent now.
    pub held: u64,
    /// Age of the oldest change that is not yet acknowledged.
    pub lag: Option<Duration>,
}

impl FeedProgress {
    fn numbers(&self) -> String {
        let lag = self.lag.map_or_else(|| "-".to_owned(), |lag| format!("{:.1} s", lag.as_secs_f64()));
        format!("sent {:>7}  rejected {:>3}  held {:>4}  lag {lag}", self.sent, self.rejected, self.held)
    }
}

/// Shows a demo on standard output until it is stopped: bars on a terminal, a plain line every five seconds elsewhere.
pub async fn show(read: impl Fn() -> DemoProgress + Send, stop: CancellationToken) {
    if std::io::stdout().is_terminal() {
        show_bars(read, stop).await;
    } else {
        let mut out = std::io::stdout();
        show_lines(read, PLAIN_LINE, |line| drop(writeln!(out, "{line}")), stop).await;
    }
}

/// Hands a plain line to `print` every so often until it is stopped.
pub async fn show_lines(
    read: impl Fn() -> DemoProgress + Send,
    every: Duration,
    mut print: impl FnMut(&str) + Send,
    stop: CancellationToken,
) {
    let mut clock = tokio::time::interval(every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = clock.tick() => print(&plain_line(&read())),
        }
    }
}

async fn show_bars(read: impl Fn() -> DemoProgress + Send, stop: CancellationToken) {
    let mut bars = Bars::new();
    let mut clock = tokio::time::interval(REDRAW);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = clock.tick() => bars.draw(&read()),
        }
    }
    bars.draw(&read());
    bars.leave();
}

/// One bar for each feed under a line with the time.
struct Bars {
    all: MultiProgress,
    head: ProgressBar,
    feeds: Vec<ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let head = all.add(ProgressBar::no_length().with_style(style("{msg}")));
        Bars { all, head, feeds: Vec::new() }
    }

    fn draw(&mut self, progress: &DemoProgress) {
        self.head.set_message(head(progress));
        while self.feeds.len() < progress.feeds.len() {
            let bar = ProgressBar::new(0).with_style(style("{prefix:20} {bar:24} {pos:>8}/{len:<8} {msg}"));
            self.feeds.push(self.all.add(bar));
        }
        for (bar, feed) in self.feeds.iter().zip(&progress.feeds) {
            bar.set_prefix(feed.name.clone());
            bar.set_length(feed.source_rows);
            bar.set_position(feed.in_mart);
            bar.set_message(feed.numbers());
        }
    }

    /// Leaves the last picture on the screen.
    fn leave(self) {
        self.head.abandon();
        self.feeds.iter().for_each(ProgressBar::abandon);
    }
}

/// A style of ours; a template that does not parse would fall back to the plain bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn head(progress: &DemoProgress) -> String {
    let seconds = Duration::from_secs(progress.elapsed.as_secs());
    format!("demo {}: {} changes in the hospital", HumanDuration(seconds), progress.changes)
}

/// The whole demo in one line.
pub fn plain_line(progress: &DemoProgress) -> String {
    let mut line = format!("{:>4} s  changes {}", progress.elapsed.as_secs(), progress.changes);
    for feed in &progress.feeds {
        let _infallible = write!(line, "  {} {}/{}", feed.name, feed.in_mart, feed.source_rows);
        for (name, number) in [("rejected", feed.rejected), ("held", feed.held)] {
            if number > 0 {
                let _infallible = write!(line, " {name} {number}");
            }
        }
    }
    line
}

/// What has been shown, in the end: a table and the verdict on the mart.
pub fn summary(progress: &DemoProgress, differences: &Differences) -> String {
    let mut text = format!("\n{}\n\n", head(progress));
    let _infallible =
        writeln!(text, "{:<20} {:>9} {:>9} {:>9} {:>9} {:>6}", "feed", "rows", "in mart", "sent", "rejected", "held");
    for feed in &progress.feeds {
        let _infallible = writeln!(
            text,
            "{:<20} {:>9} {:>9} {:>9} {:>9} {:>6}",
            feed.name, feed.source_rows, feed.in_mart, feed.sent, feed.rejected, feed.held
        );
    }
    let verdict = match differences.is_empty() {
        true => format!("\nThe mart holds what the hospital says: {} records compared.\n", differences.compared()),
        false => format!("\nThe mart differs from the hospital in {} records:\n{differences}", differences.len()),
    };
    text + &verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> DemoProgress {
        let slot = FeedProgress {
            name: "slot".to_owned(),
            source_rows: 5_003,
            in_mart: 5_000,
            sent: 5_100,
            rejected: 1,
            held: 2,
            lag: Some(Duration::from_millis(1_250)),
        };
        let mo = FeedProgress { name: "mo".to_owned(), source_rows: 2, in_mart: 2, sent: 2, ..FeedProgress::default() };
        DemoProgress { elapsed: Duration::from_secs(65), changes: 12, feeds: vec![mo, slot] }
    }

    #[test]
    fn a_plain_line_tells_all_feeds_and_only_troubles_that_are() {
        assert_eq!(plain_line(&progress()), "  65 s  changes 12  mo 2/2  slot 5000/5003 rejected 1 held 2");
    }

    #[test]
    fn the_summary_says_whether_the_mart_is_right() {
        let text = summary(&progress(), &Differences::default());
        assert!(text.contains("slot                      5003      5000      5100         1      2"), "{text}");
        assert!(text.ends_with("The mart holds what the hospital says: 0 records compared.\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn lines_come_at_their_pace_until_stopped() {
        let (stop, mut lines) = (CancellationToken::new(), Vec::new());
        let last = stop.clone();
        let print = |line: &str| {
            lines.push(line.to_owned());
            if lines.len() == 3 {
                last.cancel();
            }
        };
        let started = tokio::time::Instant::now();
        show_lines(progress, Duration::from_secs(5), print, stop).await;
        assert_eq!((lines.len(), started.elapsed().as_secs()), (3, 10));
    }
}
