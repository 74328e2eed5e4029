//! The list of steps whose responses differ from the recording, and the list of cases that are not replayed yet.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::case::Case;
use super::python::full_match;
use super::replay::Outcome;

/// A step that differs, with the reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifference {
    /// The name of the case.
    pub case: String,
    /// The number of the step in the case, from 1.
    pub step: usize,
    /// The HTTP status of the server; any other fails.
    pub status: u16,
    /// Patterns of the paths that differ, where the status is the recorded one; any other difference fails.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Whether it depends on timing: the response may also be as recorded.
    #[serde(default)]
    pub sometimes: bool,
    /// Why the response differs: deliberately, or because of an unimplemented feature.
    pub reason: String,
}

/// Cases that are not replayed yet, and the feature that they need.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// The missing feature.
    #[serde(rename = "for")]
    pub reason: String,
    /// The names of the cases.
    pub cases: Vec<String>,
}

/// The known differences from the recordings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifferences {
    #[serde(default)]
    difference: Vec<KnownDifference>,
    #[serde(default)]
    waiting: Vec<Waiting>,
}

impl KnownDifferences {
    /// Reads `[[difference]]` entries from one TOML file and `[[waiting]]` entries from another.
    pub fn read(differences: &Path, waiting: &Path) -> Self {
        let read = |file: &Path| -> Self {
            let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        };
        Self { difference: read(differences).difference, waiting: read(waiting).waiting }
    }

    /// Whether a case needs an unimplemented feature.
    pub fn is_waiting(&self, case: &Case) -> bool {
        self.waiting.iter().any(|waiting| waiting.cases.contains(&case.name))
    }

    /// The errors in the lists themselves.
    pub fn faults(&self, cases: &[Case]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = HashSet::new();
        for name in self.waiting.iter().flat_map(|waiting| &waiting.cases) {
            if !cases.iter().any(|case| case.name == *name) {
                faults.push(format!("{name}: a case that waits does not exist"));
            }
            if !seen.insert(name) {
                faults.push(format!("{name}: is listed twice as waiting"));
            }
        }
        let mut seen = HashSet::new();
        for entry in &self.difference {
            let name = format!("{} step {}", entry.case, entry.step);
            let case = cases.iter().find(|case| case.name == entry.case);
            let step = case.and_then(|case| case.steps.get(entry.step.checked_sub(1)?));
            match step.and_then(|step| step.expect.as_ref()) {
                None => faults.push(format!("{name}: there is no such step with a recorded response")),
                Some(expect) if (expect.status == entry.status) == entry.paths.is_empty() => {
                    faults.push(format!(
                        "{name}: `paths` belong to differences with the recorded status, and only there"
                    ));
                }
                Some(_) => {}
            }
            if case.is_some_and(|case| self.is_waiting(case)) {
                faults.push(format!("{name}: its case waits and is not replayed"));
            }
            if entry.status >= 500 && entry.status != 501 {
                faults.push(format!("{name}: the server crashes"));
            }
            if entry.reason.trim().is_empty() {
                faults.push(format!("{name}: no reason is given"));
            }
            if !seen.insert((&entry.case, entry.step)) {
                faults.push(format!("{name}: is listed twice"));
            }
        }
        faults
    }

    /// The errors of a replayed case: unlisted differences, differences other than the listed ones, and listed ones
    /// that no longer differ.
    pub fn complaints(&self, case: &Case, outcomes: &[Outcome]) -> Vec<String> {
        let mut complaints = Vec::new();
        for outcome in outcomes {
            let name = format!("step {}: {}", outcome.number, outcome.request);
            let listed = self.difference.iter().find(|it| it.case == case.name && it.step == outcome.number);
            match listed {
                None if outcome.verdict.is_passed() => {}
                None => complaints.extend(outcome.differences.iter().map(|difference| format!("{name}: {difference}"))),
                Some(entry) if outcome.verdict.is_passed() && entry.sometimes => {}
                Some(_) if outcome.verdict.is_passed() => {
                    complaints.push(format!("{name}: passes now: remove it from the list of differences"));
                }
                Some(entry) if entry.status != outcome.status => complaints.push(format!(
                    "{name}: answers {}, but the list of differences says {}",
                    outcome.status, entry.status
                )),
                Some(entry) if entry.paths.is_empty() => {}
                Some(entry) => complaints.extend(unlisted_paths(entry, outcome, &name)),
            }
        }
        complaints
    }
}

