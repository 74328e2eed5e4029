//! The paths of AWX_ISOLATION_SHOW_PATHS.

use hostler_schema::ShownPath;
use serde_json::{Value as Json, json};

use crate::value_type::{CustomType, Messages, message, python_type};

/// The options, each with whether jobs can change the files. `O` stands for changes that are dropped when the job ends.
const OPTIONS: [(&str, bool); 5] = [("O", false), ("ro", false), ("rw", true), ("z", true), ("Z", true)];

pub(crate) static SHOWN_PATHS_TYPE: CustomType = CustomType {
    name: "list",
    child: Some(|| json!({"type": "string", "hidden": false})),
    check,
    json_schema: || json!({"type": "array", "items": {"type": "string", "pattern": "^/"}}),
};

fn check(value: &Json) -> Result<Json, Messages> {
    let expected = |kind: &str| message(format!("Expected list of strings but got <class '{kind}'> instead."));
    let items = value.as_array().ok_or_else(|| expected(python_type(value)))?;
    for item in items {
        let text = item.as_str().ok_or_else(|| expected(python_type(item)))?;
        shown_path(text).map_err(message)?;
    }
    Ok(value.clone())
}

/// Reads one path.
pub(crate) fn shown_path(text: &str) -> Result<ShownPath, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, option) = match parts[..] {
        [source] => (source, source, "z"),
        [source, destination] => (source, destination, "z"),
        [source, destination, option] => (source, destination, option),
        _ => return Err(not_absolute(text)),
    };
    // A job would not start with a root that is something else.
    let is_absolute = |path: &str| path.starts_with('/') && !path.trim_matches('/').is_empty() && !path.contains('\0');
    if let Some(path) = [source, destination].into_iter().find(|path| !is_absolute(path)) {
        return Err(not_absolute(path));
    }
    let known = OPTIONS.iter().find(|(known, _)| *known == option);
    let is_writable = known.map(|(_, is_writable)| *is_writable).ok_or_else(|| {
        let names = OPTIONS.map(|(name, _)| name).join(", ");
        format!("{option} is not a valid mount option. Allowed types are {names}")
    })?;
    Ok(ShownPath { source: source.to_owned(), destination: destination.to_owned(), is_writable })
}

fn not_absolute(path: &str) -> String {
    format!("{path} is not a valid path choice. You must provide an absolute path.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_destinations_and_options() {
        let shown = |source: &str, destination: &str, is_writable| {
            Ok(ShownPath { source: source.into(), destination: destination.into(), is_writable })
        };
        assert_eq!(shown_path("/a"), shown("/a", "/a", true));
        assert_eq!(shown_path("/a:/b"), shown("/a", "/b", true));
        assert_eq!(shown_path("/a:/b:O"), shown("/a", "/b", false));
        for (text, path) in [("a", "a"), ("", ""), ("/a:b", "b"), ("/a::O", ""), ("a:b:c:d", "a:b:c:d"), ("/", "/")] {
            assert_eq!(shown_path(text), Err(not_absolute(path)), "{text}");
        }
        assert!(shown_path("/a:/b:x").is_err());
    }
}
