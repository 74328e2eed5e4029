//! The database of a benchmark.

use anyhow::{Context as _, Result};
use postgres::{Client, NoTls};

/// A new database that no other program uses; a PostgreSQL database is dropped with this value.
pub enum BenchDatabase {
    /// The SQLite file in the server's data folder.
    Sqlite,
    /// A database on a PostgreSQL server.
    Postgres {
        /// The URL of the server.
        server: String,
        /// The created database.
        name: String,
    },
}

impl BenchDatabase {
    /// Creates the database on that server, or leaves the file to Hostler. One run may have several, with different
    /// names.
    pub fn create(server: Option<&str>, name: &str) -> Result<Self> {
        let Some(server) = server else { return Ok(BenchDatabase::Sqlite) };
        let name = format!("hostler_bench_{}_{name}", std::process::id());
        let mut client = Client::connect(server, NoTls).context("the PostgreSQL server cannot be reached")?;
        client.batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(BenchDatabase::Postgres { server: server.to_owned(), name })
    }

    /// The value of `--database`.
    pub fn url(&self) -> Option<String> {
        let BenchDatabase::Postgres { server, name } = self else { return None };
        let (address, query) = match server.split_once('?') {
            Some((address, query)) => (address, format!("?{query}")),
            None => (server.as_str(), String::new()),
        };
        let path = address.find("://").map_or(0, |scheme| scheme + 3);
        let host = address[path..].find('/').map_or(address, |slash| &address[..path + slash]);
        Some(format!("{host}/{name}{query}"))
    }

    /// A description of the database and its durability.
    pub fn described(&self) -> Result<String> {
        let BenchDatabase::Postgres { .. } = self else {
            return Ok("SQLite in WAL mode with synchronous=FULL: an answered write is on the disk".to_owned());
        };
        let [version, fsync, commit] = self.settings(["server_version", "fsync", "synchronous_commit"])?;
        let safety = if self.is_durable()? {
            "an answered write is on the disk"
        } else {
            "an answered write is NOT safe from a power cut, so the figures of PATCH are flattering"
        };
        let version = version.split(' ').next().unwrap_or_default();
        Ok(format!("PostgreSQL {version} with fsync={fsync} and synchronous_commit={commit}: {safety}"))
    }

    /// Whether an acknowledged write survives a power failure.
    pub fn is_durable(&self) -> Result<bool> {
        Ok(self.settings(["fsync", "synchronous_commit"])?.iter().all(|value| value != "off"))
    }

    /// The server's settings; empty for a file.
    fn settings<const N: usize>(&self, names: [&str; N]) -> Result<[String; N]> {
        let mut values = names.map(|_| String::new());
        if let BenchDatabase::Postgres { server, .. } = self {
            let mut client = Client::connect(server, NoTls)?;
            for (value, name) in values.iter_mut().zip(names) {
                *value = client.query_one(&format!("SHOW {name}"), &[])?.get(0);
            }
        }
        Ok(values)
    }
}

impl Drop for BenchDatabase {
    fn drop(&mut self) {
        let BenchDatabase::Postgres { server, name } = self else { return };
        let dropped = Client::connect(server, NoTls)
            .and_then(|mut client| client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        if let Err(problem) = dropped {
            eprintln!("the database {name} cannot be dropped: {problem}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_contains_database_name() {
        for (server, url) in [
            ("postgres://a@h:1/postgres", "postgres://a@h:1/it"),
            ("postgres://a@h", "postgres://a@h/it"),
            ("postgres://a@h/x?sslmode=disable", "postgres://a@h/it?sslmode=disable"),
        ] {
            // Forgotten, because there is nothing to drop.
            let database =
                std::mem::ManuallyDrop::new(BenchDatabase::Postgres { server: server.into(), name: "it".into() });
            assert_eq!(database.url().as_deref(), Some(url));
        }
    }
}
