//! The hosts and groups of a source, with what the source says of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostler_variables::python_text;
use regex::Regex;
use serde_json::{Map, Value};

use crate::output::Output;

/// The longest name of a host or a group, in characters.
const LONGEST_NAME: usize = 512;
/// The longest id of a host in its service.
const LONGEST_INSTANCE_ID: usize = 1024;
/// The groups that Ansible itself defines.
const OWN_GROUPS: [&str; 2] = ["all", "ungrouped"];

/// Which hosts and groups of an output are taken, and how their state is found.
#[derive(Debug, Default)]
pub struct Selection {
    /// Only hosts whose names begin with a match are taken.
    pub host_filter: Option<Regex>,
    /// Whether groups without hosts and groups in them are left out.
    pub excludes_empty_groups: bool,
    /// Variables with the id of a host in its service: alternatives, whose parts are separated by dots.
    pub instance_id: Vec<String>,
    /// Variables that are not taken, because they say only which host it is.
    pub left_out: Vec<String>,
    /// Variables that say whether a host is enabled; none if all are.
    pub enabled_variables: Vec<String>,
    /// The value of that variable for enabled hosts; none for any that is true.
    pub enabled_value: Option<String>,
}

impl Selection {
    /// The filter for a regular expression, which is empty if there is none.
    ///
    /// # Errors
    /// If it is invalid.
    pub fn filter(pattern: &str) -> Result<Option<Regex>, regex::Error> {
        if pattern.is_empty() { Ok(None) } else { Regex::new(&format!(r"\A(?:{pattern})")).map(Some) }
    }
}

/// A host of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundHost {
    /// Its name.
    pub name: String,
    /// Its variables.
    pub variables: Map<String, Value>,
    /// The positions of the groups that it is directly in.
    pub groups: Vec<usize>,
    /// Its id in the service; empty if there is none.
    pub instance_id: String,
    /// Whether it is enabled; none if the source does not say it.
    pub enabled: Option<bool>,
}

/// A group of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundGroup {
    /// Its name.
    pub name: String,
    /// Its variables.
    pub variables: Map<String, Value>,
    /// The positions of the groups in it.
    pub children: Vec<usize>,
}

/// What a source contains.
#[derive(Debug, Default)]
pub struct Found {
    /// The variables of all hosts.
    pub variables: Map<String, Value>,
    /// The hosts, by name.
    pub hosts: Vec<FoundHost>,
    /// The groups, by name.
    pub groups: Vec<FoundGroup>,
}

/// Why the content of a source cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInventory {
    /// A name is empty, too long, or has control characters.
    #[error(
        "{0:?} cannot be the name of a {1}: names are not empty, have no control characters, and at most {LONGEST_NAME} characters."
    )]
    Name(String, &'static str),
}

fn check_name(name: &str, kind: &'static str) -> Result<(), InvalidInventory> {
    let is_valid = !name.is_empty() && !name.chars().any(char::is_control) && name.chars().count() <= LONGEST_NAME;
    // A long name is not repeated as a whole.
    let shown = || name.chars().take(LONGEST_NAME).collect();
    if is_valid { Ok(()) } else { Err(InvalidInventory::Name(shown(), kind)) }
}

