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

/// A decimal number in plain notation.
pub(crate) struct DecimalDigits<'a> {
    negative: bool,
    /// The digits before the point, without leading zeros.
    whole: &'a str,
    /// The digits after the point.
    fraction: &'a str,
}

impl<'a> DecimalDigits<'a> {
    /// Parses an optional sign and digits with an optional point.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_empty = whole.is_empty() && fraction.is_empty();
        (is_number(whole) && is_number(fraction) && !is_empty).then(|| DecimalDigits {
            negative,
            whole: whole.trim_start_matches('0'),
            fraction,
        })
    }

    /// The number with this number of places, without its point; none if it has more places or does not fit.
    pub fn scaled(&self, places: u8) -> Option<i64> {
        let missing = usize::from(places).checked_sub(self.fraction.len())?;
        let digits = format!("{}{}{}", self.whole, self.fraction, "0".repeat(missing));
        let number: i64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        Some(if self.negative { -number } else { number })
    }
}

/// A decimal number with at most this number of digits, this number of them after the point; also as text. Returns the
/// number without its point: 150 is 1.50 with two places. The bounds are whole numbers.
///
/// # Errors
/// The message for the client.
pub fn decimal(json: &Json, digits: u8, places: u8, bounds: Option<(i64, i64)>) -> Result<i64, String> {
    let wrong = || "A valid number is required.".to_owned();
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return Err(wrong()),
    };
    let number = DecimalDigits::parse(&text).ok_or_else(wrong)?;
    let limits = [
        (number.whole.len() + number.fraction.len(), digits, "digits in total"),
        (number.fraction.len(), places, "decimal places"),
        (number.whole.len(), digits.saturating_sub(places), "digits before the decimal point"),
    ];
    if let Some((_, limit, unit)) = limits.into_iter().find(|(count, limit, _)| *count > usize::from(*limit)) {
        return Err(format!("Ensure that there are no more than {limit} {unit}."));
    }
    let scaled = number.scaled(places).ok_or_else(wrong)?;
    let unit = 10i128.pow(places.into());
    match bounds {
        Some((least, _)) if i128::from(scaled) < i128::from(least) * unit => {
            Err(format!("Ensure this value is greater than or equal to {least}."))
        }
        Some((_, greatest)) if i128::from(scaled) > i128::from(greatest) * unit => {
            Err(format!("Ensure this value is less than or equal to {greatest}."))
        }
        _ => Ok(scaled),
    }
}

/// The text of a decimal number with this number of places, which is stored without its point.
pub fn decimal_text(number: i64, places: u8) -> String {
    let places = usize::from(places);
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if number < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The message for a value that is not one of the choices.
pub fn invalid_choice(json: &Json) -> String {
    match json {
        Json::String(text) => format!("\"{text}\" is not a valid choice."),
        other => format!("\"{other}\" is not a valid choice."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{decimal, decimal_text};

    #[test]
    fn decimals_are_stored_without_their_point() {
        for (sent, stored, shown) in [
            (json!("1.5"), 150, "1.50"),
            (json!(0.5), 50, "0.50"),
            (json!(1), 100, "1.00"),
            (json!("-0"), 0, "0.00"),
            (json!(".05"), 5, "0.05"),
            (json!("01.25"), 125, "1.25"),
            (json!("-9.99"), -999, "-9.99"),
        ] {
            assert_eq!(decimal(&sent, 3, 2, None), Ok(stored), "{sent}");
            assert_eq!(decimal_text(stored, 2), shown);
        }
        assert_eq!(decimal_text(12, 0), "12");
    }

    #[test]
    fn invalid_decimals_are_rejected() {
        let places = "Ensure that there are no more than 2 decimal places.";
        let total = "Ensure that there are no more than 3 digits in total.";
        let whole = "Ensure that there are no more than 1 digits before the decimal point.";
        for (sent, message) in [
            (json!("x"), "A valid number is required."),
            (json!("."), "A valid number is required."),
            (json!("1.5.0"), "A valid number is required."),
            (json!("NaN"), "A valid number is required."),
            (json!(true), "A valid number is required."),
            (json!("0.123"), places),
            (json!("1.234"), total),
            (json!("99999999999999999999999"), total),
            (json!(12), whole),
            (json!("-0.01"), "Ensure this value is greater than or equal to 0."),
            (json!("1.01"), "Ensure this value is less than or equal to 1."),
        ] {
            assert_eq!(decimal(&sent, 3, 2, Some((0, 1))), Err(message.to_owned()), "{sent}");
        }
    }
}
