//! Stored passwords: Hostler's, Django's, and arbitrary texts.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(stored) = std::str::from_utf8(data) else { return };
    hostler_identity::password::fuzzing::verify_if_cheap(stored, "not the password");
});
