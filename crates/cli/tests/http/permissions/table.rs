//! Runs actions one by one, and writes the responses into a table.

use std::fmt::Write as _;
use std::path::Path;

use hostler_testkit::{Backend, Client};
use serde_json::{Value, json};

use crate::permissions::fixture::{AccessFixture, Actor};

/// The maximum length of an actor's name.
const NAMES: usize = 32;

/// How to restore the state after a successful action.
enum Undo {
    /// Nothing to restore.
    Nothing,
    /// Write back the observed object.
    PutBack,
    /// Delete the created object.
    DeleteMade,
    /// Send this POST.
    Post(String, Value),
}

/// An action: the request, and the change that it should make.
pub struct Action {
    method: &'static str,
    path: String,
    body: Option<Value>,
    watched: Option<String>,
    /// Whether the observed object shows that the action worked.
    shows: bool,
    undo: Undo,
}

impl Action {
    fn new(method: &'static str, path: impl Into<String>, body: Option<Value>, undo: Undo) -> Self {
        Action { method, path: path.into(), body, watched: None, shows: true, undo }
    }

    /// Reads an object or a list; for a list the cell contains the count.
    pub fn see(path: impl Into<String>) -> Self {
        Self::new("GET", path, None, Undo::Nothing)
    }

    /// Changes fields of an object.
    pub fn change(path: impl Into<String>, body: Value) -> Self {
        let path = path.into();
        Self { watched: Some(path.clone()), ..Self::new("PATCH", path, Some(body), Undo::PutBack) }
    }

    /// Deletes an object, with an If-Match that fails: 412 comes after the permission check, and nothing is deleted.
    pub fn delete(path: impl Into<String>) -> Self {
        let path = path.into();
        Self { watched: Some(path.clone()), ..Self::new("DELETE", path, None, Undo::Nothing) }
    }

    /// Deletes an object that was created for this.
    pub fn delete_for_good(path: impl Into<String>) -> Self {
        Self::new("DELETE", path, None, Undo::Nothing)
    }

    /// Creates an object, and deletes it again if possible.
    pub fn create(list: impl Into<String>, body: Value) -> Self {
        let list = list.into();
        Self { watched: Some(list.clone()), ..Self::new("POST", list, Some(body), Undo::DeleteMade) }
    }

    /// Creates an object that appears in another list than the one of the POST.
    pub fn create_elsewhere(path: impl Into<String>, list: &str, body: Value) -> Self {
        Self { watched: Some(list.to_owned()), ..Self::new("POST", path, Some(body), Undo::DeleteMade) }
    }

    /// Adds an object to a list.
    pub fn attach(list: impl Into<String>, id: i64) -> Self {
        let list = list.into();
        let undo = Undo::Post(list.clone(), json!({"id": id, "disassociate": true}));
        Self { watched: Some(list.clone()), ..Self::new("POST", list, Some(json!({"id": id})), undo) }
    }

    /// Removes an object from a list.
    pub fn detach(list: impl Into<String>, id: i64) -> Self {
        let list = list.into();
        let undo = Undo::Post(list.clone(), json!({"id": id}));
        let body = json!({"id": id, "disassociate": true});
        Self { watched: Some(list.clone()), ..Self::new("POST", list, Some(body), undo) }
    }

