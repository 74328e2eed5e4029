use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::QueryError;

const DEFAULT_SIZE: u64 = 25;
const MAX_SIZE: u64 = 200;

/// The characters that AWX escapes in a link; a space becomes a plus sign.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The requested page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number of the page.
    pub number: PageNumber,
    /// The page size: 1 to 200.
    pub size: u64,
}

/// The number of the requested page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageNumber {
    /// This number, from 1. Its offset, `(number - 1) * size`, fits into an `i64`.
    At(u64),
    /// The last page.
    Last,
}

impl Page {
    pub(super) fn parse(pairs: &[(String, String)]) -> Result<Page, QueryError> {
        let size = size(last(pairs, "page_size"));
        let number = match last(pairs, "page").map(str::trim) {
            None | Some("") => PageNumber::At(1),
            Some("last") => PageNumber::Last,
            Some(text) => text
                .parse::<u64>()
                .ok()
                .filter(|number| *number > 0 && number.checked_mul(size).is_some_and(|end| i64::try_from(end).is_ok()))
                .map(PageNumber::At)
                .ok_or_else(QueryError::invalid_page)?,
        };
        Ok(Page { number, size })
    }
}

/// The first rows, as many as the parameter `limit` says; none without it.
pub fn first_rows(pairs: &[(String, String)]) -> Option<Page> {
    last(pairs, "limit").map(|limit| Page { number: PageNumber::At(1), size: size(Some(limit)) })
}

/// A number of rows. One that is not valid is ignored.
fn size(text: Option<&str>) -> u64 {
    text.and_then(|text| text.trim().parse::<u64>().ok())
        .filter(|size| *size > 0)
        .map_or(DEFAULT_SIZE, |size| size.min(MAX_SIZE))
}

/// If the parameter is repeated, the last value counts.
fn last<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().rfind(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// The link to another page of the same list, without scheme and host.
///
/// The parameters are sorted by name, as in AWX, and include `page`.
pub fn page_link(path: &str, pairs: &[(String, String)], page: u64) -> String {
    let page = page.to_string();
    let mut parameters: Vec<(&str, &str)> = pairs
        .iter()
        .filter(|(name, _)| name != "page")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("page", page.as_str())])
        .collect();
    // A stable sort: the values of a repeated parameter keep their order.
    parameters.sort_by_key(|(name, _)| *name);
    let query: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    format!("{path}?{}", query.join("&"))
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+")
}
