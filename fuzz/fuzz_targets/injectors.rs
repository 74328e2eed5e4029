//! Custom credential types: inputs, templates, and rendering.
#![no_main]

use hostler_credential_types::{InputSchema, check_injectors, check_inputs, render_injectors};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    // A text that is not JSON is used as a template.
    let injectors = match serde_json::from_slice::<Value>(data) {
        Ok(json @ Value::Object(_)) => json,
        _ => match std::str::from_utf8(data) {
            Ok(template) => {
                json!({"env": {"TOKEN": template}, "extra_vars": {"x": template}, "file": {"template": template}})
            }
            Err(_) => return,
        },
    };
    let mut definition = injectors.get("inputs").cloned().unwrap_or_else(|| {
        json!({"fields": [
            {"id": "username", "label": "u", "type": "string"},
            {"id": "password", "label": "p", "type": "string", "secret": true},
            {"id": "flag", "label": "f", "type": "boolean"},
        ]})
    });
    if check_inputs(&mut definition).is_err() {
        return;
    }
    let inputs = InputSchema::read(&definition);
    if check_injectors(&injectors, &inputs).is_ok() {
        let values = json!({"username": "ann", "password": "secret", "flag": true});
        let values = values.as_object().cloned().unwrap_or_default();
        let _ = render_injectors(&inputs, &injectors, &values, |name| name.unwrap_or("file").to_owned());
    }
});