/// Differences at paths that the entry does not list, and listed paths that no longer differ.
fn unlisted_paths(entry: &KnownDifference, outcome: &Outcome, name: &str) -> Vec<String> {
    let patterns: Vec<_> = entry.paths.iter().map(|path| full_match(path)).collect();
    let is_listed = |path: &str| patterns.iter().any(|pattern| pattern.is_match(path));
    let unlisted = outcome.differences.iter().filter(|it| !is_listed(&it.path)).map(|it| format!("{name}: {it}"));
    let differs = |index: usize| outcome.differences.iter().any(|it| patterns[index].is_match(&it.path));
    let unused = entry.paths.iter().enumerate().filter(|(index, _)| !differs(*index));
    let unused = unused.map(|(_, path)| format!("{name}: {path} no longer differs: remove it from the list"));
    unlisted.chain(unused).collect()
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

    fn entry(case: &str, step: usize, status: u16, paths: &[&str], reason: &str) -> KnownDifference {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        KnownDifference { case: case.to_owned(), step, status, paths, sometimes: false, reason: reason.to_owned() }
    }

    fn list(difference: Vec<KnownDifference>) -> KnownDifferences {
        KnownDifferences { difference, waiting: vec![] }
    }

    fn outcome(status: u16, verdict: Verdict) -> Outcome {
        let difference = Difference { kind: Kind::Value, path: ".x".to_owned(), wanted: json!(1), got: json!(2) };
        let differences = if verdict == Verdict::Same { vec![] } else { vec![difference] };
        Outcome { number: 1, request: "GET /".to_owned(), status, verdict, differences }
    }

    #[test]
    fn faults_of_the_list_are_found() {
        assert!(list(vec![entry("a/b", 1, 501, &[], "because")]).faults(&[case()]).is_empty());
        assert!(list(vec![entry("a/b", 1, 200, &[".x"], "because")]).faults(&[case()]).is_empty());
        for bad in [
            entry("a/c", 1, 501, &[], "x"),
            entry("a/b", 0, 501, &[], "x"),
            entry("a/b", 2, 501, &[], "x"),
            entry("a/b", 3, 501, &[], "x"),
            entry("a/b", 1, 501, &[], " "),
            entry("a/b", 1, 501, &[".x"], "x"),
            entry("a/b", 1, 200, &[], "x"),
            entry("a/b", 1, 500, &[], "x"),
        ] {
            assert_eq!(list(vec![bad.clone()]).faults(&[case()]).len(), 1, "{bad:?}");
        }
        let twice = vec![entry("a/b", 1, 501, &[], "x"), entry("a/b", 1, 501, &[], "y")];
        assert_eq!(list(twice).faults(&[case()]).len(), 1);
    }

    #[test]
    fn waiting_cases_exist_and_have_no_differences() {
        let waiting = |cases: &[&str]| Waiting {
            reason: "jobs".to_owned(),
            cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        };
        let lists = |cases, difference| KnownDifferences { difference, waiting: vec![waiting(cases)] };
        assert!(lists(&["a/b"], vec![]).is_waiting(&case()));
        assert!(lists(&["a/b"], vec![]).faults(&[case()]).is_empty());
        assert_eq!(lists(&["a/c"], vec![]).faults(&[case()]).len(), 1);
        assert_eq!(lists(&["a/b", "a/b"], vec![]).faults(&[case()]).len(), 1);
        assert_eq!(lists(&["a/b"], vec![entry("a/b", 1, 501, &[], "x")]).faults(&[case()]).len(), 1);
    }

    #[test]
    fn unlisted_differences_fail() {
        let none = list(vec![]);
        assert_eq!(none.complaints(&case(), &[outcome(200, Verdict::Value)]), ["step 1: GET /: .x: wanted 1, got 2"]);
        assert!(none.complaints(&case(), &[outcome(200, Verdict::Same)]).is_empty());
        assert!(none.complaints(&case(), &[outcome(400, Verdict::Text)]).is_empty());
    }

    #[test]
    fn listed_differences_fail_with_another_status() {
        let listed = list(vec![entry("a/b", 1, 501, &[], "because")]);
        assert!(listed.complaints(&case(), &[outcome(501, Verdict::Status)]).is_empty());
        let crashed = listed.complaints(&case(), &[outcome(500, Verdict::Status)]);
        assert_eq!(crashed, ["step 1: GET /: answers 500, but the list of differences says 501"]);
    }

    #[test]
    fn listed_differences_fail_at_other_paths() {
        let listed = |paths| list(vec![entry("a/b", 1, 200, paths, "because")]);
        assert!(listed(&[r"\.x"]).complaints(&case(), &[outcome(200, Verdict::Value)]).is_empty());
        assert_eq!(listed(&[r"\.y"]).complaints(&case(), &[outcome(200, Verdict::Value)]).len(), 2);
    }

    #[test]
    fn listed_differences_that_pass_fail() {
        let listed = list(vec![entry("a/b", 1, 501, &[], "because")]);
        let passing = listed.complaints(&case(), &[outcome(200, Verdict::Same)]);
        assert_eq!(passing, ["step 1: GET /: passes now: remove it from the list of differences"]);
    }
}
