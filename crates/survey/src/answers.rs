//! The answers of a launch.

use hostler_variables::{python_repr, python_text};
use serde_json::{Map, Value as Json};

use crate::ENCRYPTED;

/// A stored survey.
#[derive(Debug, Default)]
pub struct Survey {
    questions: Vec<Question>,
}

#[derive(Debug)]
struct Question {
    variable: String,
    kind: String,
    required: bool,
    min: Option<i64>,
    max: Option<i64>,
    choices: Vec<String>,
    default: Json,
}

/// The variables of a launch, by what the survey says about them.
#[derive(Debug, Default, PartialEq)]
pub struct Answers {
    /// Valid answers.
    pub accepted: Map<String, Json>,
    /// Invalid answers.
    pub rejected: Map<String, Json>,
    /// Variables that the survey does not ask for.
    pub others: Map<String, Json>,
    /// What is wrong, one message for each question.
    pub errors: Vec<String>,
}

/// The choices of a question: the lines of a text, or the items of a list.
pub(crate) fn choices(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => vec![],
    }
}

impl Survey {
    /// Reads a survey that [`crate::check_spec`] accepted; an empty object is a survey without questions.
    pub fn read(spec: &Json) -> Survey {
        let questions = spec["spec"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let read = |question: &Json| Question {
            variable: text(&question["variable"]),
            kind: text(&question["type"]),
            required: question["required"].as_bool().unwrap_or(false),
            min: question["min"].as_i64(),
            max: question["max"].as_i64(),
            choices: choices(&question["choices"]),
            default: question["default"].clone(),
        };
        Survey { questions: questions.iter().map(read).collect() }
    }

    /// Whether it has no questions.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// The variables that a launch must set.
    pub fn required(&self) -> Vec<&str> {
        self.questions.iter().filter(|question| question.required).map(|question| question.variable.as_str()).collect()
    }

    /// The variables of questions for passwords.
    pub fn passwords(&self) -> impl Iterator<Item = &str> {
        self.questions.iter().filter(|question| question.is_password()).map(|question| question.variable.as_str())
    }

    /// Sorts the variables of a launch and checks the answers among them. [`ENCRYPTED`] is an answer to a question for a
    /// password with a default.
    pub fn check(&self, variables: &Map<String, Json>) -> Answers {
        let mut answers = Answers { others: variables.clone(), ..Answers::default() };
        for question in &self.questions {
            let answer = answers.others.shift_remove(&question.variable);
            let problem = match &answer {
                None if question.required => Some(format!("'{}' value missing", question.variable)),
                None => None,
                Some(answer) if question.keeps_default(answer) => None,
                Some(answer) => question.problem(answer),
            };
            if let Some(answer) = answer {
                let into = if problem.is_none() { &mut answers.accepted } else { &mut answers.rejected };
                into.insert(question.variable.clone(), answer);
            }
            answers.errors.extend(problem);
        }
        answers
    }

    /// The valid defaults, in the order of the questions. That of a password is [`ENCRYPTED`]; `password` gives its text.
    pub fn defaults(&self, password: impl Fn(&str) -> Option<String>) -> Map<String, Json> {
        let mut defaults = Map::new();
        for question in &self.questions {
            let default = match &question.default {
                Json::Null => continue,
                Json::String(text) if question.is_password() && text == ENCRYPTED => {
                    password(&question.variable).map(Json::from)
                }
                other => Some(other.clone()),
            };
            if let Some(default) = default.filter(|default| question.problem(default).is_none()) {
                defaults.insert(question.variable.clone(), default);
            }
        }
        defaults
    }
}

impl Question {
    fn is_password(&self) -> bool {
        self.kind == "password"
    }

    fn keeps_default(&self, answer: &Json) -> bool {
        self.is_password() && answer == ENCRYPTED && self.default == ENCRYPTED
    }

    /// What is wrong with an answer.
    fn problem(&self, answer: &Json) -> Option<String> {
        let variable = &self.variable;
        let shown = python_text(answer);
        let expected = |what: &str| Some(format!("Value {shown} for '{variable}' expected to be {what}."));
        match self.kind.as_str() {
            "text" | "textarea" | "password" => match answer {
                Json::String(text) => self.length_problem(text),
                _ => expected("a string"),
            },
            "integer" => match answer.as_i64() {
                Some(number) => self.bounds_problem(number as f64, &shown),
                None if answer.is_u64() => self.bounds_problem(f64::MAX, &shown),
                None => expected("an integer"),
            },
            "float" => match answer.as_f64() {
                Some(number) => self.bounds_problem(number, &shown),
                None => expected("a numeric type"),
            },
            "multiselect" => match answer {
                Json::Array(items) => items.iter().find_map(|item| self.choice_problem(item)),
                _ => Some(format!("'{variable}' value is expected to be a list.")),
            },
            "multiplechoice" => self.choice_problem(answer),
            _ => None,
        }
    }

