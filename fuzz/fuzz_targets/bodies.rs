//! Decoding of JSON bodies by the descriptions of resources.
#![no_main]

use hostler_fuzz::{nobody, resource};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((resource, text)) = resource(data) else { return };
    let Ok(Value::Object(body)) = serde_json::from_slice(text) else { return };
    let messages = hostler_engine::fuzzing::decode(resource, &nobody(), &body);
    // Error messages are not empty.
    assert!(messages.iter().all(|(field, messages)| !field.is_empty() && !messages.is_empty()), "{messages:?}");
});
