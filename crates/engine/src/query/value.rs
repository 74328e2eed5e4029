//! Parses the text of a parameter as a value of the column's type.

use jiff::civil::{Date, Time};
use jiff::{Timestamp, tz::Offset};

use super::QueryError;
use crate::scalars::DecimalDigits;

const DATE_FORMAT: &str = "YYYY-MM-DD";
const TIME_FORMAT: &str = "YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ]";

/// Whether the text is one of the words for NULL.
pub(super) fn is_null_word(text: &str) -> bool {
    text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("none")
}

pub(super) fn boolean(text: &str) -> Result<bool, QueryError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "f" | "0" | "no" | "n" | "off" => Ok(false),
        _ => Err(QueryError::bad(format!("Unable to convert \"{text}\" to boolean"))),
    }
}

pub(super) fn integer(text: &str) -> Result<i64, QueryError> {
    let trimmed = text.trim();
    trimmed.parse().map_err(|_| {
        if is_numeral(trimmed) {
            QueryError::value(text, "value is too large for an integer of 64 bits.")
        } else {
            QueryError::value(text, "value must be an integer.")
        }
    })
}

/// A decimal number without its point, with this number of places.
pub(super) fn decimal(text: &str, places: u8) -> Result<i64, QueryError> {
    let number =
        DecimalDigits::parse(text).ok_or_else(|| QueryError::value(text, "value must be a decimal number."))?;
    number.scaled(places).ok_or_else(|| {
        QueryError::value(text, &format!("value must have at most {places} decimal places and fit into 64 bits."))
    })
}

/// An id of another object, or the value of `<field>__int`: AWX's message differs.
pub(super) fn literal(text: &str) -> Result<i64, QueryError> {
    let trimmed = text.trim();
    trimmed.parse().map_err(|_| {
        if is_numeral(trimmed) {
            QueryError::value(text, "value is too large for an integer of 64 bits.")
        } else {
            QueryError::bad(format!("invalid literal for int() with base 10: '{text}'"))
        }
    })
}

fn is_numeral(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A time; the default time of day is midnight, the default zone UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, QueryError> {
    let mut scanner = Scanner(text.trim());
    let Some(written) = scanner.written() else {
        return Err(QueryError::value(
            text,
            &format!("value has an invalid format. It must be in {TIME_FORMAT} format."),
        ));
    };
    written.moment().ok_or_else(|| {
        let (format, what) = if written.clock.is_some() { (TIME_FORMAT, "date/time") } else { (DATE_FORMAT, "date") };
        QueryError::value(text, &format!("value has the correct format ({format}) but it is an invalid {what}."))
    })
}

/// A date as written, whose numbers may be out of range.
struct Written {
    year: i16,
    month: i8,
    day: i8,
    clock: Option<Clock>,
}

struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    microsecond: i32,
    /// The offset east of UTC in seconds.
    offset: i32,
}

impl Written {
    fn moment(&self) -> Option<Timestamp> {
        // The parser accepts year 0, but neither Python nor the databases do.
        if self.year < 1 {
            return None;
        }
        let date = Date::new(self.year, self.month, self.day).ok()?;
        let Some(clock) = &self.clock else {
            return Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
        };
        let local = Time::new(clock.hour, clock.minute, clock.second, clock.microsecond.checked_mul(1000)?).ok()?;
        Offset::from_seconds(clock.offset).ok()?.to_timestamp(date.to_datetime(local)).ok()
    }
}

/// Parses a time from left to right.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn written(&mut self) -> Option<Written> {
        let year = self.number(4, 4)?;
        self.take('-')?;
        let month = self.number(1, 2)?;
        self.take('-')?;
        let day = self.number(1, 2)?;
        let clock = if self.0.is_empty() { None } else { Some(self.clock()?) };
        Some(Written { year: year.try_into().ok()?, month: month.try_into().ok()?, day: day.try_into().ok()?, clock })
    }

    fn clock(&mut self) -> Option<Clock> {
        self.take('T').or_else(|| self.take(' '))?;
        let hour = self.number(1, 2)?;
        self.take(':')?;
        let minute = self.number(2, 2)?;
        let mut second = 0;
        let mut microsecond = 0;
        if self.take(':').is_some() {
            second = self.number(2, 2)?;
            if self.take('.').or_else(|| self.take(',')).is_some() {
                microsecond = self.fraction()?;
            }
        }
        let offset = self.zone()?;
        Some(Clock {
            hour: hour.try_into().ok()?,
            minute: minute.try_into().ok()?,
            second: second.try_into().ok()?,
            microsecond,
            offset,
        })
    }

    fn zone(&mut self) -> Option<i32> {
        self.0 = self.0.trim_start();
        if self.0.is_empty() {
            return Some(0);
        }
        let sign = match self.0.chars().next()? {
            'Z' | 'z' if self.0.len() == 1 => return Some(0),
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.number(2, 2)?;
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.0 = self.0.strip_prefix(':').unwrap_or(self.0);
            self.number(2, 2)?
        };
        // The end of the text, and a valid hour.
        (self.0.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// Microseconds from up to twelve digits; the databases store six.
    fn fraction(&mut self) -> Option<i32> {
        let digits = self.digits(12);
        if digits.is_empty() {
            return None;
        }
        format!("{digits:0<6}").get(..6)?.parse().ok()
    }

    fn number(&mut self, least: usize, most: usize) -> Option<i32> {
        let digits = self.digits(most);
        if digits.len() < least { None } else { digits.parse().ok() }
    }

    /// Up to this number of digits.
    fn digits(&mut self, most: usize) -> &'a str {
        let end = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }
}
