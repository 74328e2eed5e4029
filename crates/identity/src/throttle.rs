//! The delays after wrong passwords and codes: arithmetic only, no storage and
//! no waiting.
//!
//! The first few wrong guesses at a username are free. From then on guesses are
//! checked one at a time, with a delay after each wrong one that grows with their
//! number. Locations from which the right password came lately are counted
//! separately, so that a stranger's guesses do not slow down the owner. That is
//! the idea of OWASP's "Slow Down Online Guessing Attacks with Device Cookies",
//! with addresses instead of cookies.

use crate::{key::SecretKey, mac::MacKey};
use jiff::{SignedDuration, Timestamp};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Failures are forgotten when this much time passes without another one.
pub const FAILURE_TTL: Duration = Duration::from_secs(3600);
/// How much the clocks of two nodes may differ.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The delay doubles after this many further failures. It stays short for people
/// who try several of their own passwords.
const FAILURES_PER_DOUBLING: u32 = 10;

/// When delays begin, and how long they become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayPolicy {
    /// Failures without a delay; 0 disables all delays.
    pub free_failures: u32,
    /// The longest delay.
    pub max_delay: Duration,
}

impl DelayPolicy {
    /// The delay after this many failures.
    pub fn delay(&self, failures: u32) -> Duration {
        if self.free_failures == 0 || failures < self.free_failures {
            return Duration::ZERO;
        }
        let doublings = ((failures - self.free_failures) / FAILURES_PER_DOUBLING).min(16);
        (FIRST_DELAY * 2_u32.pow(doublings)).min(self.max_delay)
    }

    /// Whether further guesses are checked one at a time, given the failures so
    /// far and the guesses that are being checked now.
    pub fn is_serial(&self, failures: u32, in_progress: u32) -> bool {
        self.free_failures != 0 && failures.saturating_add(in_progress) >= self.free_failures
    }

    /// How long until the next guess may be checked.
    pub fn retry_after(&self, count: &FailureCount, now: Timestamp) -> Duration {
        let Some(last_failure) = count.last_failure else { return Duration::ZERO };
        let since = now.duration_since(last_failure);
        // A failure in the future was stored before the clock was set back: waiting for its end could take years.
        if since < -SignedDuration::try_from(MAX_CLOCK_SKEW).unwrap_or_default() {
            return Duration::ZERO;
        }
        let since = Duration::try_from(since).unwrap_or_default();
        self.delay(count.recent(now)).saturating_sub(since)
    }
}

/// Failures, and when the last one happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureCount {
    /// How many, without gaps longer than [`FAILURE_TTL`].
    pub failures: u32,
    /// When the last one happened.
    pub last_failure: Option<Timestamp>,
}

impl FailureCount {
    /// The failures that are not forgotten yet.
    pub fn recent(&self, now: Timestamp) -> u32 {
        let ttl = SignedDuration::try_from(FAILURE_TTL).unwrap_or_default();
        let is_recent = self.last_failure.is_some_and(|last| now.duration_since(last) < ttl);
        if is_recent { self.failures } else { 0 }
    }

    /// Counts one more failure.
    pub fn add(&mut self, now: Timestamp) {
        self.failures = self.recent(now).saturating_add(1);
        self.last_failure = Some(now);
    }
}

/// Usernames and networks as they are stored and looked up: HMACs under a key of
/// the installation, which cannot be reversed. People type passwords into the
/// username field.
pub struct Digests(MacKey);

impl Digests {
    /// Digests under a key derived from the installation's.
    pub fn new(secret_key: &SecretKey) -> Self {
        Self(MacKey::new(&zeroize::Zeroizing::new(secret_key.derive("failed sign-ins"))))
    }

    /// The digest of a username, in 64 hexadecimal digits.
    pub fn username(&self, username: &str) -> String {
        hex::encode(self.0.of(&[b"name", username.as_bytes()]))
    }

    /// The digest of an address's network, in 64 hexadecimal digits; see [`network`].
    pub fn network(&self, address: Option<IpAddr>) -> String {
        let network = address.map_or_else(String::new, |address| network(address).to_string());
        hex::encode(self.0.of(&[b"place", network.as_bytes()]))
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digests(..)")
    }
}

/// The network of an address: an IPv4 address itself, the first 64 bits of an
/// IPv6 address, because a client with one address of such a network has them all.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: DelayPolicy = DelayPolicy { free_failures: 5, max_delay: Duration::from_secs(60) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn delays_start_after_the_free_failures_and_grow_to_a_limit() {
        for (failures, milliseconds) in [
            (0, 0),
            (4, 0),
            (5, 250),
            (14, 250),
            (15, 500),
            (25, 1000),
            (45, 4000),
            (75, 32_000),
            (85, 60_000),
            (1_000_000, 60_000),
            (u32::MAX, 60_000),
        ] {
            assert_eq!(POLICY.delay(failures), Duration::from_millis(milliseconds), "{failures}");
        }
        assert_eq!(DelayPolicy { free_failures: 0, ..POLICY }.delay(1000), Duration::ZERO);
    }

    #[test]
    fn guesses_in_progress_count_as_failures() {
        assert!(!POLICY.is_serial(0, 4) && POLICY.is_serial(0, 5) && POLICY.is_serial(3, 2) && POLICY.is_serial(5, 0));
        assert!(!DelayPolicy { free_failures: 0, ..POLICY }.is_serial(1000, 1000));
    }

    #[test]
    fn failures_delay_the_next_guess_and_are_forgotten() {
        let mut count = FailureCount::default();
        for _ in 0..4 {
            count.add(at(1000));
            assert_eq!(POLICY.retry_after(&count, at(1000)), Duration::ZERO);
        }
        count.add(at(1000));
        assert_eq!((count.recent(at(1000)), POLICY.retry_after(&count, at(1000))), (5, Duration::from_millis(250)));
        assert_eq!(POLICY.retry_after(&count, at(1001)), Duration::ZERO);
        let later = at(1000 + FAILURE_TTL.as_secs() as i64);
        assert_eq!(count.recent(later), 0);
        count.add(later);
        assert_eq!((count.recent(later), POLICY.retry_after(&count, later)), (1, Duration::ZERO));
    }

    #[test]
    fn future_failure_is_ignored_beyond_clock_skew() {
        let count = FailureCount { failures: 1000, last_failure: Some(at(1000)) };
        assert_eq!(POLICY.retry_after(&count, at(990)), Duration::from_secs(60));
        assert_eq!(POLICY.retry_after(&count, at(100)), Duration::ZERO);
    }

    #[test]
    fn network_is_ipv4_address_or_ipv6_prefix() {
        for (address, same) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), same.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[test]
    fn digests_depend_on_the_installation_key() {
        let (one, other) =
            (Digests::new(&SecretKey::from_bytes([1; 64])), Digests::new(&SecretKey::from_bytes([2; 64])));
        assert_eq!(one.username("ann"), one.username("ann"));
        assert_ne!(one.username("ann"), other.username("ann"));
        assert_ne!(one.username("ann"), one.username("Ann"));
        assert_eq!(one.network("2001:db8::1".parse().ok()), one.network("2001:db8::2".parse().ok()));
        assert_ne!(one.network("2001:db8::1".parse().ok()), one.network("2001:db8:0:1::1".parse().ok()));
        assert_ne!(one.network(None), one.username(""));
    }
}
