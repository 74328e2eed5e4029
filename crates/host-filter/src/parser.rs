//! The parser.

use crate::{HostFilter, InvalidFilter, MAX_DEPTH, MAX_LENGTH, MAX_TESTS, Test, Value};

/// Parses a host filter.
///
/// # Errors
/// [`InvalidFilter`].
pub fn parse(text: &str) -> Result<HostFilter, InvalidFilter> {
    if text.len() > MAX_LENGTH {
        return Err(InvalidFilter::TooLong);
    }
    let mut parser = Parser { text, rest: text, tests: 0 };
    let filter = parser.filter(0)?;
    parser.skip_space();
    if parser.rest.is_empty() { Ok(filter) } else { Err(parser.wrong()) }
}

/// Parses a text from left to right.
struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    tests: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self) -> InvalidFilter {
        InvalidFilter::Syntax(self.text.to_owned())
    }

    fn filter(&mut self, depth: usize) -> Result<HostFilter, InvalidFilter> {
        let mut parts = vec![self.all(depth)?];
        while self.take_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(joined(parts, HostFilter::Any))
    }

    fn all(&mut self, depth: usize) -> Result<HostFilter, InvalidFilter> {
        let mut parts = vec![self.part(depth)?];
        while self.take_word("and") {
            parts.push(self.part(depth)?);
        }
        Ok(joined(parts, HostFilter::All))
    }

    fn part(&mut self, depth: usize) -> Result<HostFilter, InvalidFilter> {
        if !self.take('(') {
            return self.test().map(HostFilter::Test);
        }
        if depth == MAX_DEPTH {
            return Err(InvalidFilter::TooDeep);
        }
        let filter = self.filter(depth + 1)?;
        if self.take(')') { Ok(filter) } else { Err(self.wrong()) }
    }

    fn test(&mut self) -> Result<Test, InvalidFilter> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return Err(InvalidFilter::TooManyTests);
        }
        let key = self.value()?;
        if key.text.is_empty() || !self.take('=') {
            return Err(self.wrong());
        }
        Ok(Test { key: key.text, value: self.value()? })
    }

    /// A word or a quoted text; an empty one if there is neither.
    fn value(&mut self) -> Result<Value, InvalidFilter> {
        if self.take('"') {
            let (text, rest) = self.rest.split_once('"').ok_or_else(|| self.wrong())?;
            self.rest = rest;
            return Ok(Value { text: text.to_owned(), is_quoted: true });
        }
        self.skip_space();
        let end = self.rest.find(ends_word).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Value { text: word.to_owned(), is_quoted: false })
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes this word, if it is the next one.
    fn take_word(&mut self, wanted: &str) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(wanted).filter(|rest| rest.starts_with(ends_word));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '=' | '"')
}

/// One part alone, or all of them joined.
fn joined(mut parts: Vec<HostFilter>, join: fn(Vec<HostFilter>) -> HostFilter) -> HostFilter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}
