//! The format of responses: JSON, YAML or HTML, by the Accept header (RFC 9110, section 12.5.1) and `?format=`.

use axum::http::{HeaderMap, header};
use hostler_schema::ActionFormat;

/// The format of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Html,
    /// A format of the requested action.
    OfAction(&'static ActionFormat),
    /// No supported format is acceptable.
    NotAcceptable,
    /// `?format=` with an unknown name.
    Unknown,
}

impl Format {
    /// The format of the requested action.
    pub(crate) fn of_action(self) -> Option<&'static ActionFormat> {
        match self {
            Format::OfAction(format) => Some(format),
            _ => None,
        }
    }
}

/// The format of the response, which may also be one of those of the requested action. The default is JSON.
pub(crate) fn negotiate(headers: &HeaderMap, pairs: &[(String, String)], formats: &'static [ActionFormat]) -> Format {
    if let Some((_, format)) = pairs.iter().rfind(|(key, format)| key == "format" && !format.is_empty()) {
        return match format.as_str() {
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            "api" => Format::Html,
            name => formats.iter().find(|format| format.name == name).map_or(Format::Unknown, Format::OfAction),
        };
    }
    let ranges = ranges(headers);
    if ranges.is_empty() {
        return Format::Json;
    }
    let (json, html) = (quality(&ranges, "application", "json"), quality(&ranges, "text", "html"));
    // The media type of RFC 9512, and older names.
    let yaml = [("application", "yaml"), ("application", "x-yaml"), ("text", "yaml")];
    let yaml = yaml.iter().map(|(main, sub)| named(&ranges, main, sub)).max().unwrap_or(0);
    // Of formats with the same media type, the first one.
    let of_action = formats.iter().rev().filter_map(|format| {
        let (main, sub) = format.media_type.split_once('/')?;
        Some((named(&ranges, main, sub), format))
    });
    if let Some((text, format)) = of_action.max_by_key(|(quality, _)| *quality)
        && text > json.max(html).max(yaml)
    {
        return Format::OfAction(format);
    }
    match json.max(html).max(yaml) {
        0 => Format::NotAcceptable,
        _ if yaml > json && yaml > html => Format::Yaml,
        _ if html > json => Format::Html,
        _ => Format::Json,
    }
}

/// Whether a request prefers plain text to the other formats.
pub(crate) fn prefers_plain_text(headers: &HeaderMap, pairs: &[(String, String)]) -> bool {
    if let Some((_, format)) = pairs.iter().rfind(|(key, format)| key == "format" && !format.is_empty()) {
        return format == "txt";
    }
    let ranges = ranges(headers);
    let text = quality(&ranges, "text", "plain");
    let others = [("application", "json"), ("text", "html")].map(|(main, sub)| quality(&ranges, main, sub));
    ranges.is_empty() || (text > 0 && others.iter().all(|other| text >= *other))
}

fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(Range::parse).collect()
}

/// A media range of an Accept header.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    /// In thousandths, the precision of the standard.
    quality: u32,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        // An invalid weight counts as 0.
        let quality = match quality {
            None => 1.0,
            Some(text) => text.trim().parse::<f64>().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0),
        };
        Some(Range { main: main.trim(), sub: sub.trim(), quality: (quality * 1000.0).round() as u32 })
    }

    /// How specifically the range matches this type; none if it does not.
    fn fits(&self, main: &str, sub: &str) -> Option<u8> {
        match (self.main.eq_ignore_ascii_case(main), self.sub.eq_ignore_ascii_case(sub)) {
            (true, true) => Some(2),
            (true, _) if self.sub == "*" => Some(1),
            _ if self.main == "*" && self.sub == "*" => Some(0),
            _ => None,
        }
    }
}

