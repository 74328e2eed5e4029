//! The dataset of a benchmark.

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, NoTls};
use rusqlite::Connection;

use super::database::BenchDatabase;

const SQL: &str = include_str!("dataset.sql");

/// More projects, whose roles are those of the first one.
const PROJECTS: &str = "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {projects})
INSERT INTO unified_job_templates (type, created, modified, created_by_id, organization_id, name, scm_type, scm_url)
SELECT 'project', {time}, {time}, 1, {organization0} + 1 + i % {organizations}, 'More ' || i, 'git', 'https://git.example.org/' || i
FROM n ORDER BY i;
INSERT INTO roles (content_type, object_id, role_field)
SELECT content_type, projects.id, role_field FROM projects JOIN roles
    ON content_type = 'project' AND object_id = {project0} AND definition_id IS NULL
WHERE projects.name LIKE 'More %' ORDER BY projects.id, roles.id;
";

/// Users, their objects and their grants. The number of each depends on the number of users, so that an organization
/// has as many members in a small dataset as in a large one.
pub struct Dataset {
    pub users: i64,
    organizations: i64,
    /// The greatest existing ids of users, organizations, teams and projects.
    before: [i64; 4],
}

/// The minimum number of users.
pub const MIN_USERS: i64 = 200;

impl Dataset {
    /// Fills a database that has at least one organization, team and project, whose roles are the template for those of
    /// all others.
    pub fn create(database: &BenchDatabase, file: &std::path::Path, users: i64) -> Result<Self> {
        ensure!(users >= MIN_USERS, "a dataset needs at least {MIN_USERS} users");
        let mut session = Session::open(database, file)?;
        let mut before = [0; 4];
        for (id, table) in before.iter_mut().zip(["users", "organizations", "teams", "projects"]) {
            *id = session.number(&format!("SELECT max(id) FROM {table}"))?;
        }
        let dataset = Dataset { users, organizations: users / 100, before };
        session.run(&dataset.sql(SQL, users / 10, &session))?;
        ensure!(
            session.number("SELECT max(id) FROM users")? == dataset.last_user(),
            "another program wrote into the database"
        );
        session.settle()?;
        Ok(dataset)
    }

    /// Adds projects until there are so many in all.
    pub fn add_projects(&self, database: &BenchDatabase, file: &std::path::Path, total: i64) -> Result<()> {
        let mut session = Session::open(database, file)?;
        let existing = session.number("SELECT count(*) FROM projects")?;
        session.run(&self.sql(PROJECTS, total - existing, &session))?;
        ensure!(session.number("SELECT count(*) FROM projects")? == total, "another program wrote into the database");
        session.settle()
    }

    fn sql(&self, template: &str, projects: i64, session: &Session) -> String {
        let [user0, organization0, team0, project0] = self.before;
        let numbers = [
            ("{users}", self.users),
            ("{organizations}", self.organizations),
            ("{teams}", self.users / 20),
            ("{projects}", projects),
            ("{labels}", self.users / 50),
            ("{tokens}", self.users / 10),
            ("{entries}", self.users / 2),
            ("{user0}", user0),
            ("{organization0}", organization0),
            ("{team0}", team0),
            ("{project0}", project0),
        ];
        let words = if matches!(session, Session::Sqlite(_)) {
            [
                ("{true}", "1"),
                ("{false}", "0"),
                ("{time}", "(1700000000 + i) * 1000000"),
                ("{later}", "(4100000000 + i) * 1000000"),
            ]
        } else {
            [
                ("{true}", "true"),
                ("{false}", "false"),
                ("{time}", "to_timestamp(1700000000 + i)"),
                ("{later}", "to_timestamp(4100000000 + i)"),
            ]
        };
        let sql =
            numbers.iter().fold(template.to_owned(), |sql, (name, number)| sql.replace(name, &number.to_string()));
        words.iter().fold(sql, |sql, (name, word)| sql.replace(name, word))
    }

    /// The id of the first user of the dataset.
    pub fn first_user(&self) -> i64 {
        self.before[0] + 1
    }

    /// The id of the last user.
    pub fn last_user(&self) -> i64 {
        self.before[0] + self.users
    }

    /// The ids of the first and the last organization of the dataset.
    pub fn organizations(&self) -> (i64, i64) {
        (self.before[1] + 1, self.before[1] + self.organizations)
    }

    /// The organization of [`Self::organization_admin`] and of [`Self::member`].
    pub fn organization(&self) -> i64 {
        self.before[1] + 2
    }

    /// An admin of one organization.
    pub fn organization_admin(&self) -> i64 {
        self.before[0] + self.organizations + 1
    }

    /// A plain member of two organizations and of a team.
    pub fn member(&self) -> i64 {
        let first = 3 * self.organizations + 1;
        let number = (first..).step_by(usize::try_from(self.organizations).unwrap_or(1)).find(|number| number % 3 == 0);
        self.before[0] + number.unwrap_or(first)
    }
}

enum Session {
    Sqlite(Connection),
    Postgres(Box<Client>),
}

impl Session {
    fn open(database: &BenchDatabase, file: &std::path::Path) -> Result<Self> {
        Ok(match database.url() {
            None => Session::Sqlite(Connection::open(file)?),
            Some(url) => Session::Postgres(Box::new(Client::connect(&url, NoTls)?)),
        })
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        match self {
            // Durability is not needed here.
            Session::Sqlite(connection) => {
                connection.execute_batch(&format!("PRAGMA synchronous = OFF; BEGIN; {sql} COMMIT;"))?
            }
            Session::Postgres(client) => client.batch_execute(sql)?,
        }
        Ok(())
    }

    fn number(&mut self, sql: &str) -> Result<i64> {
        let number: Option<i64> = match self {
            Session::Sqlite(connection) => connection.query_row(sql, [], |row| row.get(0))?,
            Session::Postgres(client) => client.query_one(sql, &[])?.get(0),
        };
        number.context("the database has no object to copy")
    }

    /// PostgreSQL does this automatically after a while.
    fn settle(&mut self) -> Result<()> {
        match self {
            Session::Sqlite(connection) => {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            }
            Session::Postgres(client) => {
                client.batch_execute("VACUUM ANALYZE")?;
                // Only the owner of the tables may run it; otherwise autovacuum runs, possibly during a measurement.
                if let Err(problem) = client.batch_execute("CHECKPOINT") {
                    eprintln!("CHECKPOINT failed: {problem}");
                }
            }
        }
        Ok(())
    }
}
