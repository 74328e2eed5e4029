//! How events are shown to people.

use serde_json::Value;

use crate::event_types::event_type;

/// What an event says to people: the name of its type, with the name of the play or the task.
pub fn event_display(event: &str, play: &str, task: &str, role: &str, data: &Value) -> String {
    let name = event_type(event).map_or_else(|| capitalized(event), |known| known.display.to_owned());
    match event {
        "playbook_on_play_start" if !play.is_empty() => format!("{name} ({play})"),
        "playbook_on_task_start" if !task.is_empty() => {
            let is_handler = data.get("is_conditional").and_then(Value::as_bool) == Some(true);
            let name = if is_handler { "Handler Notified" } else { name.as_str() };
            if role.is_empty() { format!("{name} ({task})") } else { format!("{name} ({role} | {task})") }
        }
        _ => name,
    }
}

fn capitalized(event: &str) -> String {
    let words = event.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A text of at most this number of characters: a longer one is cut, ends with an ellipsis, and has the colors of
/// terminals reset.
pub fn shortened(text: String, most: usize) -> String {
    if text.len() <= most || text.chars().nth(most).is_none() {
        return text;
    }
    let end = text.char_indices().nth(most.saturating_sub(1)).map_or(text.len(), |(end, _)| end);
    let mut cut = text;
    cut.truncate(end);
    cut.push('\u{2026}');
    if cut.rfind("\u{1b}[").is_some_and(|at| !cut[at..].starts_with("\u{1b}[0m")) {
        cut.push_str("\u{1b}[0m");
    }
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plays_and_tasks_have_their_names() {
        for (event, expected) in [
            ("playbook_on_play_start", "Play Started (site)"),
            ("playbook_on_task_start", "Task Started (web | copy)"),
            ("runner_on_ok", "Host OK"),
            ("some_other", "Some Other"),
        ] {
            assert_eq!(event_display(event, "site", "copy", "web", &json!({})), expected);
        }
        let handler = json!({"is_conditional": true});
        assert_eq!(event_display("playbook_on_task_start", "", "restart", "", &handler), "Handler Notified (restart)");
    }

    #[test]
    fn long_texts_are_cut_and_reset_colors() {
        assert_eq!(shortened("abc".into(), 3), "abc");
        assert_eq!(shortened("abcd".into(), 3), "ab\u{2026}");
        assert_eq!(shortened("\u{1b}[31mlong\u{1b}[0m".into(), 8), "\u{1b}[31mlo\u{2026}\u{1b}[0m");
        assert_eq!(shortened("\u{fc}".repeat(5), 5), "\u{fc}".repeat(5));
    }
}
