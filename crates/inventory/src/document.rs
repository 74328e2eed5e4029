//! Makes the document.

use serde_json::{Map, Value};

use crate::content::{Content, Host};
use crate::{ScriptError, ScriptOptions};

/// The document with this content.
pub(crate) fn document(content: Content, options: ScriptOptions) -> Result<Map<String, Value>, ScriptError> {
    let Content { variables, hosts, groups, members, children, .. } = content;
    let mut is_grouped = vec![false; hosts.len()];
    members.values().flatten().for_each(|position| is_grouped[*position] = true);
    let host_names = |positions: &[usize]| names(positions.iter().map(|position| hosts[*position].name.as_str()));

    let mut document = Map::new();
    let mut all = Map::new();
    if !variables.is_empty() {
        all.insert("vars".into(), variables.into());
    }
    let ungrouped = hosts.iter().zip(&is_grouped).filter(|(_, is_grouped)| !**is_grouped);
    all.insert("hosts".into(), names(ungrouped.map(|(host, _)| host.name.as_str())));
    if !groups.is_empty() {
        all.insert("children".into(), names(groups.iter().map(|group| group.name.as_str())));
    }
    document.insert("all".into(), all.into());
    for group in &groups {
        let mut described = Map::new();
        if let Some(positions) = members.get(&group.id) {
            described.insert("hosts".into(), host_names(positions));
        }
        if let Some(positions) = children.get(&group.id) {
            let children = positions.iter().map(|position| groups[*position].name.as_str());
            described.insert("children".into(), names(children));
        }
        let variables = group.variables()?;
        if !variables.is_empty() {
            described.insert("vars".into(), variables.into());
        }
        if !described.is_empty() {
            document.insert(group.name.clone(), described.into());
        }
    }
    if options.hostvars {
        let mut hostvars = Map::new();
        for host in &hosts {
            hostvars.insert(host.name.clone(), host_variables(host, options)?.into());
        }
        let meta = Map::from_iter([("hostvars".to_owned(), Value::Object(hostvars))]);
        document.insert("_meta".into(), meta.into());
    }
    Ok(document)
}

fn host_variables(host: &Host, options: ScriptOptions) -> Result<Map<String, Value>, ScriptError> {
    let mut variables = host.variables()?;
    if options.towervars {
        for product in ["tower", "host"] {
            variables.insert(format!("remote_{product}_enabled"), host.enabled.to_string().into());
            variables.insert(format!("remote_{product}_id"), host.id.into());
        }
    }
    Ok(variables)
}

/// A list of names.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    names.collect()
}
