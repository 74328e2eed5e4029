//! Compares the activity stream with the rows that it describes.

use std::collections::{BTreeMap, BTreeSet};

use hostler_testkit::{Client, TestServer};
use serde_json::Value;

use crate::faults::ORGANIZATIONS;

/// All organizations by name, after checking that the activity stream has exactly their history: one creation, and each
/// change up to the current state.
pub fn balanced(server: &TestServer) -> BTreeMap<String, Value> {
    let admin = server.as_admin();
    let rows = all(&admin, ORGANIZATIONS);
    let entries = all(&admin, "/api/v2/activity_stream/?object1=organization&order_by=id");
    let mut recorded: BTreeMap<i64, Recorded> = BTreeMap::new();
    for entry in &entries {
        let changes = &entry["changes"];
        match entry["operation"].as_str() {
            Some("create") => {
                let id = changes["id"].as_i64().unwrap_or_else(|| panic!("no id in {entry}"));
                let text = |field: &str| changes[field].as_str().unwrap_or_default().to_owned();
                let begun = Recorded { name: text("name"), description: text("description") };
                assert!(recorded.insert(id, begun).is_none(), "created twice: {entry}");
            }
            Some("update") => {
                let id = entry["summary_fields"]["organization"][0]["id"].as_i64();
                let known =
                    id.and_then(|id| recorded.get_mut(&id)).unwrap_or_else(|| panic!("changed before made: {entry}"));
                if let Some([old, new]) = changes["description"].as_array().map(Vec::as_slice) {
                    assert_eq!(*old, known.description, "a change is missing before {entry}");
                    known.description = new.as_str().expect("a description").to_owned();
                }
            }
            // The members who were added.
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for row in rows {
        let (id, name) = (row["id"].as_i64().expect("an id"), row["name"].as_str().expect("a name").to_owned());
        let known = recorded.get(&id).unwrap_or_else(|| panic!("the stream does not record that {row} was created"));
        assert_eq!(
            (known.name.as_str(), &row["description"]),
            (name.as_str(), &Value::from(known.description.as_str()))
        );
        ids.insert(id);
        found.insert(name, row);
    }
    let missing: Vec<_> = recorded.iter().filter(|(id, _)| !ids.contains(id)).collect();
    assert!(missing.is_empty(), "the stream contains unknown objects: {missing:?}");
    found
}

/// The state of an organization according to the activity stream so far.
#[derive(Debug)]
struct Recorded {
    name: String,
    description: String,
}

/// All pages of a list.
fn all(client: &Client, list: &str) -> Vec<Value> {
    let separator = if list.contains('?') { '&' } else { '?' };
    let mut next = format!("{list}{separator}page_size=200");
    let mut results = vec![];
    loop {
        let mut page = client.get(&next).expect(200).json();
        match page["results"].take() {
            Value::Array(more) => results.extend(more),
            other => panic!("{next}: no results but {other}"),
        }
        match page["next"].as_str() {
            Some(path) => path.clone_into(&mut next),
            None => return results,
        }
    }
}