impl Found {
    /// Takes from an output what is selected.
    ///
    /// # Errors
    /// If names are invalid.
    pub fn select(mut output: Output, selection: &Selection) -> Result<Found, InvalidInventory> {
        let mut top = vec![];
        let variables = output.groups.remove("all").map(|mut all| {
            top = std::mem::take(&mut all.children);
            let hosts = std::mem::take(&mut all.hosts);
            output.hosts.extend(missing(&output.hosts, hosts));
            all.vars
        });
        if let Some(ungrouped) = output.groups.remove("ungrouped") {
            output.hosts.extend(missing(&output.hosts, ungrouped.hosts));
        }
        let members: Vec<String> = output.groups.values().flat_map(|group| group.hosts.iter().cloned()).collect();
        output.hosts.extend(missing(&output.hosts, members));
        let is_taken = |name: &str| selection.host_filter.as_ref().is_none_or(|filter| filter.is_match(name));
        output.hosts.retain(|name, _| is_taken(name));

        let names = group_names(&output, &top, selection);
        names.iter().try_for_each(|name| check_name(name, "group"))?;
        let positions: HashMap<&str, usize> = names.iter().zip(0..).map(|(name, at)| (name.as_str(), at)).collect();
        let mut groups_of: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut groups: Vec<FoundGroup> = Vec::with_capacity(names.len());
        for (name, position) in names.iter().zip(0..) {
            let mut group = FoundGroup { name: name.clone(), ..FoundGroup::default() };
            if let Some(found) = output.groups.get(name) {
                group.children =
                    found.children.iter().filter_map(|child| positions.get(child.as_str()).copied()).collect();
                group.children.retain(|child| *child != position);
                group.children.sort_unstable();
                group.children.dedup();
                for host in &found.hosts {
                    groups_of.entry(host).or_default().push(position);
                }
            }
            groups.push(group);
        }
        let mut hosts = Vec::with_capacity(output.hosts.len());
        for (name, mut variables) in output.hosts {
            check_name(&name, "host")?;
            let mut groups = groups_of.remove(name.as_str()).unwrap_or_default();
            groups.dedup();
            let instance_id = instance_id(&variables, &selection.instance_id);
            let enabled = enabled(&variables, selection);
            selection.left_out.iter().for_each(|name| drop(variables.shift_remove(name)));
            hosts.push(FoundHost { name, variables, groups, instance_id, enabled });
        }
        hosts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        drop((positions, groups_of));
        for group in &mut groups {
            group.variables = output.groups.remove(&group.name).map(|found| found.vars).unwrap_or_default();
        }
        Ok(Found { variables: variables.unwrap_or_default(), hosts, groups })
    }
}

/// Hosts of groups that have no variables.
fn missing(known: &HashMap<String, Map<String, Value>>, hosts: Vec<String>) -> Vec<(String, Map<String, Value>)> {
    hosts.into_iter().filter(|host| !known.contains_key(host)).map(|host| (host, Map::new())).collect()
}

/// The names of the groups that are taken, in order. `top` are those directly in the group `all`.
fn group_names(output: &Output, top: &[String], selection: &Selection) -> Vec<String> {
    let mut names: BTreeSet<&str> = output.groups.keys().map(String::as_str).collect();
    // A group without content has no entry of its own.
    names.extend(output.groups.values().flat_map(|group| &group.children).chain(top).map(String::as_str));
    names.retain(|name| !OWN_GROUPS.contains(name));
    if selection.excludes_empty_groups {
        let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut next: Vec<&str> = vec![];
        for (name, group) in &output.groups {
            for child in &group.children {
                parents.entry(child).or_default().push(name);
            }
            if group.hosts.iter().any(|host| output.hosts.contains_key(host)) {
                next.push(name);
            }
        }
        let mut filled: BTreeSet<&str> = next.iter().copied().collect();
        while let Some(name) = next.pop() {
            next.extend(parents.get(name).into_iter().flatten().filter(|parent| filled.insert(parent)));
        }
        names.retain(|name| filled.contains(name));
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The value of the first of these variables that there is, and is not empty.
fn lookup<'v>(variables: &'v Map<String, Value>, alternatives: &[String]) -> Option<&'v Value> {
    alternatives.iter().find_map(|path| {
        let mut parts = path.trim().split('.');
        let first = variables.get(parts.next()?)?;
        let value = parts.try_fold(first, |value, part| value.get(part))?;
        let is_empty = matches!(value, Value::Null) || value.as_str().is_some_and(str::is_empty);
        (!is_empty).then_some(value)
    })
}

