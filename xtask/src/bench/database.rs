//! The database to measure on, and the users in it.

use std::path::Path;

use anyhow::{Context as _, Result};
use hostler_database::{Database, Location};
use postgres::{Client, NoTls};
use sea_query::{Query, Value};

/// Users in one statement: well below what either database takes.
const BATCH: usize = 500;

/// A new database that no other program uses; one on a PostgreSQL server is dropped with this value.
pub enum Place {
    /// The file in the server's data folder.
    Sqlite,
    /// A database on a server.
    Postgres {
        /// Where databases can be made.
        server: String,
        /// The one made here.
        name: String,
    },
}

impl Place {
    /// Makes a database on that server, or leaves the file to Hostler.
    pub fn create(server: Option<&str>) -> Result<Self> {
        let Some(server) = server else { return Ok(Place::Sqlite) };
        let name = format!("hostler_bench_{}", std::process::id());
        let mut client = Client::connect(server, NoTls).context("the PostgreSQL server cannot be reached")?;
        client.batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(Place::Postgres { server: server.to_owned(), name })
    }

    /// What `--database` takes.
    pub fn url(&self) -> Option<String> {
        let Place::Postgres { server, name } = self else { return None };
        let (address, query) = match server.split_once('?') {
            Some((address, query)) => (address, format!("?{query}")),
            None => (server.as_str(), String::new()),
        };
        let path = address.find("://").map_or(0, |scheme| scheme + 3);
        let host = address[path..].find('/').map_or(address, |slash| &address[..path + slash]);
        Some(format!("{host}/{name}{query}"))
    }

    /// What it is and how far an answered write is safe, in words.
    pub fn described(&self) -> Result<String> {
        let Place::Postgres { server, .. } = self else {
            return Ok("SQLite in WAL mode with synchronous=FULL: an answered write is on the disk".to_owned());
        };
        let mut client = Client::connect(server, NoTls)?;
        let mut setting = |name: &str| -> Result<String> { Ok(client.query_one(&format!("SHOW {name}"), &[])?.get(0)) };
        let (version, fsync, commit) = (setting("server_version")?, setting("fsync")?, setting("synchronous_commit")?);
        let safety = match (fsync.as_str(), commit.as_str()) {
            ("on", "on") => "an answered write is on the disk",
            _ => "an answered write is NOT safe from a power cut, so the figures of PATCH are flattering",
        };
        let version = version.split(' ').next().unwrap_or_default();
        Ok(format!("PostgreSQL {version} with fsync={fsync} and synchronous_commit={commit}: {safety}"))
    }

    /// Adds users, and answers the ids of the first and the last.
    pub fn seed(&self, file: &Path, users: usize) -> Result<(i64, i64)> {
        let location = match self.url() {
            Some(url) => Location::Postgres(url),
            None => Location::Sqlite(file.to_owned()),
        };
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let database = Database::open(&location).await?;
            let mut tx = database.begin().await?;
            let mut ids = None;
            for number in 0..users {
                // The first and the last tell their ids; between them there is no gap.
                if number == 0 || number + 1 == users {
                    let id = tx.insert(&rows(number..number + 1)).await?;
                    ids = Some((ids.map_or(id, |(first, _)| first), id));
                } else if (number - 1) % BATCH == 0 {
                    tx.execute(&rows(number..(number + BATCH).min(users - 1))).await?;
                }
            }
            tx.commit().await?;
            database.close().await;
            ids.context("no users to add")
        })
    }
}

/// Users without a password: none of them logs in.
fn rows(numbers: std::ops::Range<usize>) -> sea_query::InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("users").columns([
        "ansible_id",
        "created",
        "username",
        "first_name",
        "last_name",
        "email",
        "is_superuser",
        "is_system_auditor",
        "is_active",
    ]);
    for number in numbers {
        insert.values_panic([
            format!("00000000-0000-4000-8000-{number:012}").into(),
            Value::from(jiff::Timestamp::UNIX_EPOCH).into(),
            format!("user-{number:06}").into(),
            "Grace".into(),
            format!("Number {number}").into(),
            format!("user-{number}@example.org").into(),
            false.into(),
            false.into(),
            true.into(),
        ]);
    }
    insert
}

impl Drop for Place {
    fn drop(&mut self) {
        let Place::Postgres { server, name } = self else { return };
        let dropped = Client::connect(server, NoTls)
            .and_then(|mut client| client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        if let Err(problem) = dropped {
            eprintln!("the database {name} is left behind: {problem}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_goes_into_the_url() {
        for (server, url) in [
            ("postgres://a@h:1/postgres", "postgres://a@h:1/it"),
            ("postgres://a@h", "postgres://a@h/it"),
            ("postgres://a@h/x?sslmode=disable", "postgres://a@h/it?sslmode=disable"),
        ] {
            // Forgotten, since there is nothing to drop.
            let place = std::mem::ManuallyDrop::new(Place::Postgres { server: server.into(), name: "it".into() });
            assert_eq!(place.url().as_deref(), Some(url));
        }
    }
}