/// The quality of a type: that of the most specific range that matches it.
fn quality(ranges: &[Range<'_>], main: &str, sub: &str) -> u32 {
    let fitting = ranges.iter().filter_map(|range| Some((range.fits(main, sub)?, range.quality)));
    fitting.max().map_or(0, |(_, quality)| quality)
}

/// The same for a type that must be named: wildcards do not count.
fn named(ranges: &[Range<'_>], main: &str, sub: &str) -> u32 {
    let exact = ranges.iter().filter(|range| range.fits(main, sub) == Some(2));
    exact.map(|range| range.quality).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: ActionFormat = ActionFormat { name: "txt", media_type: "text/plain" };
    const ANSI: ActionFormat = ActionFormat { name: "ansi", media_type: "text/plain" };
    const FORMATS: &[ActionFormat] = &[TEXT, ANSI];

    fn wanted(accept: &[&'static str], format: Option<&str>) -> Format {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, axum::http::HeaderValue::from_static(value));
        }
        let pairs: Vec<_> = format.map(|format| ("format".to_owned(), format.to_owned())).into_iter().collect();
        negotiate(&headers, &pairs, FORMATS)
    }

    #[test]
    fn programs_get_json() {
        for accept in [
            &[][..],
            &["*/*"],
            &[""],
            &["application/json"],
            &["application/json, text/html"],
            &["text/html, application/json"],
            &["application/*;q=0.5"],
            &["text/html;q=0.4, application/json;q=0.5"],
            &["text/html;q=0, */*"],
            &["text/html;q=nonsense, */*;q=0.1"],
            &["APPLICATION/JSON"],
        ] {
            assert_eq!(wanted(accept, None), Format::Json, "{accept:?}");
        }
    }

    #[test]
    fn browsers_get_pages() {
        for accept in [
            &["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"][..],
            &["text/html"],
            &["text/*"],
            &["Text/HTML; charset=utf-8, application/json; q=0.9"],
            &["application/json;q=0.5", "text/html;q=0.6"],
            // The more specific range counts, not the one with the higher quality.
            &["*/*, application/json;q=0.1"],
        ] {
            assert_eq!(wanted(accept, None), Format::Html, "{accept:?}");
        }
    }

    #[test]
    fn yaml_is_returned_if_accepted() {
        for accept in [
            &["application/yaml"][..],
            &["application/x-yaml, application/json;q=0.9"],
            &["text/yaml;q=0.5, */*;q=0.1"],
        ] {
            assert_eq!(wanted(accept, None), Format::Yaml, "{accept:?}");
        }
        for accept in [&["application/json, application/yaml"][..], &["application/*"], &["application/yaml;q=0, */*"]]
        {
            assert_eq!(wanted(accept, None), Format::Json, "{accept:?}");
        }
        assert_eq!(wanted(&["text/html"], Some("yaml")), Format::Yaml);
    }

    #[test]
    fn unsupported_types_are_not_acceptable() {
        for accept in [&["image/png"][..], &["application/json;q=0"], &["application/xml;q=0.9"]] {
            assert_eq!(wanted(accept, None), Format::NotAcceptable, "{accept:?}");
        }
    }

    #[test]
    fn formats_of_actions_are_returned_if_requested() {
        for (accept, format) in [
            (&["text/plain"][..], None),
            (&["text/plain, text/html;q=0.5, */*;q=0.1"], None),
            (&["text/html"], Some("txt")),
        ] {
            assert_eq!(wanted(accept, format), Format::OfAction(&TEXT), "{accept:?} {format:?}");
        }
        assert_eq!(wanted(&[], Some("ansi")), Format::OfAction(&ANSI));
        for accept in [&["*/*"][..], &["text/*;q=0.1, application/json"], &["text/plain, application/json"]] {
            assert_eq!(wanted(accept, None), Format::Json, "{accept:?}");
        }
    }

    #[test]
    fn format_parameter_overrides_accept_header() {
        assert_eq!(wanted(&["text/html"], Some("json")), Format::Json);
        assert_eq!(wanted(&["application/json"], Some("api")), Format::Html);
        assert_eq!(wanted(&["application/json"], Some("exe")), Format::Unknown);
    }
}
