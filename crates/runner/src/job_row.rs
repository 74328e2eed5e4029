//! What the database says of a job.

use hostler_database::{Database, Error, Row, Type};
use hostler_queue::{JobKind, Status};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value};

use crate::preparation::JobRecord;
use crate::project_files::SourceColumns;

/// A job with what it needs of other objects, in one statement.
pub(crate) struct JobRow {
    pub id: i64,
    pub kind: JobKind,
    pub status: Status,
    pub launch_type: String,
    pub job_type: String,
    pub playbook: String,
    /// The module of an ad hoc command, and its arguments.
    pub module: (String, String),
    pub forks: i64,
    pub limit: String,
    pub verbosity: i64,
    pub extra_vars: String,
    pub tags: String,
    pub skip_tags: String,
    pub start_at_task: String,
    pub force_handlers: bool,
    pub use_become: bool,
    /// Whether it gets and leaves facts of hosts.
    pub keeps_facts: bool,
    pub diff: bool,
    pub timeout: i64,
    pub slice_number: i64,
    pub slice_count: i64,
    /// The branch that the launch chose instead of the project's.
    pub branch: String,
    /// The encrypted answers to questions for passwords, by variable.
    pub survey_passwords: Map<String, Value>,
    /// The encrypted passwords that credentials ask for, by name.
    pub credential_passwords: Map<String, Value>,
    pub template: Option<Template>,
    pub inventory: Option<Named>,
    pub project: Option<Project>,
    pub user: Option<User>,
    /// What is stored of the job when it runs; none if an earlier process of the server has started it.
    pub record: Option<JobRecord>,
}

pub(crate) struct Named {
    pub id: i64,
    pub name: String,
}

pub(crate) struct Template {
    pub id: i64,
    pub name: String,
    /// The variables that were set in the template.
    pub extra_vars: String,
}

pub(crate) struct Project {
    pub id: i64,
    pub organization: Option<i64>,
    pub scm_type: String,
    pub local_path: String,
    pub revision: String,
    pub source: SourceColumns,
}

pub(crate) struct User {
    pub id: i64,
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
}

const JOB: &str = "unified_jobs";
const TEMPLATE: &str = "template";
const PROJECT: &str = "project";
const INVENTORY: &str = "inventories";
const USER: &str = "users";

/// The columns, in the order in which [`JobRow::read`] takes them.
const COLUMNS: [(&str, &str, Type); 45] = [
    (JOB, "id", Type::Integer),
    (JOB, "type", Type::Text),
    (JOB, "status", Type::Text),
    (JOB, "launch_type", Type::Text),
    (JOB, "job_type", Type::Text),
    (JOB, "playbook", Type::Text),
    (JOB, "module_name", Type::Text),
    (JOB, "module_args", Type::Text),
    (JOB, "forks", Type::Integer),
    (JOB, "job_limit", Type::Text),
    (JOB, "verbosity", Type::Integer),
    (JOB, "extra_vars", Type::Text),
    (JOB, "job_tags", Type::Text),
    (JOB, "skip_tags", Type::Text),
    (JOB, "start_at_task", Type::Text),
    (JOB, "force_handlers", Type::Boolean),
    (JOB, "become_enabled", Type::Boolean),
    (JOB, "use_fact_cache", Type::Boolean),
    (JOB, "diff_mode", Type::Boolean),
    (JOB, "timeout", Type::Integer),
    (JOB, "job_slice_number", Type::Integer),
    (JOB, "job_slice_count", Type::Integer),
    (JOB, "scm_branch", Type::Text),
    (JOB, "survey_passwords", Type::Json),
    (JOB, "credential_passwords", Type::Json),
    (TEMPLATE, "id", Type::Integer),
    (TEMPLATE, "name", Type::Text),
    (TEMPLATE, "extra_vars", Type::Text),
    (INVENTORY, "id", Type::Integer),
    (INVENTORY, "name", Type::Text),
    (PROJECT, "id", Type::Integer),
    (PROJECT, "organization_id", Type::Integer),
    (PROJECT, "scm_type", Type::Text),
    (PROJECT, "local_path", Type::Text),
    (PROJECT, "scm_revision", Type::Text),
    (PROJECT, "scm_url", Type::Text),
    (PROJECT, "scm_branch", Type::Text),
    (PROJECT, "scm_refspec", Type::Text),
    (PROJECT, "scm_track_submodules", Type::Boolean),
    (PROJECT, "credential_id", Type::Integer),
    (USER, "id", Type::Integer),
    (USER, "username", Type::Text),
    (USER, "email", Type::Text),
    (USER, "first_name", Type::Text),
    (USER, "last_name", Type::Text),
];

