//! Clock skew: how far a portal's clock is from ours.

use chrono::TimeDelta;
use humantime_serde::re::humantime::format_duration;

use crate::config::Problems;

const SUSPICIOUS: TimeDelta = TimeDelta::seconds(5);
const WRONG: TimeDelta = TimeDelta::seconds(60);

/// Says what is to be said about a skew: the portal's time minus ours.
pub(super) fn judge(key: &str, skew: TimeDelta, problems: &mut Problems) {
    let direction = if skew < TimeDelta::zero() { "behind" } else { "ahead of" };
    let amount = TimeDelta::seconds(skew.abs().num_seconds()).to_std().unwrap_or_default();
    let text = format!(
        "its clock is {} {direction} this machine's: one of the two is wrong; see that both follow NTP",
        format_duration(amount)
    );
    if skew.abs() > WRONG {
        problems.error(key, text);
    } else if skew.abs() > SUSPICIOUS {
        problems.warning(key, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seconds: i64) -> (usize, usize) {
        let mut problems = Problems::default();
        judge("portals.fer", TimeDelta::seconds(seconds), &mut problems);
        (problems.errors(), problems.warnings())
    }

    #[test]
    fn five_seconds_are_borne_and_a_minute_is_not() {
        assert_eq!(judged(5), (0, 0));
        assert_eq!(judged(-6), (0, 1));
        assert_eq!(judged(60), (0, 1));
        assert_eq!(judged(-61), (1, 0));
    }
}
