//! Trying actions one by one, and writing down what they answered.

use std::fmt::Write as _;
use std::path::Path;

use hostler_testkit::{Backend, Client};
use serde_json::{Value, json};

use crate::permissions::fixture::{AccessFixture, Actor};

/// How long the names of actors are at most.
const NAMES: usize = 32;

/// How things are put back after an action that worked.
enum Undo {
    /// There is nothing to put back.
    Nothing,
    /// What was watched is written back.
    PutBack,
    /// What was made is deleted.
    DeleteMade,
    /// This is posted.
    Post(String, Value),
}

/// One action: the request, and what it should change.
pub struct Action {
    method: &'static str,
    path: String,
    body: Option<Value>,
    watched: Option<String>,
    /// Whether what is watched shows that the action worked.
    shows: bool,
    undo: Undo,
}

impl Action {
    fn new(method: &'static str, path: impl Into<String>, body: Option<Value>, undo: Undo) -> Self {
        Action { method, path: path.into(), body, watched: None, shows: true, undo }
    }

    /// Looks at an object, or at a list: then the cell tells how many it shows.
    pub fn see(path: impl Into<String>) -> Self {
        Self::new("GET", path, None, Undo::Nothing)
    }

    /// Changes fields of an object.
    pub fn change(path: impl Into<String>, body: Value) -> Self {
        let path = path.into();
        Self { watched: Some(path.clone()), ..Self::new("PATCH", path, Some(body), Undo::PutBack) }
    }

    /// Deletes an object: in a state that it is not in, for 412 comes after the
    /// permission and leaves all as it is.
    pub fn delete(path: impl Into<String>) -> Self {
        let path = path.into();
        Self { watched: Some(path.clone()), ..Self::new("DELETE", path, None, Undo::Nothing) }
    }

    /// Deletes what was made only to be deleted.
    pub fn delete_for_good(path: impl Into<String>) -> Self {
        Self::new("DELETE", path, None, Undo::Nothing)
    }

    /// Creates an object, which is deleted again if it can be.
    pub fn create(list: impl Into<String>, body: Value) -> Self {
        let list = list.into();
        Self { watched: Some(list.clone()), ..Self::new("POST", list, Some(body), Undo::DeleteMade) }
    }

    /// Creates an object that stands in another list than the one that is posted to.
    pub fn create_elsewhere(path: impl Into<String>, list: &str, body: Value) -> Self {
        Self { watched: Some(list.to_owned()), ..Self::new("POST", path, Some(body), Undo::DeleteMade) }
    }

    /// Adds an object to a list.
    pub fn attach(list: impl Into<String>, id: i64) -> Self {
        let list = list.into();
        let undo = Undo::Post(list.clone(), json!({"id": id, "disassociate": true}));
        Self { watched: Some(list.clone()), ..Self::new("POST", list, Some(json!({"id": id})), undo) }
    }

    /// Takes an object out of a list.
    pub fn detach(list: impl Into<String>, id: i64) -> Self {
        let list = list.into();
        let undo = Undo::Post(list.clone(), json!({"id": id}));
        let body = json!({"id": id, "disassociate": true});
        Self { watched: Some(list.clone()), ..Self::new("POST", list, Some(body), undo) }
    }

    /// Asks for something to be done of which nothing can be seen.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new("POST", path, Some(body), Undo::Nothing)
    }

    /// What is changed cannot be seen.
    pub fn unseen(mut self) -> Self {
        self.shows = false;
        self
    }

    /// What the action answered; all is as it was before, afterwards.
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

/// An answer without what tells when and by whom it was changed last.
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

/// The table of one type.
pub struct Table {
    text: String,
    width: usize,
}

impl Table {
    /// A table of these actions, each with what it means.
    pub fn new(actions: &[(&str, &str)]) -> Self {
        let mut text = String::from("What is tried:\n");
        let longest = actions.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, meaning) in actions {
            let _ = writeln!(text, "  {name:<longest$}  {meaning}");
        }
        Table { text, width: longest.max(8) + 2 }
    }

    /// Tells what the names of actors mean.
    pub fn explain(&mut self, actors: &[Actor]) {
        self.text.push_str("\nWho tries it:\n");
        for actor in actors {
            let _ = writeln!(self.text, "  {:<NAMES$}  {}", actor.name, actor.what);
        }
    }

    /// Lets each of the actors try each action on one object. `attempt` makes the
    /// request; none if it makes no sense for this actor.
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

    /// Fails if this is not what stands in the file of this name.
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
