//! Decodes scalar values of requests as Django REST framework does, with its messages for invalid ones.

use serde_json::Value as Json;

/// The message for a forbidden empty text.
pub const BLANK: &str = "This field may not be blank.";
/// The message for a forbidden null.
pub const NULL: &str = "This field may not be null.";
/// The message for a text with NUL.
pub const NULL_CHARACTER: &str = "Null characters are not allowed.";

/// A text. A number is converted.
///
/// # Errors
/// The message for the client.
pub fn string(json: &Json) -> Result<String, String> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return Err("Not a valid string.".into()),
    };
    if text.contains('\0') {
        return Err(NULL_CHARACTER.into());
    }
    Ok(text)
}

/// Rejects a text with more characters than `longest`.
///
/// # Errors
/// The message for the client.
pub fn check_length(text: &str, longest: usize) -> Result<(), String> {
    if text.chars().count() > longest {
        return Err(format!("Ensure this field has no more than {longest} characters."));
    }
    Ok(())
}

/// A boolean, or one of the texts that Django REST framework accepts.
///
/// # Errors
/// The message for the client.
pub fn boolean(json: &Json) -> Result<bool, String> {
    let word = match json {
        Json::Bool(value) => return Ok(*value),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_ascii_lowercase(),
        _ => return Err(NOT_BOOLEAN.into()),
    };
    match word.as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(NOT_BOOLEAN.into()),
    }
}

const NOT_BOOLEAN: &str = "Must be a valid boolean.";

/// An integer within these inclusive bounds, also as a text of digits.
///
/// # Errors
/// The message for the client.
pub fn integer(json: &Json, (least, greatest): (i64, i64)) -> Result<i64, String> {
    let wrong = || "A valid integer is required.".to_owned();
    let number = match json {
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number,
            // An integer beyond 64 bits is out of range, not malformed.
            (None, Some(float)) if float.fract() == 0.0 => float as i64,
            _ => return Err(wrong()),
        },
        Json::String(text) => text.trim().parse().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    if number < least {
        return Err(format!("Ensure this value is greater than or equal to {least}."));
    }
    if number > greatest {
        return Err(format!("Ensure this value is less than or equal to {greatest}."));
    }
    Ok(number)
}

/// The message for a value that is not one of the choices.
pub fn invalid_choice(json: &Json) -> String {
    match json {
        Json::String(text) => format!("\"{text}\" is not a valid choice."),
        other => format!("\"{other}\" is not a valid choice."),
    }
}
