use std::fmt;

/// Why a text is not accepted as variables. Its text is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidVariables {
    /// The text is neither a JSON object nor a YAML mapping.
    NotParsable {
        /// What is wrong with it as JSON.
        json: String,
        /// What is wrong with it as YAML.
        yaml: String,
    },
    /// A value is valid YAML that has no form in JSON, such as a date.
    NotJson(String),
    /// The text is too long.
    TooLong,
    /// Lists and mappings are nested too deeply.
    TooDeep,
    /// A text contains the character NUL, which cannot be passed to a program.
    NullCharacter,
}

impl fmt::Display for InvalidVariables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidVariables::NotParsable { json, yaml } => {
                write!(formatter, "Cannot parse as JSON (error: {json}) or YAML (error: {yaml}).")
            }
            InvalidVariables::NotJson(problem) => {
                write!(formatter, "Variables not compatible with JSON standard (error: {problem})")
            }
            InvalidVariables::TooLong => {
                write!(formatter, "Variables may have at most {} bytes.", crate::MAX_LENGTH)
            }
            InvalidVariables::TooDeep => {
                write!(formatter, "Variables may have at most {} levels.", crate::MAX_DEPTH)
            }
            InvalidVariables::NullCharacter => formatter.write_str("Null characters are not allowed."),
        }
    }
}

impl std::error::Error for InvalidVariables {}

/// The problem of a document that is not an object, by the name of its type.
pub(crate) fn not_an_object(type_name: &str) -> String {
    format!("Input type `{type_name}` is not a dictionary")
}
