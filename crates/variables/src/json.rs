//! JSON, with the messages that AWX gives for invalid documents.

use serde_json::{Map, Value};

use crate::MAX_DEPTH;
use crate::error::InvalidVariables;

/// Integers beyond this cannot be represented exactly.
const MAX_EXACT: f64 = 18_446_744_073_709_551_616.0;

/// Parses a document.
///
/// # Errors
/// What is wrong, with the position.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line().max(1), error.column().max(1));
        let message = error.to_string();
        let starts = |prefix: &str| message.starts_with(prefix);
        let what =
            if starts("key must be a string") || starts("trailing comma at") && follows_object(text, line, column) {
                "Expecting property name enclosed in double quotes"
            } else if starts("expected `:`") {
                "Expecting ':' delimiter"
            } else if starts("expected `,`") {
                "Expecting ',' delimiter"
            } else if starts("trailing characters") {
                "Extra data"
            } else if starts("EOF while parsing a string") {
                "Unterminated string"
            } else if starts("control character") {
                "Invalid control character"
            } else if starts("invalid escape") {
                "Invalid \\escape"
            } else if starts("recursion limit") {
                "Nested too deeply"
            } else {
                "Expecting value"
            };
        let before: usize = text.split_inclusive('\n').take(line - 1).map(|line| line.chars().count()).sum();
        // The parser counts bytes within the line, and the message characters.
        let current = text.split_inclusive('\n').nth(line - 1).unwrap_or_default();
        let column = match starts("invalid number") || starts("expected ident") {
            true => word_start(current, column),
            false => column,
        };
        let column = current.bytes().take(column - 1).filter(|byte| byte & 0xC0 != 0x80).count() + 1;
        format!("{what}: line {line} column {column} (char {})", before + column - 1)
    })
}

/// The column where the number or word before a column begins.
fn word_start(line: &str, column: usize) -> usize {
    let before = line.as_bytes().get(..column - 1).unwrap_or_default();
    let word = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    column - word
}

/// Whether the character at a position closes an object.
fn follows_object(text: &str, line: usize, column: usize) -> bool {
    let line = text.split('\n').nth(line - 1).unwrap_or_default();
    line.as_bytes().get(column - 1) == Some(&b'}')
}

/// Rejects values that the rest of the program cannot represent.
pub(crate) fn check(map: Map<String, Value>) -> Result<Map<String, Value>, InvalidVariables> {
    check_members(&map, 0)?;
    Ok(map)
}

fn check_members(map: &Map<String, Value>, depth: usize) -> Result<(), InvalidVariables> {
    for (key, value) in map {
        check_text(key)?;
        check_value(value, depth + 1)?;
    }
    Ok(())
}

fn check_value(value: &Value, depth: usize) -> Result<(), InvalidVariables> {
    if depth > MAX_DEPTH {
        return Err(InvalidVariables::TooDeep);
    }
    match value {
        Value::String(text) => check_text(text),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, depth + 1)),
        Value::Object(map) => check_members(map, depth),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() >= MAX_EXACT => {
                Err(InvalidVariables::NotJson("Numbers may have at most 64 bits".into()))
            }
            _ => Ok(()),
        },
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn check_text(text: &str) -> Result<(), InvalidVariables> {
    if text.contains('\0') { Err(InvalidVariables::NullCharacter) } else { Ok(()) }
}

/// The name of a JSON type in AWX's messages.
pub(crate) fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