    /// A POST without a visible effect.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new("POST", path, Some(body), Undo::Nothing)
    }

    /// A PATCH without a visible effect.
    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self::new("PATCH", path, Some(body), Undo::Nothing)
    }

    /// The change cannot be observed.
    pub fn unseen(mut self) -> Self {
        self.shows = false;
        self
    }

    /// The response of the action; afterwards the state is restored.
    fn cell(self, admin: &Client, actor: &Actor) -> String {
        let look = |path: &String| without_timestamps(admin.get(path).expect(200).json());
        let before = self.watched.as_ref().map(|path| (path, admin.get(path).expect(200).json()));
        let mut call = actor.client.request(self.method, &self.path);
        if self.method == "DELETE" && self.watched.is_some() {
            call = call.header("If-Match", "\"other\"");
        }
        let answer = match self.body {
            Some(body) => call.json(body).send(),
            None => call.send(),
        };
        let may_delete = self.method == "DELETE" && answer.status == 412;
        if let Some((path, before)) = before {
            let is_changed = look(path) != without_timestamps(before.clone());
            let should_be = answer.status < 300 && !may_delete;
            assert!(is_changed == should_be || !self.shows, "{}: {answer} changed {path}: {is_changed}", actor.name);
            match self.undo {
                _ if !should_be => {}
                Undo::Nothing => {}
                Undo::PutBack => drop(admin.put(path, &before).expect(200)),
                Undo::DeleteMade => {
                    let made = answer.json()["url"].as_str().expect("what was made").to_owned();
                    let status = admin.delete(&made).status;
                    assert!([204, 405].contains(&status), "{made} cannot be deleted: {status}");
                }
                Undo::Post(path, body) => drop(admin.post(&path, body).expect(204)),
            }
        }
        match answer.status {
            200 if self.method == "GET" => match answer.json()["count"].as_i64() {
                Some(count) => format!("{count} seen"),
                None => "200".to_owned(),
            },
            412 if may_delete => "204".to_owned(),
            status => status.to_string(),
        }
    }
}

/// A response without the time and the author of the last change.
fn without_timestamps(mut body: Value) -> Value {
    match &mut body {
        Value::Object(map) => {
            for key in ["modified", "modified_by", "last_used"] {
                map.shift_remove(key);
            }
            for value in map.values_mut() {
                *value = without_timestamps(value.take());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = without_timestamps(value.take())),
        _ => {}
    }
    body
}

/// The table of one resource.
pub struct Table {
    text: String,
    width: usize,
}

impl Table {
    /// A table of these actions, each with a description.
    pub fn new(actions: &[(&str, &str)]) -> Self {
        let mut text = String::from("Actions:\n");
        let longest = actions.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, meaning) in actions {
            let _ = writeln!(text, "  {name:<longest$}  {meaning}");
        }
        Table { text, width: longest.max(8) + 2 }
    }

    /// Adds the descriptions of the actors.
    pub fn explain(&mut self, actors: &[Actor]) {
        self.text.push_str("\nActors:\n");
        for actor in actors {
            let _ = writeln!(self.text, "  {:<NAMES$}  {}", actor.name, actor.what);
        }
    }

    /// Adds the responses of each action by each actor on one object. `attempt` makes the request; none if it does not
    /// apply to this actor.
    pub fn block(
        &mut self,
        title: &str,
        fixture: &AccessFixture,
        actors: &[Actor],
        actions: &[(&str, &str)],
        attempt: impl Fn(&Actor, &str) -> Option<Action>,
    ) {
        let width = self.width;
        assert!(title.len() < NAMES + 3, "{title:?} is too long a title");
        let mut head = format!("\n{title:<0$}", NAMES + 4);
        for (name, _) in actions {
            let _ = write!(head, "{name:<width$}");
        }
        let _ = writeln!(self.text, "{}", head.trim_end());
        let admin = fixture.server.as_admin();
        for actor in actors {
            let mut line = format!("  {:<NAMES$}  ", actor.name);
            for (action, _) in actions {
                let cell = attempt(actor, action).map_or("-".to_owned(), |attempt| attempt.cell(&admin, actor));
                let _ = write!(line, "{cell:<width$}");
            }
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    /// Fails if the text differs from the file of this name.
    pub fn compare(&self, backend: Backend, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/http/permissions/{name}.txt"));
        let found = &self.text;
        if std::env::var_os("HOSTLER_REWRITE").is_some() {
            std::fs::write(&file, found).expect("the table can be written");
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        let mut differences = vec![];
        let mut heading = "";
        for (found, known) in found.lines().zip(known.lines().chain(std::iter::repeat(""))) {
            if !found.starts_with(' ') {
                heading = found;
            }
            if found != known {
                differences.push(format!("{heading}\n- {known}\n+ {found}"));
            }
        }
        assert!(
            differences.is_empty() && *found == known,
            "{backend}: the rules in {name}.txt changed:\n{}",
            differences.join("\n")
        );
    }
}
