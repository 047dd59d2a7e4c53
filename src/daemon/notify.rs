//! Telling systemd: ready, alive, stopping. Does nothing when systemd is not there to hear it.

use std::time::Duration;

use sd_notify::NotifyState;

/// The process does its work now.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The process has begun to stop, and may need so long for it, whatever the unit says.
pub fn stopping(longest: Duration) {
    let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(longest)]);
}

/// The process reads its configuration again. Ends with [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("systemd could not be told: {error}"),
    }
}

/// One line that `systemctl status` shows.
pub fn says(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The process is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often systemd wants to hear that the process is alive, if it does: half of its limit.
pub fn watchdog_pause() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd could not be told: {error}");
    }
}
