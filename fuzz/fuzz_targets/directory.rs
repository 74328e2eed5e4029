//! What a directory answers, and what settings tell of one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    hostler_ldap::fuzzing::read(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    // What is escaped becomes longer, and may then be too long to be read.
    if text.len() < 1024
        && let Some(name) = hostler_ldap::normalize_dn(text)
    {
        assert_eq!(hostler_ldap::normalize_dn(&name).as_deref(), Some(name.as_str()), "it does not stay");
    }
    hostler_ldap::fuzzing::filter(text);
});
