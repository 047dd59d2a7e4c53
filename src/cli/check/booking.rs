//! The certificate of the booking listener: read as it will be at the start.

use crate::config::{Config, Problems};
use crate::daemon::booking_certificate;
use crate::serve::booking::BookingBindError;

/// Names the file of the certificate that cannot be used.
pub(super) fn check(config: &Config, problems: &mut Problems) {
    let Some(files) = config.booking.as_ref().and_then(booking_certificate) else { return };
    if let Err(BookingBindError::File { key, path, reason }) = files.check() {
        problems.error(format!("booking.{key}"), format!("{path}: {reason}"));
    }
}
