//! The inventory as a file that Ansible reads without running it.

use serde_json::{Map, Value};

/// The static inventory with the content of an inventory script's answer, as JSON.
///
/// # Errors
/// For a host name that Ansible would take for several hosts in a file.
pub(crate) fn inventory_file(mut script: Map<String, Value>) -> Result<String, String> {
    let hosts = match script.shift_remove("_meta") {
        Some(Value::Object(mut meta)) => meta.shift_remove("hostvars"),
        _ => None,
    };
    let hosts = hosts.unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(name) = hosts.as_object().into_iter().flatten().map(|(name, _)| name).find(|name| is_range(name)) {
        return Err(format!("The name of the host {name:?} has the form of a range of hosts."));
    }
    let mut groups = Map::new();
    let all = script.shift_remove("all").unwrap_or_default();
    let mut all = group(all);
    // Also those of other groups: so that all are in the order of their names.
    all.insert("hosts".into(), hosts);
    groups.insert("all".into(), all.into());
    groups.extend(script.into_iter().map(|(name, content)| (name, group(content).into())));
    serde_json::to_string(&groups).map_err(|problem| problem.to_string())
}

/// A group: lists of names become objects.
fn group(mut content: Value) -> Map<String, Value> {
    let mut group = Map::new();
    for part in ["hosts", "children"] {
        let names = content.get(part).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let members: Map<String, Value> = names.map(|name| (name.to_owned(), Value::Object(Map::new()))).collect();
        if !members.is_empty() {
            group.insert(part.into(), members.into());
        }
    }
    if let Some(variables) = content.get_mut("vars") {
        group.insert("vars".into(), variables.take());
    }
    group
}

/// Whether Ansible expands it, as `web[1:3]`.
fn is_range(name: &str) -> bool {
    let inside = name.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    // An address of IPv6 in brackets is none.
    inside.is_some_and(|(inside, _)| inside.contains(':') && !name.starts_with('['))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn script_becomes_a_static_inventory() {
        let script = json!({
            "all": {"vars": {"x": 1}, "hosts": ["a"], "children": ["web"]},
            "web": {"hosts": ["b"], "children": ["db"], "vars": {"y": "2"}},
            "db": {},
            "_meta": {"hostvars": {"a": {}, "b": {"ansible_connection": "local"}}},
        });
        let file: Value = serde_json::from_str(&inventory_file(object(script)).unwrap()).unwrap();
        let expected = json!({
            "all": {"children": {"web": {}}, "vars": {"x": 1}, "hosts": {"a": {}, "b": {"ansible_connection": "local"}}},
            "web": {"hosts": {"b": {}}, "children": {"db": {}}, "vars": {"y": "2"}},
            "db": {},
        });
        assert_eq!(file, expected);
    }

    #[test]
    fn ranges_are_refused() {
        let script = |name: &str| object(json!({"all": {}, "_meta": {"hostvars": {name: {}}}}));
        assert!(inventory_file(script("web[1:3]")).is_err());
        for name in ["web", "web[1]", "[fe80::1]", "fe80::1"] {
            assert!(inventory_file(script(name)).is_ok(), "{name}");
        }
    }
}
