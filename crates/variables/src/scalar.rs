//! Plain scalars of YAML 1.1, as PyYAML reads them.

use serde_json::{Number, Value};

/// What a plain scalar means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// A value with a form in JSON.
    Value(Value),
    /// A value without one, by the name of its type.
    NotJson(&'static str),
    /// An integer or a float that does not fit.
    OutOfRange,
    /// The key `<<`.
    Merge,
}

/// What a plain scalar without a tag means.
pub(crate) fn resolve(text: &str) -> Scalar {
    if let Some(value) = null(text).or_else(|| boolean(text)) {
        return Scalar::Value(value);
    }
    if text == "<<" {
        return Scalar::Merge;
    }
    let Some(first) = text.bytes().next() else { return Scalar::Value(Value::Null) };
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return Scalar::Value(text.into());
    }
    if let Some(number) = integer(text).or_else(|| float(text)) {
        return number;
    }
    match timestamp(text) {
        Some(type_name) => Scalar::NotJson(type_name),
        None => Scalar::Value(text.into()),
    }
}

/// Null by any of its names.
pub(crate) fn null(text: &str) -> Option<Value> {
    matches!(text, "" | "~" | "null" | "Null" | "NULL").then_some(Value::Null)
}

/// A boolean by any of its names.
pub(crate) fn boolean(text: &str) -> Option<Value> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true.into()),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false.into()),
        _ => None,
    }
}

/// Splits off the sign: whether the number is negative, and its digits.
fn unsigned(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn only(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'_' || allowed(byte))
}

/// An integer: binary, octal, decimal, hexadecimal, or in the base 60.
pub(crate) fn integer(text: &str) -> Option<Scalar> {
    let (negative, digits) = unsigned(text);
    let in_base = |digits: &str, base: u32| {
        let digits = digits.replace('_', "");
        Some(match (digits.is_empty(), u64::from_str_radix(&digits, base)) {
            (true, _) => return None,
            (false, Ok(number)) => signed(negative, number),
            (false, Err(_)) => Scalar::OutOfRange,
        })
    };
    if let Some(bits) = digits.strip_prefix("0b") {
        return only(bits, |byte| matches!(byte, b'0' | b'1')).then(|| in_base(bits, 2))?;
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return only(hex, |byte| byte.is_ascii_hexdigit()).then(|| in_base(hex, 16))?;
    }
    if digits == "0" {
        return Some(signed(negative, 0));
    }
    if let Some(octal) = digits.strip_prefix('0') {
        return only(octal, |byte| (b'0'..=b'7').contains(&byte)).then(|| in_base(octal, 8))?;
    }
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if digits.contains(':') {
        let (whole, rest) = digits.split_once(':')?;
        if !only(whole, |byte| byte.is_ascii_digit()) || !rest.split(':').all(is_sixtieth) {
            return None;
        }
        let parts = std::iter::once(whole).chain(rest.split(':'));
        let total = parts
            .map(|part| part.replace('_', "").parse::<u64>().ok())
            .try_fold(0_u64, |total, part| total.checked_mul(60)?.checked_add(part?));
        return Some(total.map_or(Scalar::OutOfRange, |total| signed(negative, total)));
    }
    only(digits, |byte| byte.is_ascii_digit()).then(|| in_base(digits, 10))?
}

/// Whether a text is a digit of the base 60.
fn is_sixtieth(text: &str) -> bool {
    match text.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    }
}

fn signed(negative: bool, number: u64) -> Scalar {
    if !negative {
        return Scalar::Value(number.into());
    }
    match 0_i64.checked_sub_unsigned(number) {
        Some(number) => Scalar::Value(number.into()),
        None => Scalar::OutOfRange,
    }
}

