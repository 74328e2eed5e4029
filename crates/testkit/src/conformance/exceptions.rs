//! The list of steps whose answers are known to differ from the recording.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::case::Case;
use super::replay::Outcome;

/// A step that may differ, and why.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The name of the case.
    pub case: String,
    /// The number of the step in it, from 1.
    pub step: usize,
    /// Why the answer differs: on purpose, or what is not built yet.
    pub reason: String,
}

/// All exceptions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default)]
    difference: Vec<Exception>,
}

impl Exceptions {
    /// Reads the list from a TOML file of `[[difference]]` entries.
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()));
        toml::from_str(&text).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()))
    }

    /// What is wrong with the list itself: entries that name no step with a
    /// recorded answer, that stand twice, or that give no reason.
    pub fn faults(&self, cases: &[Case]) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut faults = Vec::new();
        for entry in &self.difference {
            let place = format!("{} step {}", entry.case, entry.step);
            let case = cases.iter().find(|case| case.name == entry.case);
            let step = case.and_then(|case| case.steps.get(entry.step.checked_sub(1)?));
            if step.is_none_or(|step| step.expect.is_none()) {
                faults.push(format!("{place}: there is no such step with a recorded answer"));
            }
            if entry.reason.trim().is_empty() {
                faults.push(format!("{place}: no reason is given"));
            }
            if !seen.insert((&entry.case, entry.step)) {
                faults.push(format!("{place}: stands in the list twice"));
            }
        }
        faults
    }

    /// What is wrong with a replayed case: steps that differ and are not in the
    /// list, and steps in the list that no longer differ.
    pub fn complaints(&self, case: &Case, outcomes: &[Outcome]) -> Vec<String> {
        let mut complaints = Vec::new();
        for outcome in outcomes {
            let listed = self.difference.iter().any(|entry| entry.case == case.name && entry.step == outcome.number);
            let place = format!("step {}: {}", outcome.number, outcome.request);
            match (outcome.verdict.is_passed(), listed) {
                (true, true) => complaints.push(format!("{place}: passes now: remove it from the list of differences")),
                (false, false) => {
                    complaints.extend(outcome.differences.iter().map(|difference| format!("{place}: {difference}")));
                }
                _ => {}
            }
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::conformance::{Difference, Kind, Verdict};

    fn case() -> Case {
        let recorded = json!({"method": "GET", "path": "/", "expect": {"status": 200}});
        let silent = json!({"method": "GET", "path": "/"});
        serde_json::from_value(json!({"name": "a/b", "steps": [recorded, silent]})).expect("a case")
    }

    fn exceptions(entries: &[(&str, usize, &str)]) -> Exceptions {
        let entry = |&(case, step, reason): &(&str, usize, &str)| Exception {
            case: case.to_owned(),
            step,
            reason: reason.to_owned(),
        };
        Exceptions { difference: entries.iter().map(entry).collect() }
    }

    fn outcome(verdict: Verdict) -> Outcome {
        let difference = Difference { kind: Kind::Value, place: ".x".to_owned(), wanted: json!(1), got: json!(2) };
        let differences = if verdict == Verdict::Same { vec![] } else { vec![difference] };
        Outcome { number: 1, request: "GET /".to_owned(), verdict, differences }
    }

    #[test]
    fn the_list_must_be_sound() {
        assert!(exceptions(&[("a/b", 1, "because")]).faults(&[case()]).is_empty());
        for bad in [("a/c", 1, "x"), ("a/b", 0, "x"), ("a/b", 2, "x"), ("a/b", 3, "x"), ("a/b", 1, " ")] {
            assert_eq!(exceptions(&[bad]).faults(&[case()]).len(), 1, "{bad:?}");
        }
        assert_eq!(exceptions(&[("a/b", 1, "x"), ("a/b", 1, "y")]).faults(&[case()]).len(), 1);
    }

    #[test]
    fn differences_are_told_unless_listed() {
        let none = exceptions(&[]);
        assert_eq!(none.complaints(&case(), &[outcome(Verdict::Value)]), ["step 1: GET /: .x: wanted 1, got 2"]);
        assert!(none.complaints(&case(), &[outcome(Verdict::Same)]).is_empty());
        assert!(none.complaints(&case(), &[outcome(Verdict::Text)]).is_empty());
    }

    #[test]
    fn the_list_may_only_shrink() {
        let listed = exceptions(&[("a/b", 1, "because")]);
        assert!(listed.complaints(&case(), &[outcome(Verdict::Shape)]).is_empty());
        let passing = listed.complaints(&case(), &[outcome(Verdict::Same)]);
        assert_eq!(passing, ["step 1: GET /: passes now: remove it from the list of differences"]);
    }
}
