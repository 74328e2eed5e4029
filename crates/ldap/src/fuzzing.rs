//! What the targets in `fuzz/` reach of the inside; it is compiled for them only.

use crate::{connection, filter};

/// Reads a message of a directory, in each way in which one is read.
pub fn read(message: &[u8]) {
    connection::read(message);
}

/// Reads a filter, and fills a name into it.
pub fn filter(text: &str) {
    if filter::is_filter(text) {
        let _ = filter::fill(text, text);
    }
    let _ = filter::fill_dn(text, text);
}