/// A float: with a point, and with a sign in the exponent if there is one.
pub(crate) fn float(text: &str) -> Option<Scalar> {
    let (negative, digits) = unsigned(text);
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(Scalar::OutOfRange),
        ".nan" | ".NaN" | ".NAN" => return (text == digits).then_some(Scalar::OutOfRange),
        _ => {}
    }
    let (whole, rest) = digits.split_once('.')?;
    let is_number = |part: &str| part.bytes().all(|byte| byte == b'_' || byte.is_ascii_digit());
    if whole.contains(':') {
        let (first, sixtieths) = whole.split_once(':')?;
        let starts = first.starts_with(|first: char| first.is_ascii_digit());
        if !starts || !is_number(first) || !sixtieths.split(':').all(is_sixtieth) || !is_number(rest) {
            return None;
        }
        let parts = std::iter::once(first).chain(sixtieths.split(':'));
        let parts: Vec<f64> = parts.filter_map(|part| part.replace('_', "").parse().ok()).collect();
        let fraction: f64 = format!("0.{}0", rest.replace('_', "")).parse().ok()?;
        let total = parts.into_iter().fold(0.0, |total, part| total * 60.0 + part) + fraction;
        return Some(finite(if negative { -total } else { total }));
    }
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let begins_with_digit = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    let is_mantissa = if whole.is_empty() {
        // A sign is not allowed here.
        text == digits && begins_with_digit(fraction) && is_number(fraction)
    } else {
        begins_with_digit(whole) && is_number(whole) && is_number(fraction)
    };
    let is_exponent = |part: &str| {
        part.strip_prefix(['+', '-'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if !is_mantissa || !exponent.is_none_or(is_exponent) {
        return None;
    }
    let plain = text.replace('_', "");
    Some(plain.parse::<f64>().map_or(Scalar::OutOfRange, finite))
}

fn finite(float: f64) -> Scalar {
    Number::from_f64(float).map_or(Scalar::OutOfRange, |number| Scalar::Value(number.into()))
}

/// The type of a date or a time, if the text is one.
fn timestamp(text: &str) -> Option<&'static str> {
    let date = Digits(text.as_bytes()).number(4..=4)?.dash()?;
    let (after_month, month) = date.counted(1..=2)?;
    let (mut rest, day) = after_month.dash()?.counted(1..=2)?;
    if rest.0.is_empty() {
        return (month == 2 && day == 2).then_some("date");
    }
    match rest.0 {
        [b'T' | b't', after @ ..] => rest = Digits(after),
        [b' ' | b'\t', ..] => rest = rest.skip_blanks(),
        _ => return None,
    }
    let mut rest = rest.number(1..=2)?.byte(b':')?.number(2..=2)?.byte(b':')?.number(2..=2)?;
    if let [b'.', after @ ..] = rest.0 {
        rest = Digits(after);
        while let [b'0'..=b'9', after @ ..] = rest.0 {
            rest = Digits(after);
        }
    }
    if rest.0.is_empty() {
        return Some("datetime");
    }
    let zone = rest.skip_blanks();
    match zone.0 {
        b"Z" => Some("datetime"),
        [b'+' | b'-', after @ ..] => {
            let rest = Digits(after).number(1..=2)?;
            let is_end = rest.0.is_empty()
                || rest.byte(b':').and_then(|rest| rest.number(2..=2)).is_some_and(|rest| rest.0.is_empty());
            is_end.then_some("datetime")
        }
        _ => None,
    }
}

/// The rest of a text that is read from its start.
struct Digits<'a>(&'a [u8]);

impl<'a> Digits<'a> {
    fn counted(&self, count: std::ops::RangeInclusive<usize>) -> Option<(Digits<'a>, usize)> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count().min(*count.end());
        (digits >= *count.start()).then(|| (Digits(&self.0[digits..]), digits))
    }
    fn number(&self, count: std::ops::RangeInclusive<usize>) -> Option<Digits<'a>> {
        self.counted(count).map(|(rest, _)| rest)
    }
    fn byte(&self, byte: u8) -> Option<Digits<'a>> {
        self.0.strip_prefix(&[byte]).map(Digits)
    }
    fn dash(&self) -> Option<Digits<'a>> {
        self.byte(b'-')
    }
    fn skip_blanks(&self) -> Digits<'a> {
        let blanks = self.0.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        Digits(&self.0[blanks..])
    }
}
