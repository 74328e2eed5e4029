//! Writes the document.

use serde_json::{Map, Value};

use crate::content::{Content, Host};
use crate::{ScriptError, ScriptOptions};

/// The document with this content.
pub(crate) fn write(content: Content, options: ScriptOptions) -> Result<String, ScriptError> {
    let Content { variables, hosts, groups, members, children } = content;
    let mut is_grouped = vec![false; hosts.len()];
    members.values().flatten().for_each(|position| is_grouped[*position] = true);
    let host_names = |positions: &[usize]| names(positions.iter().map(|position| hosts[*position].name.as_str()));

    let mut document = Writer::begin();
    let mut all = Writer::begin();
    if !variables.is_empty() {
        all.member("vars", &shown(&variables));
    }
    let ungrouped = hosts.iter().zip(&is_grouped).filter(|(_, is_grouped)| !**is_grouped);
    all.member("hosts", &names(ungrouped.map(|(host, _)| host.name.as_str())));
    if !groups.is_empty() {
        all.member("children", &names(groups.iter().map(|group| group.name.as_str())));
    }
    document.member("all", &all.end());
    for group in &groups {
        let mut described = Writer::begin();
        if let Some(positions) = members.get(&group.id) {
            described.member("hosts", &host_names(positions));
        }
        if let Some(positions) = children.get(&group.id) {
            described.member("children", &names(positions.iter().map(|position| groups[*position].name.as_str())));
        }
        let variables = group.variables()?;
        if !variables.is_empty() {
            described.member("vars", &shown(&variables));
        }
        if !described.is_empty() {
            document.member(&group.name, &described.end());
        }
    }
    if options.hostvars {
        let mut hostvars = Writer::begin();
        for host in &hosts {
            hostvars.member(&host.name, &shown(&host_variables(host, options)?));
        }
        let mut meta = Writer::begin();
        meta.member("hostvars", &hostvars.end());
        document.member("_meta", &meta.end());
    }
    Ok(document.end())
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

fn shown(variables: &Map<String, Value>) -> String {
    // The keys are texts, so this cannot fail.
    serde_json::to_string(variables).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A list of names.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::from("[");
    for name in names {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&quoted(name));
    }
    list.push(']');
    list
}

/// Writes a JSON object, whose values are JSON texts.
struct Writer(String);

impl Writer {
    fn begin() -> Self {
        Writer("{".into())
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    fn member(&mut self, key: &str, value: &str) {
        if !self.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(value);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
