//! What a person sees of a running demo: bars on a terminal, plain lines elsewhere, and a summary at the end.
//!
//! Numbers come from a closure, so this file knows nothing of the daemon.

use std::fmt::{Display, Write as _};
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
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
    /// What citizens booked and cancelled.
    pub bookings: BookingProgress,
    /// Specialists whom the portal of medical education sent to their modules.
    pub arrived: u64,
    /// The feeds, in the order to show them.
    pub feeds: Vec<FeedProgress>,
}

/// What citizens have heard through the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookingProgress {
    /// Bookings made.
    pub booked: u64,
    /// Bookings given again to whoever asked twice.
    pub repeated: u64,
    /// Bookings cancelled.
    pub cancelled: u64,
    /// Answers with another code than 0.
    pub refused: u64,
    /// Answers that the document does not allow, or that came too late, or not at all.
    pub faults: u64,
    /// What was wrong with the first of these. Names fields, never values.
    pub first_fault: Option<String>,
    /// The longest time to an answer.
    pub slowest: Duration,
}

impl BookingProgress {
    /// True when every answer was as the document has it, and in time.
    pub fn is_sound(&self) -> bool {
        self.faults == 0
    }
}

impl Display for BookingProgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let BookingProgress { booked, repeated, cancelled, refused, .. } = self;
        write!(f, "citizens booked {booked}, cancelled {cancelled}, were refused {refused}, asked again {repeated}")
    }
}

/// A feed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedProgress {
    /// Which.
    pub feed: Feed,
    /// Rows in the hospital.
    pub source_rows: u64,
    /// Records at the portal.
    pub at_portal: u64,
    /// Records that the portal has confirmed, by the daemon's own memory.
    pub confirmed: u64,
    /// Records refused now.
    pub rejected: u64,
    /// Records that wait for a parent now.
    pub held: u64,
    /// Age of the oldest change that is not yet acknowledged.
    pub lag: Option<Duration>,
}

impl FeedProgress {
    /// What is not as it should be, or is not yet.
    fn troubles(&self) -> String {
        let to_confirm = self.at_portal.saturating_sub(self.confirmed);
        let counts = [("to confirm", to_confirm), ("rejected", self.rejected), ("held", self.held)];
        let counts = counts.into_iter().filter(|(_, number)| *number > 0).map(|(name, n)| format!("{name} {n}"));
        let lag = self.lag.map(|lag| format!("lag {} s", lag.as_secs()));
        lag.into_iter().chain(counts).collect::<Vec<_>>().join(", ")
    }
}

/// All feeds of one portal together.
#[derive(Debug, Default)]
struct PortalProgress {
    source_rows: u64,
    confirmed: u64,
    rejected: u64,
    held: u64,
}

