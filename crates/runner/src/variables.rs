//! The file with the extra variables of a job.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hostler_schema::Templating;
use serde_json::{Map, Value};

use crate::job_row::JobRow;

/// The extra variables in YAML. Unless the setting says otherwise, a text is a template only if the job template has set the
/// variable to this value, as in AWX: a user who may only launch a job must not run code by a template. The others have the tag `!unsafe`.
///
/// `answers` are those to questions for passwords, which are not among the variables of the job.
/// Variables of credentials take precedence over those of the job, and those over the variables with facts about the job.
///
/// # Errors
/// If stored variables cannot be parsed.
pub(crate) fn extra_variables(
    job: &JobRow,
    revision: &str,
    answers: BTreeMap<String, String>,
    credentials: &Map<String, Value>,
    templating: Templating,
) -> Result<String, String> {
    let parsed = |owner: &str, text: &str| {
        hostler_variables::parse(text).map_err(|problem| format!("The extra variables of the {owner}: {problem}"))
    };
    let own = parsed("job", &job.extra_vars)?;
    let trusted = match &job.template {
        // A template that cannot be parsed now has no variables that are trusted.
        Some(template) => parsed("job template", &template.extra_vars).unwrap_or_default(),
        None => Map::new(),
    };
    let mut variables = facts_about(job, revision);
    variables.extend(own);
    let answered: Vec<String> = answers.keys().cloned().collect();
    variables.extend(answers.into_iter().map(|(name, answer)| (name, answer.into())));
    variables.extend(credentials.clone());
    let mut text = String::from("{");
    for (name, value) in &variables {
        if text.len() > 1 {
            text.push(',');
        }
        text.push('\n');
        quote(&mut text, name);
        text.push_str(": ");
        let is_trusted = match templating {
            Templating::Always => true,
            Templating::Never => false,
            Templating::InTemplates => {
                trusted.get(name) == Some(value) && !credentials.contains_key(name) && !answered.contains(name)
            }
        };
        write_value(&mut text, value, !is_trusted);
    }
    text.push_str("\n}\n");
    Ok(text)
}

/// What a playbook can read about its job, as in AWX, each under two names.
fn facts_about(job: &JobRow, revision: &str) -> Map<String, Value> {
    let mut facts: Vec<(&str, Value)> =
        vec![("job_id", job.id.into()), ("job_launch_type", job.launch_type.as_str().into())];
    if let Some(template) = &job.template {
        facts.push(("job_template_id", template.id.into()));
        facts.push(("job_template_name", template.name.as_str().into()));
    }
    if let Some(project) = &job.project {
        let branch = if job.branch.is_empty() { &project.source.branch } else { &job.branch };
        facts.push(("project_revision", revision.into()));
        facts.push(("project_scm_branch", branch.as_str().into()));
    }
    if let Some(inventory) = &job.inventory {
        facts.push(("inventory_id", inventory.id.into()));
        facts.push(("inventory_name", inventory.name.as_str().into()));
    }
    if let Some(user) = &job.user {
        facts.push(("user_id", user.id.into()));
        facts.push(("user_name", user.username.as_str().into()));
        facts.push(("user_email", user.email.as_str().into()));
        facts.push(("user_first_name", user.first_name.as_str().into()));
        facts.push(("user_last_name", user.last_name.as_str().into()));
    }
    let mut variables = Map::new();
    for (name, value) in facts {
        variables.insert(format!("tower_{name}"), value.clone());
        variables.insert(format!("awx_{name}"), value);
    }
    variables
}

/// Writes a value in the flow style of YAML, which is JSON but for tags and numbers.
fn write_value(text: &mut String, value: &Value, is_unsafe: bool) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&yaml_number(&number.to_string())),
        Value::String(value) => {
            if is_unsafe {
                text.push_str("!unsafe ");
            }
            quote(text, value);
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_value(text, item, is_unsafe);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                // `? ` allows keys of any length.
                text.push_str("? ");
                quote(text, name);
                text.push_str(" : ");
                write_value(text, member, is_unsafe);
            }
            text.push('}');
        }
    }
}

/// YAML 1.1 takes `1e5` for a text: a float needs a point, and its exponent a sign.
fn yaml_number(number: &str) -> String {
    match number.split_once(['e', 'E']) {
        None => number.to_owned(),
        Some((mantissa, exponent)) => {
            let point = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
            format!("{mantissa}{point}e{sign}{exponent}")
        }
    }
}

/// Writes a text in double quotes, with escapes for all but printable ASCII.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            ' '..='~' => text.push(character),
            _ => {
                // Writing to a text cannot fail.
                let _ = match u32::from(character) {
                    code @ ..=0xffff => write!(text, "\\u{code:04x}"),
                    code => write!(text, "\\U{code:08x}"),
                };
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: &Value, is_unsafe: bool) -> String {
        let mut text = String::new();
        write_value(&mut text, value, is_unsafe);
        text
    }

    #[test]
    fn values_are_yaml() {
        let value = json!({"a": ["x", 1, 1.5, true, null], "b": {"c": "{{ x }}"}});
        let text = r#"{? "a" : [!unsafe "x", 1, 1.5, true, null], ? "b" : {? "c" : !unsafe "{{ x }}"}}"#;
        assert_eq!(written(&value, true), text);
        assert_eq!(written(&json!("\u{7f}\u{1f600}é\t\"\\"), false), r#""\u007f\U0001f600\u00e9\u0009\"\\""#);
        assert_eq!(hostler_variables::parse(&written(&value, false)).unwrap(), *value.as_object().unwrap());
    }

    #[test]
    fn numbers_stay_numbers() {
        for (number, expected) in [("1", "1"), ("1.5", "1.5"), ("1e5", "1.0e+5"), ("1.5e-7", "1.5e-7")] {
            assert_eq!(yaml_number(number), expected);
        }
    }
}
