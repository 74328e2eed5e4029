//! Variables of inventories, hosts, groups and templates: JSON or YAML.
#![no_main]

use hostler_variables::{MAX_LENGTH, parse, to_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(variables) => {
            let stored = to_text(&variables);
            // Aliases lengthen a text, which may then exceed the limit.
            if stored.len() <= MAX_LENGTH {
                assert_eq!(parse(&stored).as_ref(), Ok(&variables), "{stored}");
            }
        }
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
});
