//! How fast passwords may be guessed: the arithmetic, without storage or waiting.
//!
//! Guesses at one account from one kind of place form a [`Lane`]. The first few
//! wrong ones cost nothing; from then on the lane takes one guess at a time and
//! pauses after each wrong one, longer and longer. Places from which the right
//! password came lately have lanes of their own, so that strangers who guess do
//! not slow down the owner. That is the idea of OWASP's "Slow Down Online
//! Guessing Attacks with Device Cookies", with addresses in place of cookies.

use crate::{key::SecretKey, mac::MacKey};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// A lane forgets its wrong guesses when so much time passes without another.
pub const MEMORY: Duration = Duration::from_secs(3600);

/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// After so many wrong guesses the pause doubles: it stays short for people who
/// have forgotten which of their passwords it was.
const DOUBLED_AFTER: u32 = 10;

/// When pauses begin, and how long they may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wrong guesses that cost nothing; 0 means that no pause is ever made.
    pub free: u32,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Limits {
    /// How long to pause after so many wrong guesses.
    pub fn pause(&self, failures: u32) -> Duration {
        if self.free == 0 || failures < self.free {
            return Duration::ZERO;
        }
        let doublings = ((failures - self.free) / DOUBLED_AFTER).min(16);
        (FIRST_PAUSE * 2_u32.pow(doublings)).min(self.longest_pause)
    }

    /// Whether guesses are taken one at a time, when so many were wrong and so
    /// many more are being checked.
    pub fn is_strict(&self, failures: u32, under_way: u32) -> bool {
        self.free != 0 && failures.saturating_add(under_way) >= self.free
    }
}

/// The wrong guesses of one kind.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    failures: u32,
    last_failure: Option<Instant>,
    open_from: Option<Instant>,
}

impl Lane {
    /// How many guesses were wrong, as far as that is still remembered.
    pub fn failures(&self, now: Instant) -> u32 {
        let remembered = self.last_failure.is_some_and(|last| now.saturating_duration_since(last) < MEMORY);
        if remembered { self.failures } else { 0 }
    }

    /// How long until the next guess may be checked.
    pub fn closed_for(&self, now: Instant) -> Duration {
        self.open_from.map_or(Duration::ZERO, |from| from.saturating_duration_since(now))
    }

    /// Takes note of a wrong guess.
    pub fn fail(&mut self, now: Instant, limits: &Limits) {
        self.failures = self.failures(now).saturating_add(1);
        self.last_failure = Some(now);
        self.open_from = Some(now + limits.pause(self.failures));
    }

    /// Takes over wrong guesses that others know of, if they are more.
    pub fn learn(&mut self, now: Instant, failures: u32) {
        if failures > self.failures(now) {
            self.failures = failures;
            self.last_failure = Some(now);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Lane::default();
    }
}

/// Names and places as they are stored and looked up: HMACs under a key of the
/// installation, from which neither can be read back.
pub struct Digests(MacKey);

impl Digests {
    /// Digests that this installation alone can make.
    pub fn new(secret_key: &SecretKey) -> Self {
        Self(MacKey::new(&zeroize::Zeroizing::new(secret_key.derive("failed sign-ins"))))
    }

    /// What stands for a name, in 64 hexadecimal digits.
    pub fn name(&self, username: &str) -> String {
        hex::encode(self.0.of(&[b"name", username.as_bytes()]))
    }

    /// What stands for the place of an address, in 64 hexadecimal digits; see [`place`].
    pub fn place(&self, address: Option<IpAddr>) -> String {
        let place = address.map_or_else(String::new, |address| place(address).to_string());
        hex::encode(self.0.of(&[b"place", place.as_bytes()]))
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digests(..)")
    }
}

/// Where an address belongs: itself, or for IPv6 its first 64 bits, as whoever
/// has one address of such a network has them all.
pub fn place(address: IpAddr) -> IpAddr {
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

    const LIMITS: Limits = Limits { free: 5, longest_pause: Duration::from_secs(60) };

    #[test]
    fn the_first_guesses_are_free_and_pauses_grow_to_a_limit() {
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
            assert_eq!(LIMITS.pause(failures), Duration::from_millis(milliseconds), "{failures}");
        }
        assert_eq!(Limits { free: 0, ..LIMITS }.pause(1000), Duration::ZERO);
    }

    #[test]
    fn guesses_under_way_count() {
        assert!(!LIMITS.is_strict(0, 4) && LIMITS.is_strict(0, 5) && LIMITS.is_strict(3, 2) && LIMITS.is_strict(5, 0));
        assert!(!Limits { free: 0, ..LIMITS }.is_strict(1000, 1000));
    }

    #[test]
    fn a_lane_closes_after_wrong_guesses_and_forgets_them() {
        let start = Instant::now();
        let mut lane = Lane::default();
        for _ in 0..4 {
            lane.fail(start, &LIMITS);
            assert_eq!(lane.closed_for(start), Duration::ZERO);
        }
        lane.fail(start, &LIMITS);
        assert_eq!((lane.failures(start), lane.closed_for(start)), (5, Duration::from_millis(250)));
        assert_eq!(lane.closed_for(start + Duration::from_secs(1)), Duration::ZERO);
        let later = start + MEMORY;
        assert_eq!(lane.failures(later), 0);
        lane.fail(later, &LIMITS);
        assert_eq!((lane.failures(later), lane.closed_for(later)), (1, Duration::ZERO));
    }

    #[test]
    fn what_others_know_counts_if_it_is_more() {
        let now = Instant::now();
        let mut lane = Lane::default();
        lane.learn(now, 20);
        lane.learn(now, 3);
        lane.fail(now, &LIMITS);
        assert_eq!((lane.failures(now), lane.closed_for(now)), (21, Duration::from_millis(500)));
        lane.clear();
        assert_eq!((lane.failures(now), lane.closed_for(now)), (0, Duration::ZERO));
    }

    #[test]
    fn a_place_is_an_address_or_half_of_one() {
        for (address, same) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(place(address.parse().unwrap()), same.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[test]
    fn digests_are_the_installation_s_own() {
        let (one, other) =
            (Digests::new(&SecretKey::from_bytes([1; 64])), Digests::new(&SecretKey::from_bytes([2; 64])));
        assert_eq!(one.name("ann"), one.name("ann"));
        assert_ne!(one.name("ann"), other.name("ann"));
        assert_ne!(one.name("ann"), one.name("Ann"));
        assert_eq!(one.place("2001:db8::1".parse().ok()), one.place("2001:db8::2".parse().ok()));
        assert_ne!(one.place("2001:db8::1".parse().ok()), one.place("2001:db8:0:1::1".parse().ok()));
        assert_ne!(one.place(None), one.name(""));
    }
}