    fn length_problem(&self, text: &str) -> Option<String> {
        let (variable, length) = (&self.variable, text.chars().count() as i64);
        match (self.min, self.max) {
            (Some(min), _) if length < min => {
                Some(format!("'{variable}' value {text} is too small (length is {length} must be at least {min})."))
            }
            (_, Some(max)) if length > max => {
                Some(format!("'{variable}' value {text} is too large (must be no more than {max})."))
            }
            _ => None,
        }
    }

    fn bounds_problem(&self, number: f64, shown: &str) -> Option<String> {
        let variable = &self.variable;
        match (self.min, self.max) {
            (Some(min), _) if number < min as f64 => {
                Some(format!("'{variable}' value {shown} is too small (must be at least {min})."))
            }
            (_, Some(max)) if number > max as f64 => {
                Some(format!("'{variable}' value {shown} is too large (must be no more than {max})."))
            }
            _ => None,
        }
    }

    fn choice_problem(&self, answer: &Json) -> Option<String> {
        if answer.as_str().is_some_and(|answer| self.choices.iter().any(|choice| choice == answer)) {
            return None;
        }
        let choices = python_repr(&Json::from(self.choices.clone()));
        let (answer, variable) = (python_text(answer), &self.variable);
        Some(format!("Value {answer} for '{variable}' expected to be one of {choices}."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn survey() -> Survey {
        Survey::read(&json!({"name": "s", "description": "", "spec": [
            {"variable": "t", "type": "text", "required": true, "default": "", "min": 2, "max": 5},
            {"variable": "i", "type": "integer", "required": false, "default": 3, "min": 1, "max": 5},
            {"variable": "f", "type": "float", "required": false, "default": 1.5, "min": 0, "max": 2},
            {"variable": "c", "type": "multiplechoice", "required": false, "default": "red", "choices": "red\ngreen"},
            {"variable": "m", "type": "multiselect", "required": false, "default": "", "choices": ["x", "y", "z"]},
            {"variable": "p", "type": "password", "required": true, "default": "$encrypted$", "min": 3},
        ]}))
    }

    fn errors(answers: Json) -> Vec<String> {
        let Json::Object(answers) = answers else { return vec![] };
        survey().check(&answers).errors
    }

    #[test]
    fn invalid_answers_have_messages() {
        for (answers, message) in [
            (json!({"t": "ok"}), "'p' value missing"),
            (json!({"t": "toolong", "p": "abc"}), "'t' value toolong is too large (must be no more than 5)."),
            (json!({"t": null, "p": "abc"}), "Value None for 't' expected to be a string."),
            (json!({"t": "ok", "p": "ab"}), "'p' value ab is too small (length is 2 must be at least 3)."),
            (json!({"t": "ok", "p": 12345}), "Value 12345 for 'p' expected to be a string."),
            (json!({"t": "ok", "p": "abc", "i": "3"}), "Value 3 for 'i' expected to be an integer."),
            (json!({"t": "ok", "p": "abc", "i": 2.0}), "Value 2.0 for 'i' expected to be an integer."),
            (json!({"t": "ok", "p": "abc", "i": 6}), "'i' value 6 is too large (must be no more than 5)."),
            (json!({"t": "ok", "p": "abc", "f": "x"}), "Value x for 'f' expected to be a numeric type."),
            (json!({"t": "ok", "p": "abc", "f": 2.5}), "'f' value 2.5 is too large (must be no more than 2)."),
            (
                json!({"t": "ok", "p": "abc", "c": ["red"]}),
                "Value ['red'] for 'c' expected to be one of ['red', 'green'].",
            ),
            (json!({"t": "ok", "p": "abc", "m": ["x", "q"]}), "Value q for 'm' expected to be one of ['x', 'y', 'z']."),
            (json!({"t": "ok", "p": "abc", "m": "x"}), "'m' value is expected to be a list."),
        ] {
            assert_eq!(errors(answers), [message]);
        }
        assert_eq!(errors(json!({})), ["'t' value missing", "'p' value missing"]);
        assert_eq!(errors(json!({"t": "ok", "p": "$encrypted$"})), [""; 0]);
    }

    #[test]
    fn variables_are_sorted() {
        let Json::Object(variables) = json!({"t": "x", "p": "abc", "other": 1}) else { panic!("no object") };
        let answers = survey().check(&variables);
        assert_eq!(Json::Object(answers.accepted), json!({"p": "abc"}));
        assert_eq!(Json::Object(answers.rejected), json!({"t": "x"}));
        assert_eq!(Json::Object(answers.others), json!({"other": 1}));
    }

    #[test]
    fn valid_defaults_are_used() {
        let defaults = survey().defaults(|_| Some("secret".into()));
        assert_eq!(Json::Object(defaults), json!({"i": 3, "f": 1.5, "c": "red", "p": "secret"}));
        assert_eq!(survey().required(), ["t", "p"]);
    }
}
