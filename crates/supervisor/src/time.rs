use std::time::Duration;

use jiff::Timestamp;

/// The present time in RFC 3339, with microseconds.
#[expect(clippy::disallowed_methods, reason = "the supervisor runs apart from the server and its clock")]
pub fn now() -> String {
    format!("{:.6}", Timestamp::now()).replace('Z', "+00:00")
}

/// For the system's poll.
pub fn timespec(duration: Duration) -> rustix::event::Timespec {
    // The bounds are far above any timeout.
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
