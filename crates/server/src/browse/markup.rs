//! JSON as HTML: indented, with CSS classes, and paths of this server as links.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// The JSON as HTML for `<pre>`; all texts are escaped.
pub(super) fn markup(json: &Json) -> String {
    let mut out = String::new();
    write(&mut out, json, 0);
    out
}

fn write(out: &mut String, json: &Json, depth: usize) {
    match json {
        Json::Object(map) if !map.is_empty() => {
            out.push_str("{\n");
            for (position, (key, value)) in map.iter().enumerate() {
                separate(out, position, depth + 1);
                quoted(out, "key", key);
                out.push_str(": ");
                write(out, value, depth + 1);
            }
            close(out, '}', depth);
        }
        Json::Array(list) if !list.is_empty() => {
            out.push_str("[\n");
            for (position, value) in list.iter().enumerate() {
                separate(out, position, depth + 1);
                write(out, value, depth + 1);
            }
            close(out, ']', depth);
        }
        Json::String(text) if is_own_path(text) => {
            let _ = write!(out, "<a href=\"{}\">", escape(text));
            quoted(out, "text", text);
            out.push_str("</a>");
        }
        Json::String(text) => quoted(out, "text", text),
        // Numbers, literals and empty values.
        other => {
            let _ = write!(out, "<span class=\"word\">{}</span>", escape(&other.to_string()));
        }
    }
}

fn separate(out: &mut String, position: usize, depth: usize) {
    if position > 0 {
        out.push_str(",\n");
    }
    indent(out, depth);
}

fn close(out: &mut String, bracket: char, depth: usize) {
    out.push('\n');
    indent(out, depth);
    out.push(bracket);
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn quoted(out: &mut String, class: &str, text: &str) {
    let _ = write!(out, "<span class=\"{class}\">{}</span>", escape(&Json::from(text).to_string()));
}

/// Whether a text is a path of this server that is safe as a link: it stays on this server however a browser parses it,
/// and is not the logout path, because users can choose the names of objects.
fn is_own_path(text: &str) -> bool {
    text.starts_with("/api/")
        && !text.starts_with("/api/logout")
        && !text.contains(|c: char| c == '\\' || c.is_control())
        // Browsers resolve these to another path.
        && !text.split(['/', '?', '#']).any(|part| part == "..")
        && !text.to_ascii_lowercase().contains("%2e")
}

/// Escapes text for HTML, including attributes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_escaped_as_keys_and_values() {
        let html = markup(&json!({"<b>'k": "</pre><script>alert(\"&\")</script>"}));
        assert_eq!(
            html,
            "{\n  <span class=\"key\">&quot;&lt;b&gt;&#39;k&quot;</span>: <span class=\"text\">\
             &quot;&lt;/pre&gt;&lt;script&gt;alert(\\&quot;&amp;\\&quot;)&lt;/script&gt;&quot;</span>\n}"
        );
    }

    #[test]
    fn own_paths_are_links() {
        assert!(markup(&json!(["/api/v2/users/1/"])).contains("<a href=\"/api/v2/users/1/\">"));
        let tricky = markup(&json!("/api/v2/\" onclick=\"x"));
        assert!(tricky.contains("<a href=\"/api/v2/&quot; onclick=&quot;x\">"), "{tricky}");
    }

    #[test]
    fn other_texts_are_not_links() {
        for text in [
            "javascript:alert(1)",
            "//example.org/api/",
            "https://example.org/api/v2/",
            " /api/v2/",
            "/api/\\example.org",
            "/api/v2/\n",
            "/api/../evil/",
            "/api/v2/%2E%2e/logout/",
            "/api/logout/",
            "/apis/",
        ] {
            assert!(!markup(&json!(text)).contains("<a"), "{text:?}");
        }
    }
}
