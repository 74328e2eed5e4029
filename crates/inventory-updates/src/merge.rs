//! How variables of a source and those in the database become one text.

use serde_json::{Map, Value};

/// Variables of a source, with their text.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    pub variables: Map<String, Value>,
    pub text: String,
}

impl Brought {
    pub fn new(variables: Map<String, Value>) -> Self {
        Brought { text: hostler_variables::to_text(&variables), variables }
    }
}

/// The variables in a text of this server; none if it has another form.
pub(crate) fn parsed(text: &str) -> Map<String, Value> {
    hostler_variables::parse(text).unwrap_or_default()
}

/// The new variables of an object; none if they stay as they are. `others` are those that other sources have given it.
pub(crate) fn merged(current: &str, brought: &Brought, others: &[&str], overwrite: bool) -> Option<String> {
    if others.is_empty() && current == brought.text {
        return None;
    }
    let now = parsed(current);
    let mut next = if overwrite { others.iter().flat_map(|text| parsed(text)).collect() } else { now.clone() };
    next.extend(brought.variables.clone());
    (next != now).then(|| hostler_variables::to_text(&next))
}

/// What a source is remembered to have given an object: without `overwrite`, its earlier variables are still there.
pub(crate) fn remembered(before: Option<&str>, brought: &Brought, overwrite: bool) -> String {
    match before {
        Some(before) if !overwrite && before != brought.text => {
            let mut all = parsed(before);
            all.extend(brought.variables.clone());
            hostler_variables::to_text(&all)
        }
        _ => brought.text.clone(),
    }
}

/// The variables of an object that a source has left: those that only it has given are gone, and others have the values of
/// the other sources. None if nothing changes.
pub(crate) fn withdrawn(current: &str, given: &str, others: &[&str]) -> Option<String> {
    let (now, others) = (parsed(current), others.iter().flat_map(|text| parsed(text)).collect::<Map<_, _>>());
    let mut next = now.clone();
    for (name, value) in parsed(given) {
        // A user may have changed it.
        if next.get(&name) != Some(&value) {
            continue;
        }
        match others.get(&name) {
            Some(other) => next.insert(name, other.clone()),
            None => next.shift_remove(&name),
        };
    }
    (next != now).then(|| hostler_variables::to_text(&next))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn brought(variables: Value) -> Brought {
        Brought::new(variables.as_object().unwrap().clone())
    }

    #[test]
    fn variables_are_merged_or_replaced() {
        let new = brought(json!({"a": 1}));
        assert_eq!(merged("a: 1", &new, &[], false), None);
        assert_eq!(merged("a: 1", &new, &[], true), None);
        assert_eq!(merged("", &brought(json!({})), &[], true), None);
        assert_eq!(merged("b: 2", &new, &[], false).unwrap(), r#"{"b": 2, "a": 1}"#);
        assert_eq!(merged("b: 2", &new, &[], true).unwrap(), r#"{"a": 1}"#);
        assert_eq!(merged("a: 1\nb: 2\nc: 3", &new, &[r#"{"b": 2}"#], true).unwrap(), r#"{"b": 2, "a": 1}"#);
    }

    #[test]
    fn earlier_variables_are_remembered() {
        let new = brought(json!({"a": 1}));
        assert_eq!(remembered(Some(r#"{"b": 2}"#), &new, false), r#"{"b": 2, "a": 1}"#);
        assert_eq!(remembered(Some(r#"{"b": 2}"#), &new, true), r#"{"a": 1}"#);
        assert_eq!(remembered(None, &new, false), r#"{"a": 1}"#);
    }

    #[test]
    fn variables_of_a_source_are_withdrawn() {
        let current = r#"{"own": 1, "shared": 2, "changed": 3, "manual": 4}"#;
        let given = r#"{"own": 1, "shared": 2, "changed": 0}"#;
        let next = withdrawn(current, given, &[r#"{"shared": 5}"#]).unwrap();
        assert_eq!(parsed(&next), *json!({"shared": 5, "changed": 3, "manual": 4}).as_object().unwrap());
        assert_eq!(withdrawn("a: 1", "{}", &[]), None);
    }
}
