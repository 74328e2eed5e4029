//! Plain values as clients send them, read as Django REST framework reads them, with its words for what is wrong.

use serde_json::Value as Json;

/// What a client is told of an empty text where none is allowed.
pub const BLANK: &str = "This field may not be blank.";
/// What a client is told of a null where none is allowed.
pub const NULL: &str = "This field may not be null.";
/// The message for a text that contains NUL.
pub const NULL_CHARACTER: &str = "Null characters are not allowed.";

/// A text, as it was sent; a number will do.
///
/// # Errors
/// What the client is told.
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

/// Refuses a text of more characters.
///
/// # Errors
/// What the client is told.
pub fn check_length(text: &str, longest: usize) -> Result<(), String> {
    if text.chars().count() > longest {
        return Err(format!("Ensure this field has no more than {longest} characters."));
    }
    Ok(())
}

/// A truth value, or one of the words for it that Django REST framework knows.
///
/// # Errors
/// What the client is told.
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

/// A whole number between these two, both allowed; a text of digits will do.
///
/// # Errors
/// What the client is told.
pub fn integer(json: &Json, (least, greatest): (i64, i64)) -> Result<i64, String> {
    let wrong = || "A valid integer is required.".to_owned();
    let number = match json {
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number,
            // Whole numbers beyond 64 bits are numbers all the same, only too great.
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

/// What a client is told of a word that is none of the choices.
pub fn no_choice(json: &Json) -> String {
    match json {
        Json::String(text) => format!("\"{text}\" is not a valid choice."),
        other => format!("\"{other}\" is not a valid choice."),
    }
}
