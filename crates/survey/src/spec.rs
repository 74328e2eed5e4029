//! The check of a survey that a client sends.

use std::collections::{BTreeMap, BTreeSet};

use hostler_variables::python_text;
use serde_json::{Map, Value as Json};

use crate::ENCRYPTED;
use crate::answers::choices;

/// The types of questions.
const TYPES: [&str; 7] = ["text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"];

/// A valid survey.
#[derive(Debug, PartialEq)]
pub struct CheckedSpec {
    /// The survey, with [`ENCRYPTED`] for each default of a password.
    pub spec: Map<String, Json>,
    /// The defaults of passwords by variable: a new one, or `None` for one that the client keeps.
    pub passwords: BTreeMap<String, Option<String>>,
}

/// Checks a survey. `is_stored` says whether a password with this variable has a stored default, which [`ENCRYPTED`] keeps.
///
/// # Errors
/// The message for the client.
pub fn check_spec(sent: &Map<String, Json>, is_stored: impl Fn(&str) -> bool) -> Result<CheckedSpec, String> {
    let missing = |name: &str| format!("Field '{name}' is missing from survey spec.");
    let questions = match sent.get("spec") {
        None => return Err(missing("spec")),
        Some(Json::Array(questions)) if questions.is_empty() => {
            return Err("'spec' doesn't contain any items.".into());
        }
        Some(Json::Array(questions)) => questions,
        Some(other) => {
            let received = type_name(other);
            return Err(format!("Expected list of items for field 'spec', received {received} type."));
        }
    };
    for name in ["name", "description"] {
        match sent.get(name) {
            None => return Err(missing(name)),
            Some(Json::String(_)) => {}
            Some(other) => {
                return Err(format!("Expected string for field '{name}', received {} type.", type_name(other)));
            }
        }
    }
    let mut checked = CheckedSpec { spec: sent.clone(), passwords: BTreeMap::new() };
    checked.spec.retain(|name, _| ["name", "description", "spec"].contains(&name.as_str()));
    let mut variables = BTreeSet::new();
    let mut stored = vec![];
    for (position, question) in questions.iter().enumerate() {
        let Json::Object(question) = question else {
            return Err(format!("Survey question {position} is not a json object."));
        };
        let mut question = question.clone();
        let variable = check_question(&question, position)?;
        if !variables.insert(variable.clone()) {
            return Err(format!("'variable' '{variable}' duplicated in survey question {position}."));
        }
        check_limits(&question, position)?;
        check_choices(&question, position)?;
        if let Some(default) = check_default(&question, position, is_stored(&variable))? {
            checked.passwords.insert(variable, (default != ENCRYPTED).then_some(default));
            question.insert("default".into(), ENCRYPTED.into());
        }
        stored.push(Json::Object(question));
    }
    checked.spec.insert("spec".into(), stored.into());
    Ok(checked)
}

/// Checks the keys that every question has, and returns its variable.
fn check_question(question: &Map<String, Json>, position: usize) -> Result<String, String> {
    for name in ["type", "question_name", "variable", "required"] {
        if !question.contains_key(name) {
            return Err(format!("'{name}' missing from survey question {position}"));
        }
    }
    for name in ["type", "question_name", "variable"] {
        if !question[name].is_string() {
            return Err(format!("'{name}' in survey question {position} expected to be string."));
        }
    }
    if !question["required"].is_boolean() {
        return Err(format!("'required' in survey question {position} expected to be boolean."));
    }
    let kind = kind(question);
    if !TYPES.contains(&kind) {
        let known = TYPES.join(", ");
        return Err(format!("'{kind}' in survey question {position} is not one of '{known}' allowed question types."));
    }
    Ok(question["variable"].as_str().unwrap_or_default().to_owned())
}

fn kind(question: &Map<String, Json>) -> &str {
    question.get("type").and_then(Json::as_str).unwrap_or_default()
}

fn check_limits(question: &Map<String, Json>, position: usize) -> Result<(), String> {
    for name in ["min", "max"] {
        match question.get(name) {
            None | Some(Json::Null) => {}
            Some(limit) if limit.is_i64() || limit.is_u64() => {}
            Some(_) => return Err(format!("The {name} limit in survey question {position} expected to be integer.")),
        }
    }
    Ok(())
}

fn check_choices(question: &Map<String, Json>, position: usize) -> Result<(), String> {
    let kind = kind(question);
    if !["multiplechoice", "multiselect"].contains(&kind) {
        return Ok(());
    }
    match question.get("choices") {
        Some(Json::Array(items)) if !items.iter().all(Json::is_string) => {
            Err(format!("The choices in survey question {position} expected to be strings."))
        }
        Some(found) if !choices(found).is_empty() => Ok(()),
        _ => Err(format!("Survey question {position} of type {kind} must specify choices.")),
    }
}

/// Checks the default, and returns that of a password.
fn check_default(question: &Map<String, Json>, position: usize, is_stored: bool) -> Result<Option<String>, String> {
    let kind = kind(question);
    let default = match question.get("default") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) if text.is_empty() => return Ok(None),
        Some(default) => default,
    };
    let expected = |what: &str| {
        let default = python_text(default);
        Err(format!("Default value {default} in survey question {position} expected to be {what}."))
    };
    if default == ENCRYPTED && kind != "password" {
        return Err(format!(
            "{ENCRYPTED} is a reserved keyword for password question defaults, survey question {position} is type \
             {kind}."
        ));
    }
    match (kind, default) {
        ("integer", Json::Number(number)) if number.is_i64() || number.is_u64() => Ok(None),
        ("integer", _) => expected("integer"),
        ("float", Json::Number(_)) => Ok(None),
        ("float", _) => expected("float"),
        (_, Json::String(text)) => match kind {
            "password" if text == ENCRYPTED && !is_stored => Err(format!(
                "{ENCRYPTED} is a reserved keyword, may not be used for new default in position {position}."
            )),
            "password" => Ok(Some(text.clone())),
            "multiplechoice" | "multiselect" => check_default_choice(question, text, kind).map(|()| None),
            _ => Ok(None),
        },
        _ => expected("string"),
    }
}

