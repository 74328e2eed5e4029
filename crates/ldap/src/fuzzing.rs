//! Private functions for the targets in `fuzz/`; compiled for them only.

use crate::{connection, filter};

/// Parses an LDAP message in every way.
pub fn read(message: &[u8]) {
    connection::read(message);
}

/// Parses a filter and inserts a username.
pub fn filter(text: &str) {
    if filter::is_filter(text) {
        let _ = filter::fill(text, text);
    }
    let _ = filter::fill_dn(text, text);
}
