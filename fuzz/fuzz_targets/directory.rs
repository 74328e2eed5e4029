//! Entries of LDAP directories, and LDAP settings.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    hostler_ldap::fuzzing::read(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Escaping lengthens a text, which may then exceed the parser's limit.
    if text.len() < 1024
        && let Some(name) = hostler_ldap::normalize_dn(text)
    {
        assert_eq!(hostler_ldap::normalize_dn(&name).as_deref(), Some(name.as_str()), "it does not stay");
    }
    hostler_ldap::fuzzing::filter(text);
});