impl DemoProgress {
    /// The portals in the order of their feeds.
    fn portals(&self) -> Vec<(&'static str, PortalProgress)> {
        let mut portals: Vec<(&'static str, PortalProgress)> = Vec::new();
        for feed in &self.feeds {
            if portals.last().is_none_or(|(portal, _)| *portal != feed.feed.portal()) {
                portals.push((feed.feed.portal(), PortalProgress::default()));
            }
            if let Some((_, sum)) = portals.last_mut() {
                sum.source_rows += feed.source_rows;
                sum.confirmed += feed.confirmed;
                sum.rejected += feed.rejected;
                sum.held += feed.held;
            }
        }
        portals
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
            let bar = ProgressBar::new(0).with_style(style("{prefix:24} {bar:16} {pos:>7}/{len:<7} {msg}"));
            self.feeds.push(self.all.add(bar));
        }
        for (bar, feed) in self.feeds.iter().zip(&progress.feeds) {
            bar.set_prefix(feed.feed.to_string());
            bar.set_length(feed.source_rows);
            bar.set_position(feed.at_portal);
            bar.set_message(feed.troubles());
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
    let DemoProgress { changes, bookings, .. } = progress;
    format!("demo {}: {changes} changes in the hospital; {bookings}", HumanDuration(seconds))
}

/// The whole demo in one line: of each portal, how many rows there are and how many are confirmed.
pub fn plain_line(progress: &DemoProgress) -> String {
    let BookingProgress { booked, cancelled, .. } = progress.bookings;
    let elapsed = progress.elapsed.as_secs();
    let mut line = format!("{elapsed:>4} s  changes {}  booked {booked} cancelled {cancelled}", progress.changes);
    for (portal, sum) in progress.portals() {
        let _infallible = write!(line, "  {portal} {}/{}", sum.confirmed, sum.source_rows);
        for (name, number) in [("rejected", sum.rejected), ("held", sum.held)] {
            if number > 0 {
                let _infallible = write!(line, " {name} {number}");
            }
        }
    }
    line
}

/// What has been shown, in the end: a table and the verdict on the portals.
pub fn summary(progress: &DemoProgress, differences: &Differences) -> String {
    let mut text = format!("\n{}\n\n", head(progress));
    let mut line = |feed: &str, cells: [&dyn Display; 5]| {
        let [rows, at_portal, confirmed, rejected, held] = cells;
        let _infallible = writeln!(text, "{feed:<24} {rows:>9} {at_portal:>9} {confirmed:>9} {rejected:>9} {held:>6}");
    };
    line("feed", [&"rows", &"at portal", &"confirmed", &"rejected", &"held"]);
    for feed in &progress.feeds {
        let cells: [&dyn Display; 5] =
            [&feed.source_rows, &feed.at_portal, &feed.confirmed, &feed.rejected, &feed.held];
        line(&feed.feed.to_string(), cells);
    }
    let verdict = match differences.is_empty() {
        true => format!(
            "\nAll portals hold what the hospital says, and have confirmed it: {} records compared.\n",
            differences.compared()
        ),
        false => format!("\nThe portals differ from the hospital in {} records:\n{differences}", differences.len()),
    };
    text + &verdict_on_bookings(&progress.bookings) + &verdict_on_learners(progress.arrived) + &verdict
}

fn verdict_on_learners(arrived: u64) -> String {
    format!("\nLearners: {arrived} sent from the NMO portal to their modules, each signed and checked.\n")
}

fn verdict_on_bookings(bookings: &BookingProgress) -> String {
    match &bookings.first_fault {
        None => format!(
            "\nBookings: {bookings}; every answer was as the document has it, the longest after {} ms.\n",
            bookings.slowest.as_millis()
        ),
        Some(first) => {
            format!(
                "\nBookings: {bookings}; {} answers were not as they must be, the first: {first}\n",
                bookings.faults
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fer::Subsystem;

    fn progress() -> DemoProgress {
        let mo = FeedProgress {
            feed: Feed::Fer(Subsystem::Mo),
            source_rows: 2,
            at_portal: 2,
            confirmed: 2,
            rejected: 0,
            held: 0,
            lag: None,
        };
        let slot = FeedProgress {
            feed: Feed::Fer(Subsystem::Slot),
            source_rows: 5_003,
            at_portal: 5_000,
            confirmed: 5_000,
            rejected: 1,
            held: 2,
            lag: Some(Duration::from_millis(1_250)),
        };
        let training = FeedProgress { feed: Feed::Training, source_rows: 9, at_portal: 9, confirmed: 4, ..mo.clone() };
        let bookings = BookingProgress {
            booked: 7,
            cancelled: 2,
            slowest: Duration::from_millis(40),
            ..BookingProgress::default()
        };
        DemoProgress {
            elapsed: Duration::from_secs(65),
            changes: 12,
            bookings,
            arrived: 4,
            feeds: vec![mo, slot, training],
        }
    }

    #[test]
    fn a_plain_line_tells_all_portals_and_only_troubles_that_are() {
        assert_eq!(
            plain_line(&progress()),
            "  65 s  changes 12  booked 7 cancelled 2  fer 5002/5005 rejected 1 held 2  sout 4/9"
        );
    }

    #[test]
    fn a_bar_says_what_is_still_to_come() {
        let troubles: Vec<String> = progress().feeds.iter().map(FeedProgress::troubles).collect();
        assert_eq!(troubles, ["", "lag 1 s, rejected 1, held 2", "to confirm 5"]);
    }

    #[test]
    fn the_summary_says_whether_the_portals_are_right() {
        let text = summary(&progress(), &Differences::default());
        assert!(text.contains("fer.slot                      5003      5000      5000         1      2\n"), "{text}");
        let verdict = "All portals hold what the hospital says, and have confirmed it: 0 records compared.\n";
        assert!(text.ends_with(verdict), "{text}");
        let mut differences = Differences::default();
        differences.unconfirmed(Feed::Training, 5);
        let text = summary(&progress(), &differences);
        let verdict = "The portals differ from the hospital in 5 records:\nsout.training: 5 not confirmed\n";
        assert!(text.ends_with(verdict), "{text}");
    }

    #[test]
    fn the_summary_says_what_was_wrong_with_an_answer() {
        let mut progress = progress();
        let text = summary(&progress, &Differences::default());
        assert!(text.contains("every answer was as the document has it, the longest after 40 ms.\n"), "{text}");
        progress.bookings.faults = 2;
        progress.bookings.first_fault = Some("too late".to_owned());
        let text = summary(&progress, &Differences::default());
        assert!(text.contains("2 answers were not as they must be, the first: too late\n"), "{text}");
        assert!(!progress.bookings.is_sound());
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