fn check_default_choice(question: &Map<String, Json>, default: &str, kind: &str) -> Result<(), String> {
    let offered = question.get("choices").map(choices).unwrap_or_default();
    let chosen: Vec<&str> = default.lines().filter(|line| !line.is_empty()).collect();
    if kind == "multiplechoice" && chosen.len() > 1 {
        return Err("Multiple Choice (Single Select) can only have one default value.".into());
    }
    if chosen.iter().all(|choice| offered.iter().any(|known| known == choice)) {
        Ok(())
    } else {
        Err("Default choice must be answered from the choices listed.".into())
    }
}

/// The name of a JSON type in AWX's messages about surveys.
fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "OrderedDict",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Json) -> Map<String, Json> {
        match value {
            Json::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn question(kind: &str, changes: Json) -> Json {
        let mut question = object(json!({
            "question_name": "V", "question_description": "", "required": false, "type": kind, "variable": "v",
            "default": "", "choices": "", "min": null, "max": null,
        }));
        question.extend(object(changes));
        question.into()
    }

    fn outcome(questions: Json) -> Result<CheckedSpec, String> {
        check_spec(&object(json!({"name": "s", "description": "", "spec": questions})), |variable| variable == "stored")
    }

    #[test]
    fn survey_needs_its_keys() {
        for (sent, message) in [
            (json!({}), "Field 'spec' is missing from survey spec."),
            (json!({"name": 1, "description": "", "spec": []}), "'spec' doesn't contain any items."),
            (
                json!({"name": "s", "description": "", "spec": {}}),
                "Expected list of items for field 'spec', received OrderedDict type.",
            ),
            (
                json!({"name": "s", "description": null, "spec": [1]}),
                "Expected string for field 'description', received NoneType type.",
            ),
            (json!({"name": "s", "spec": [1]}), "Field 'description' is missing from survey spec."),
            (json!({"name": "s", "description": "", "spec": ["x"]}), "Survey question 0 is not a json object."),
        ] {
            assert_eq!(check_spec(&object(sent), |_| false).unwrap_err(), message);
        }
    }

    #[test]
    fn invalid_questions_are_rejected() {
        let rejected = |question: Json| outcome(json!([question])).unwrap_err();
        for (kind, changes, message) in [
            ("text", json!({"required": "yes"}), "'required' in survey question 0 expected to be boolean."),
            ("text", json!({"type": 5}), "'type' in survey question 0 expected to be string."),
            (
                "slider",
                json!({}),
                "'slider' in survey question 0 is not one of 'text, textarea, password, multiplechoice, multiselect, \
                 integer, float' allowed question types.",
            ),
            ("integer", json!({"default": "x"}), "Default value x in survey question 0 expected to be integer."),
            ("integer", json!({"default": 1.5}), "Default value 1.5 in survey question 0 expected to be integer."),
            ("float", json!({"default": "x"}), "Default value x in survey question 0 expected to be float."),
            ("text", json!({"default": 5}), "Default value 5 in survey question 0 expected to be string."),
            ("text", json!({"min": "1"}), "The min limit in survey question 0 expected to be integer."),
            ("text", json!({"max": 1.5}), "The max limit in survey question 0 expected to be integer."),
            ("multiplechoice", json!({}), "Survey question 0 of type multiplechoice must specify choices."),
            (
                "multiplechoice",
                json!({"default": "z", "choices": "a\nb"}),
                "Default choice must be answered from the choices listed.",
            ),
            (
                "multiplechoice",
                json!({"default": "a\nb", "choices": "a\nb"}),
                "Multiple Choice (Single Select) can only have one default value.",
            ),
            (
                "multiselect",
                json!({"default": ["a"], "choices": ["a", "b"]}),
                "Default value ['a'] in survey question 0 expected to be string.",
            ),
            (
                "text",
                json!({"default": "$encrypted$"}),
                "$encrypted$ is a reserved keyword for password question defaults, survey question 0 is type text.",
            ),
            (
                "password",
                json!({"default": "$encrypted$"}),
                "$encrypted$ is a reserved keyword, may not be used for new default in position 0.",
            ),
        ] {
            assert_eq!(rejected(question(kind, changes)), message);
        }
        let keys = json!({"type": "text", "question_name": "q", "variable": "v"});
        assert_eq!(rejected(keys), "'required' missing from survey question 0");
        let twice = outcome(json!([question("text", json!({})), question("text", json!({}))])).unwrap_err();
        assert_eq!(twice, "'variable' 'v' duplicated in survey question 1.");
    }

    #[test]
    fn defaults_of_passwords_are_separated() {
        let questions = json!([
            question("password", json!({"default": "hush", "extra": "kept"})),
            question("password", json!({"variable": "stored", "default": "$encrypted$"})),
            question("password", json!({"variable": "none"})),
            question("float", json!({"variable": "f", "default": 3})),
        ]);
        let checked = outcome(questions).unwrap();
        let expected = BTreeMap::from([("v".to_owned(), Some("hush".to_owned())), ("stored".to_owned(), None)]);
        assert_eq!(checked.passwords, expected);
        assert!(!Json::Object(checked.spec.clone()).to_string().contains("hush"));
        assert_eq!(checked.spec["spec"][0]["default"], ENCRYPTED);
        assert_eq!(checked.spec["spec"][0]["extra"], "kept");
        assert_eq!(checked.spec["spec"][2]["default"], "");
    }
}