fn instance_id(variables: &Map<String, Value>, alternatives: &[String]) -> String {
    let id = lookup(variables, alternatives).map(python_text).unwrap_or_default();
    if id.chars().count() > LONGEST_INSTANCE_ID || id.contains('\0') { String::new() } else { id }
}

fn enabled(variables: &Map<String, Value>, selection: &Selection) -> Option<bool> {
    let value = lookup(variables, &selection.enabled_variables)?;
    Some(match &selection.enabled_value {
        Some(wanted) => python_text(value) == *wanted,
        None => match value {
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::String(_) => true,
            Value::Null => false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::output;

    const TEXT: &str = r#"{
        "_meta": {"hostvars": {"a1": {"state": {"power": "on"}, "uid": 7}, "b1": {"state": {"power": "off"}}}},
        "all": {"children": ["ungrouped", "site", "empty"], "vars": {"top": 1}},
        "ungrouped": {"hosts": ["loose"]},
        "site": {"children": ["web", "hollow"]},
        "web": {"hosts": ["a1", "b1"], "vars": {"color": "blue"}}
    }"#;

    fn names(found: &Found) -> (Vec<&str>, Vec<&str>) {
        let hosts = found.hosts.iter().map(|host| host.name.as_str()).collect();
        (hosts, found.groups.iter().map(|group| group.name.as_str()).collect())
    }

    #[test]
    fn hosts_and_groups_are_found() {
        let found = Found::select(output(TEXT), &Selection::default()).unwrap();
        assert_eq!(names(&found), (vec!["a1", "b1", "loose"], vec!["empty", "hollow", "site", "web"]));
        assert_eq!(found.variables["top"], 1);
        assert_eq!(found.groups[2].children, [1, 3]);
        assert_eq!(found.groups[3].variables["color"], "blue");
        assert_eq!((found.hosts[0].groups.as_slice(), found.hosts[2].groups.as_slice()), (&[3][..], &[][..]));
        assert_eq!(found.hosts[0].enabled, None);
    }

    #[test]
    fn selection_applies() {
        let selection = Selection {
            host_filter: Selection::filter("a|loose").unwrap(),
            excludes_empty_groups: true,
            instance_id: vec!["id".into(), "uid".into()],
            left_out: vec!["uid".into()],
            enabled_variables: vec!["state.power".into()],
            enabled_value: Some("on".into()),
        };
        let found = Found::select(output(TEXT), &selection).unwrap();
        assert_eq!(names(&found), (vec!["a1", "loose"], vec!["site", "web"]));
        assert_eq!((found.hosts[0].instance_id.as_str(), found.hosts[0].enabled), ("7", Some(true)));
        assert!(found.hosts[0].variables.contains_key("state") && !found.hosts[0].variables.contains_key("uid"));
        assert_eq!((found.hosts[1].instance_id.as_str(), found.hosts[1].enabled), ("", None));
        let all = Selection { host_filter: None, ..selection };
        assert_eq!(Found::select(output(TEXT), &all).unwrap().hosts[1].enabled, Some(false));
        let any = Selection { enabled_value: None, ..all };
        assert_eq!(Found::select(output(TEXT), &any).unwrap().hosts[1].enabled, Some(true));
    }

    #[test]
    fn filter_matches_at_the_beginning() {
        let filter = Selection::filter("b|c").unwrap().unwrap();
        assert!(filter.is_match("bc") && filter.is_match("c") && !filter.is_match("ab"));
        assert!(Selection::filter("").unwrap().is_none() && Selection::filter("(").is_err());
    }

    #[test]
    fn invalid_names_are_errors() {
        for text in [r#"{"_meta": {"hostvars": {"a\nb": {}}}}"#, r#"{"web": {"hosts": [""]}}"#, r#"{"we\u0000b": {}}"#]
        {
            assert!(Found::select(output(text), &Selection::default()).is_err(), "{text}");
        }
    }
}
