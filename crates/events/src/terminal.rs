//! Output with the escape sequences of terminals, as plain text and as HTML.

/// Removes escape sequences from a text that comes in parts.
#[derive(Debug, Default)]
pub struct PlainText {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC `[`: parameters, up to a letter.
    Control,
    /// After ESC `]` and others: a text, up to BEL or ESC `\`.
    String,
}

impl PlainText {
    /// Adds the plain text of the next part to `plain`.
    pub fn push(&mut self, part: &[u8], plain: &mut Vec<u8>) {
        let mut rest = part;
        while let Some(first) = rest.first() {
            if self.state == State::Text {
                let end = memchr::memchr(0x1b, rest).unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                plain.extend_from_slice(text);
                rest = after.get(1..).unwrap_or_default();
                if !after.is_empty() {
                    self.state = State::Escape;
                }
                continue;
            }
            rest = rest.get(1..).unwrap_or_default();
            self.state = match (self.state, first) {
                (State::Escape, b'[') => State::Control,
                (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
                // Intermediate characters of a short sequence.
                (State::Escape, 0x20..=0x2f) => State::Escape,
                (State::Control, 0x20..=0x3f) => State::Control,
                // A string ends with ESC \.
                (_, 0x1b) => State::Escape,
                (State::String, 0x07) => State::Text,
                (State::String, b'\n') => {
                    // It has no end: the output goes on.
                    plain.push(b'\n');
                    State::Text
                }
                (State::String, _) => State::String,
                _ => State::Text,
            };
        }
    }
}

/// A text without escape sequences.
pub fn to_plain(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    PlainText::default().push(text.as_bytes(), &mut plain);
    String::from_utf8_lossy(&plain).into_owned()
}

/// The colors of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HtmlColors {
    /// Dark text on a light page.
    Light,
    /// Light text on a dark page.
    Dark,
}

impl HtmlColors {
    /// The rules for the classes that [`to_html`] writes.
    pub const fn style(self) -> &'static str {
        match self {
            HtmlColors::Light => concat!(
                ".ansi_back{background:#fff;color:#161b1f}.ansi30{color:#161b1f}.ansi31{color:#b3261e}",
                ".ansi32{color:#216e2a}.ansi33{color:#8a5a00}.ansi34{color:#1a4fb4}.ansi35{color:#8a2a8a}",
                ".ansi36{color:#0b6a75}.ansi37{color:#5f6670}.ansi1{font-weight:bold}.ansi3{font-style:italic}",
                ".ansi4{text-decoration:underline}"
            ),
            HtmlColors::Dark => concat!(
                ".ansi_back{background:#161b1f;color:#e8eaed}.ansi30{color:#8b949e}.ansi31{color:#ff7b72}",
                ".ansi32{color:#6fdd8b}.ansi33{color:#f0c04a}.ansi34{color:#79b8ff}.ansi35{color:#e39bf7}",
                ".ansi36{color:#6cd9e4}.ansi37{color:#e8eaed}.ansi1{font-weight:bold}.ansi3{font-style:italic}",
                ".ansi4{text-decoration:underline}"
            ),
        }
    }
}

/// The attributes of the text at a place.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Attributes {
    /// 30 to 37.
    color: Option<u8>,
    bold: bool,
    italic: bool,
    underline: bool,
}

impl Attributes {
    /// Applies the parameters of a sequence that ends with `m`.
    fn apply(&mut self, parameters: &str) {
        let mut numbers = parameters.split([';', ':']).map(|number| match number {
            "" => Some(0),
            number => number.parse::<u16>().ok(),
        });
        while let Some(number) = numbers.next() {
            match number {
                Some(0) => *self = Attributes::default(),
                Some(1) => self.bold = true,
                Some(3) => self.italic = true,
                Some(4) => self.underline = true,
                Some(22) => self.bold = false,
                Some(23) => self.italic = false,
                Some(24) => self.underline = false,
                Some(color @ 30..=37) => self.color = Some(color as u8),
                Some(39) => self.color = None,
                Some(color @ 90..=97) => self.color = Some((color - 60) as u8),
                // One of many colors: its parameters are not attributes.
                Some(38 | 48) => match numbers.next() {
                    Some(Some(5)) => drop(numbers.next()),
                    Some(Some(2)) => drop(numbers.nth(2)),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn open(&self, html: &mut String) {
        if *self == Attributes::default() {
            return;
        }
        html.push_str("<span class=\"");
        let color = self.color.map(|color| format!("ansi{color}"));
        let others = [(self.bold, "ansi1"), (self.italic, "ansi3"), (self.underline, "ansi4")];
        let others = others.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned());
        html.push_str(&color.into_iter().chain(others).collect::<Vec<_>>().join(" "));
        html.push_str("\">");
    }

    fn close(&self, html: &mut String) {
        if *self != Attributes::default() {
            html.push_str("</span>");
        }
    }
}

/// A text as HTML: colors become classes, other sequences are removed. All of the text is escaped.
pub fn to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 4);
    let mut attributes = Attributes::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        escape(&to_plain(before), &mut html);
        let end = after.find(|character: char| !(' '..='?').contains(&character)).unwrap_or(after.len());
        let (parameters, after) = after.split_at(end);
        let mut after = after.chars();
        if after.next() == Some('m') {
            attributes.close(&mut html);
            attributes.apply(parameters);
            attributes.open(&mut html);
        }
        rest = after.as_str();
    }
    escape(&to_plain(rest), &mut html);
    attributes.close(&mut html);
    html
}

fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            character => html.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_removed_wherever_a_part_ends() {
        let text = "a\x1b[0;31mred\x1b[0m b\x1b]0;title\x07c\x1b]8;;x\x1b\\d\x1b(Be\x1b";
        assert_eq!(to_plain(text), "ared bcde");
        for cut in 0..text.len() {
            let mut plain = Vec::new();
            let mut reader = PlainText::default();
            reader.push(&text.as_bytes()[..cut], &mut plain);
            reader.push(&text.as_bytes()[cut..], &mut plain);
            assert_eq!(String::from_utf8_lossy(&plain), "ared bcde", "{cut}");
        }
    }

    #[test]
    fn sequence_without_end_hides_one_line_at_most() {
        assert_eq!(to_plain("a\x1b]title\nb\n"), "a\nb\n");
    }

    #[test]
    fn colors_become_classes() {
        assert_eq!(
            to_html("\x1b[0;32mok: [<one>]\x1b[0m & \x1b[1;35mx\x1b[22my\x1b[0m"),
            "<span class=\"ansi32\">ok: [&lt;one&gt;]</span> &amp; <span class=\"ansi35 ansi1\">x</span>\
             <span class=\"ansi35\">y</span>"
        );
    }

    #[test]
    fn sequences_cannot_write_html() {
        for text in ["\x1b[<script>", "\x1b]<script>\x07<b>", "\x1b[38;5;<i>m<i>", "\x1b[\u{17c}<b>"] {
            let html = to_html(text);
            assert!(!html.contains("<b") && !html.contains("<i") && !html.contains("<s"), "{html}");
        }
    }

    #[test]
    fn colors_of_a_palette_are_ignored() {
        assert_eq!(to_html("\x1b[38;5;31mx\x1b[0m\x1b[38;2;1;3;4my"), "xy");
    }
}
