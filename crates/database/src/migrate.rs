//! The migrations, embedded in the binary.

use refinery::{Runner, Target};

use crate::{Dialect, OpenError};

/// The table in which refinery records migrations: its default name.
pub(crate) const TABLE: &str = "refinery_schema_history";

mod sqlite {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres {
    refinery::embed_migrations!("migrations/postgres");
}

/// Runs SQLite's migrations, all in one transaction.
pub(crate) fn sqlite_runner() -> Runner {
    sqlite::migrations::runner().set_grouped(true)
}

/// Runs PostgreSQL's migrations, all in one transaction.
pub(crate) fn postgres_runner() -> Runner {
    postgres::migrations::runner().set_grouped(true)
}

/// The schema version of this program.
pub(crate) fn known(dialect: Dialect) -> i64 {
    newest(&match dialect {
        Dialect::Sqlite => sqlite_runner(),
        Dialect::Postgres => postgres_runner(),
    })
}

/// Up to this schema version.
pub(crate) fn target(version: i64) -> Target {
    i32::try_from(version).map_or(Target::Latest, Target::Version)
}

fn newest(runner: &Runner) -> i64 {
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// Logs a migration, because it takes long for a large database.
pub(crate) fn announce(found: Option<i64>, runner: &Runner) {
    let (from, to) = (found.unwrap_or(0), newest(runner));
    if from < to {
        tracing::info!(from, to, "migrating the database schema");
    }
}

/// Rejects a database with a newer schema than that of `runner`.
pub(crate) fn refuse_newer(found: Option<i64>, runner: Runner) -> Result<(), OpenError> {
    let known = newest(&runner);
    match found {
        Some(found) if found > known => Err(OpenError::NewerSchema { found, known }),
        _ => Ok(()),
    }
}

/// An error with its causes, in one line.
pub(crate) fn problem(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
