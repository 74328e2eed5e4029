//! Names that repeat in the events of a job, stored once.

use std::collections::HashMap;

use hostler_database::{Database, Error};
use sea_query::{Expr, ExprTrait, Query};

/// The columns of events that are numbers of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameColumn {
    /// The type of the event.
    Event,
    /// The name of the host.
    HostName,
    /// The name of the play.
    Play,
    /// The name of the task.
    Task,
    /// The name of the role.
    Role,
    /// The playbook.
    Playbook,
}

impl NameColumn {
    /// The column of the field with this key.
    pub fn of_field(name: &str) -> Option<NameColumn> {
        Some(match name {
            "event" => NameColumn::Event,
            "host_name" => NameColumn::HostName,
            "play" => NameColumn::Play,
            "task" => NameColumn::Task,
            "role" => NameColumn::Role,
            "playbook" => NameColumn::Playbook,
            _ => return None,
        })
    }

    /// The column with the number.
    pub const fn column(self) -> &'static str {
        match self {
            NameColumn::Event => "event_id",
            NameColumn::HostName => "host_name_id",
            NameColumn::Play => "play_id",
            NameColumn::Task => "task_id",
            NameColumn::Role => "role_id",
            NameColumn::Playbook => "playbook_id",
        }
    }
}

/// The numbers of the names of a job that match, among them 0 for the empty name.
///
/// # Errors
/// Database errors.
pub async fn name_ids(database: &Database, job_id: i64, matches: impl Fn(&str) -> bool) -> Result<Vec<i64>, Error> {
    let names = load(database, job_id).await?;
    let empty = matches("").then_some(0);
    let found = names.into_iter().filter(|(_, name)| matches(name)).map(|(id, _)| id);
    Ok(empty.into_iter().chain(found).collect())
}

async fn load(database: &Database, job_id: i64) -> Result<Vec<(i64, String)>, Error> {
    let names = Query::select()
        .columns(["id", "name"])
        .from("job_event_names")
        .and_where(Expr::col("job_id").eq(job_id))
        .to_owned();
    database.read_as(&names).await
}

/// The names of a job, while its events are written.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<String, i64>,
    /// Names that the next statement writes.
    added: Vec<(i64, String)>,
}

impl Names {
    pub async fn open(database: &Database, job_id: i64) -> Result<Self, Error> {
        let ids = load(database, job_id).await?.into_iter().map(|(id, name)| (name, id)).collect();
        Ok(Names { ids, added: Vec::new() })
    }

    /// The number of a name, which is added if it is new.
    pub fn id(&mut self, name: &str) -> i64 {
        if name.is_empty() {
            return 0;
        }
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.ids.len() as i64 + 1;
        self.ids.insert(name.to_owned(), id);
        self.added.push((id, name.to_owned()));
        id
    }

    /// The number of a known name.
    pub fn find(&self, name: &str) -> Option<i64> {
        self.ids.get(name).copied()
    }

    /// The names that were added since the last call.
    pub fn take_added(&mut self) -> Vec<(i64, String)> {
        std::mem::take(&mut self.added)
    }
}