impl JobRow {
    /// The job with this id.
    pub async fn load(database: &Database, job: i64) -> Result<Option<Self>, Error> {
        let column = |table: &'static str, name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
        let mut query = Query::select();
        query.exprs(COLUMNS.map(|(table, name, _)| column(table, name))).from(Alias::new(JOB));
        for (table, alias, link) in [
            ("unified_job_templates", TEMPLATE, "unified_job_template_id"),
            ("unified_job_templates", PROJECT, "project_id"),
            (INVENTORY, INVENTORY, "inventory_id"),
            (USER, USER, "created_by_id"),
        ] {
            let condition = column(alias, "id").eq(column(JOB, link));
            query.join_as(sea_query::JoinType::LeftJoin, Alias::new(table), Alias::new(alias), condition);
        }
        query.and_where(column(JOB, "id").eq(job));
        let rows = database.read(&query, &COLUMNS.map(|(_, _, kind)| kind)).await?;
        rows.first().map(Self::read).transpose()
    }

    fn read(row: &Row) -> Result<Self, Error> {
        let place = |table: &str, name: &str| {
            COLUMNS.iter().position(|column| column.0 == table && column.1 == name).unwrap_or(usize::MAX)
        };
        let text = |table: &str, name: &str| row.text(place(table, name)).unwrap_or_default().to_owned();
        let optional = |table: &str, name: &str| row.integer(place(table, name));
        let integer = |table: &str, name: &str| optional(table, name).unwrap_or_default();
        let flag = |table: &str, name: &str| row.boolean(place(table, name));
        let object = |table: &str, name: &str| match row.json(place(table, name)) {
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        let (kind, status) = (text(JOB, "type"), text(JOB, "status"));
        Ok(JobRow {
            id: integer(JOB, "id"),
            kind: JobKind::parse(&kind).ok_or_else(|| Error::Internal(format!("the unknown type {kind}")))?,
            status: Status::parse(&status).ok_or_else(|| Error::Internal(format!("the unknown status {status}")))?,
            launch_type: text(JOB, "launch_type"),
            job_type: text(JOB, "job_type"),
            playbook: text(JOB, "playbook"),
            module: (text(JOB, "module_name"), text(JOB, "module_args")),
            forks: integer(JOB, "forks"),
            limit: text(JOB, "job_limit"),
            verbosity: integer(JOB, "verbosity"),
            extra_vars: text(JOB, "extra_vars"),
            tags: text(JOB, "job_tags"),
            skip_tags: text(JOB, "skip_tags"),
            start_at_task: text(JOB, "start_at_task"),
            force_handlers: flag(JOB, "force_handlers"),
            use_become: flag(JOB, "become_enabled"),
            keeps_facts: flag(JOB, "use_fact_cache"),
            diff: flag(JOB, "diff_mode"),
            timeout: integer(JOB, "timeout"),
            slice_number: integer(JOB, "job_slice_number"),
            slice_count: integer(JOB, "job_slice_count"),
            branch: text(JOB, "scm_branch"),
            survey_passwords: object(JOB, "survey_passwords"),
            credential_passwords: object(JOB, "credential_passwords"),
            template: optional(TEMPLATE, "id").map(|id| Template {
                id,
                name: text(TEMPLATE, "name"),
                extra_vars: text(TEMPLATE, "extra_vars"),
            }),
            inventory: optional(INVENTORY, "id").map(|id| Named { id, name: text(INVENTORY, "name") }),
            project: optional(PROJECT, "id").map(|id| Project {
                id,
                organization: optional(PROJECT, "organization_id"),
                scm_type: text(PROJECT, "scm_type"),
                local_path: text(PROJECT, "local_path"),
                revision: text(PROJECT, "scm_revision"),
                source: SourceColumns {
                    url: text(PROJECT, "scm_url"),
                    branch: text(PROJECT, "scm_branch"),
                    refspec: text(PROJECT, "scm_refspec"),
                    track_submodules: flag(PROJECT, "scm_track_submodules"),
                    credential: optional(PROJECT, "credential_id"),
                },
            }),
            user: optional(USER, "id").map(|id| User {
                id,
                username: text(USER, "username"),
                email: text(USER, "email"),
                first_name: text(USER, "first_name"),
                last_name: text(USER, "last_name"),
            }),
            record: None,
        })
    }
}
