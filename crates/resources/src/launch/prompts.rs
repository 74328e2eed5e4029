//! What a launch sends instead of the values of the template: accepted if the template asks for it, ignored otherwise.

use std::collections::BTreeSet;

use hostler_database::{Type, Value};
use hostler_engine::{ActionInput, Engine, Error, Record, python_type};
use hostler_schema::{Action, Actor, Field, Permit, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::requirements::survey_of;
use crate::credential_access::usable_credentials;
use crate::instance_groups::usable_groups;
use crate::job_templates::{self as template, usable_inventories};
use crate::labels::readable_labels;
use crate::project_sources::check_git_name;
use crate::{CREDENTIAL, EXECUTION_ENVIRONMENT, INSTANCE_GROUP, INVENTORY, LABEL};

/// A single value: the field of the request, that of the template, and the one that says whether the template asks for it.
const VALUES: [[Field; 3]; 12] = [
    [super::SCM_BRANCH, template::SCM_BRANCH, template::ASK_SCM_BRANCH],
    [super::DIFF_MODE, template::DIFF_MODE, template::ASK_DIFF_MODE],
    [super::LIMIT, template::LIMIT, template::ASK_LIMIT],
    [super::JOB_TAGS, template::JOB_TAGS, template::ASK_TAGS],
    [super::SKIP_TAGS, template::SKIP_TAGS, template::ASK_SKIP_TAGS],
    [super::JOB_TYPE, template::JOB_TYPE, template::ASK_JOB_TYPE],
    [super::VERBOSITY, template::VERBOSITY, template::ASK_VERBOSITY],
    [super::INVENTORY_LINK, template::INVENTORY_LINK, template::ASK_INVENTORY],
    [super::ENVIRONMENT, template::ENVIRONMENT, template::ASK_ENVIRONMENT],
    [super::FORKS, template::FORKS, template::ASK_FORKS],
    [super::SLICE_COUNT, template::JOB_SLICE_COUNT, template::ASK_SLICE_COUNT],
    [super::TIMEOUT, template::TIMEOUT, template::ASK_TIMEOUT],
];

/// A list of objects: the field of the request, the one that says whether the template asks for it, the resource, and the
/// objects that the actor may use.
type ListPrompt = (Field, Field, fn() -> &'static Resource, Permit);

const LISTS: [ListPrompt; 3] = [
    (super::CREDENTIALS, template::ASK_CREDENTIAL, || &CREDENTIAL, usable_credentials),
    (super::LABELS, template::ASK_LABELS, || &LABEL, readable_labels),
    (super::INSTANCE_GROUPS, template::ASK_INSTANCE_GROUPS, || &INSTANCE_GROUP, usable_groups),
];

/// The prompts of a launch.
pub struct Prompts {
    /// The values of the template, with the accepted ones.
    pub values: Record,
    /// The accepted single values and lists, by name.
    pub accepted: Map<String, Json>,
    /// What the template does not ask for, by name.
    pub ignored: Map<String, Json>,
    /// The accepted variables.
    pub variables: Map<String, Json>,
    /// Messages about the sent values.
    pub problems: Vec<(String, Vec<String>)>,
    /// Whether the actor may use all accepted objects.
    pub permitted: bool,
}

impl Prompts {
    /// Sorts the input of a launch. `own` are the ids of the template's credentials, which its jobs use for all users.
    ///
    /// # Errors
    /// [`Error::Invalid`] for values that no template accepts; database errors.
    pub async fn read(
        engine: &Engine,
        actor: &Actor,
        template: &Record,
        own: &[i64],
        input: &ActionInput,
    ) -> Result<Prompts, Error> {
        let mut prompts = Prompts {
            values: template.clone(),
            accepted: Map::new(),
            ignored: Map::new(),
            variables: Map::new(),
            problems: vec![],
            permitted: true,
        };
        prompts.read_values(template, input);
        prompts.check_links(engine, actor, input).await?;
        prompts.read_lists(engine, actor, template, own, input).await?;
        let sent = match input.json(&super::EXTRA_VARS) {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(variables)) => variables.clone(),
            Some(other) => match hostler_variables::parse(other.as_str().unwrap_or(&other.to_string())) {
                Ok(variables) => variables,
                Err(problem) => {
                    prompts.problem(&super::EXTRA_VARS, problem.to_string());
                    Map::new()
                }
            },
        };
        if !prompts.problems.is_empty() {
            return Err(Error::Invalid(prompts.problems));
        }
        prompts.read_variables(template, sent)?;
        Ok(prompts)
    }

    /// Sets the limit, even if the template does not ask for it.
    pub fn set_limit(&mut self, limit: &str) {
        self.values.set(&template::LIMIT, Value::Text(limit.to_owned()));
        self.accepted.insert(super::LIMIT.name.into(), limit.into());
    }

    /// The ids of an accepted list.
    pub fn list(&self, field: &Field) -> Option<Vec<i64>> {
        Some(self.accepted.get(field.name)?.as_array()?.iter().filter_map(Json::as_i64).collect())
    }

    fn problem(&mut self, field: &Field, message: impl Into<String>) {
        self.problems.push((field.name.to_owned(), vec![message.into()]));
    }

    fn read_values(&mut self, template: &Record, input: &ActionInput) {
        for [sent, field, ask] in &VALUES {
            let Some(value) = input.get(sent).filter(|value| *value != template.get(field)) else { continue };
            let shown = match value {
                Value::Text(text) => Json::from(text.as_str()),
                Value::Integer(number) => (*number).into(),
                Value::Boolean(boolean) => (*boolean).into(),
                Value::Null | Value::Time(_) | Value::Json(_) | Value::Bytes(_) => continue,
            };
            if template.boolean(ask) {
                self.values.set(field, value.clone());
                self.accepted.insert(sent.name.into(), shown);
            } else {
                self.ignored.insert(sent.name.into(), shown);
            }
        }
        if let Err(problem) = check_git_name(self.values.text(&template::SCM_BRANCH)) {
            self.problem(&super::SCM_BRANCH, problem);
        }
    }

    /// Checks that a sent inventory and execution environment exist, and may be used if they are accepted.
    async fn check_links(&mut self, engine: &Engine, actor: &Actor, input: &ActionInput) -> Result<(), Error> {
        let readable: Permit = |actor, row| EXECUTION_ENVIRONMENT.access.rows(actor, Action::Read, row);
        let links: [(Field, &'static Resource, Permit); 2] = [
            (super::INVENTORY_LINK, &INVENTORY, usable_inventories),
            (super::ENVIRONMENT, &EXECUTION_ENVIRONMENT, readable),
        ];
        for (field, resource, permit) in links {
            let Some(id) = input.integer(&field) else { continue };
            let found = find(engine, actor, resource, permit, &[id]).await?;
            if found.is_empty() {
                self.problem(&field, no_such(id));
            }
            if self.accepted.contains_key(field.name) {
                self.permitted &= found.iter().all(|(_, permitted)| *permitted);
            }
        }
        Ok(())
    }

    async fn read_lists(
        &mut self,
        engine: &Engine,
        actor: &Actor,
        template: &Record,
        own: &[i64],
        input: &ActionInput,
    ) -> Result<(), Error> {
        for (field, ask, resource, permit) in &LISTS {
            let Some(sent) = input.json(field) else { continue };
            let ids = match ids(sent) {
                Ok(ids) => ids,
                Err(message) => {
                    self.problem(field, message);
                    continue;
                }
            };
            let found = find(engine, actor, resource(), *permit, &ids).await?;
            if let Some(missing) = ids.iter().find(|id| !found.iter().any(|(found, _)| found == *id)) {
                self.problem(field, no_such(*missing));
                continue;
            }
            if template.boolean(ask) {
                let is_own = |id: &i64| field.name == super::CREDENTIALS.name && own.contains(id);
                self.permitted &= found.iter().all(|(id, permitted)| *permitted || is_own(id));
                self.accepted.insert(field.name.into(), ids.into());
            } else if !ids.is_empty() {
                self.ignored.insert(field.name.into(), ids.into());
            }
        }
        Ok(())
    }

    /// Sorts the variables: answers to the survey, others if the template asks for variables, and the rest.
    fn read_variables(&mut self, template: &Record, sent: Map<String, Json>) -> Result<(), Error> {
        let survey = survey_of(template).unwrap_or_default();
        let answers = survey.check(&sent);
        if !answers.errors.is_empty() {
            self.problems.push(("variables_needed_to_start".into(), answers.errors));
        }
        let mut rejected = answers.rejected;
        self.variables = answers.accepted;
        if template.boolean(&template::ASK_VARIABLES) {
            self.variables.extend(answers.others);
        } else if !answers.others.is_empty() {
            let of_template = variables_of(template)?;
            rejected.extend(answers.others.into_iter().filter(|(name, value)| of_template.get(name) != Some(value)));
        }
        if !rejected.is_empty() {
            self.ignored.insert(super::EXTRA_VARS.name.into(), rejected.into());
        }
        Ok(())
    }
}

/// The variables of a template.
///
/// # Errors
/// [`Error::Invalid`] for stored variables that cannot be read.
pub fn variables_of(template: &Record) -> Result<Map<String, Json>, Error> {
    hostler_variables::parse(template.text(&template::EXTRA_VARS))
        .map_err(|problem| Error::field(template::EXTRA_VARS.name, problem.to_string()))
}

/// The ids in a list, each once.
fn ids(sent: &Json) -> Result<Vec<i64>, String> {
    let Json::Array(items) = sent else {
        return Err(format!("Expected a list of items but got type \"{}\".", python_type(sent)));
    };
    let mut seen = BTreeSet::new();
    let mut ids = vec![];
    for item in items {
        let id = match item {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let id = id.ok_or_else(|| format!("Incorrect type. Expected pk value, received {}.", python_type(item)))?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn no_such(id: i64) -> String {
    format!("Invalid pk \"{id}\" - object does not exist.")
}

/// Those of these objects that exist, each with whether the actor may use it.
///
/// # Errors
/// Database errors.
pub async fn find(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    permit: Permit,
    ids: &[i64],
) -> Result<Vec<(i64, bool)>, Error> {
    const OBJECT: &str = "object";
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let query = Query::select()
        .expr(column(OBJECT, "id"))
        .expr(permit(actor, OBJECT).expression())
        .from_as(Alias::new(resource.table), Alias::new(OBJECT))
        .and_where(column(OBJECT, "id").is_in(ids.iter().copied()))
        .and_where_option(resource.not_deleted(OBJECT))
        .to_owned();
    let rows = engine.read_with_rules(actor, query, &[Type::Integer, Type::Boolean]).await?;
    Ok(rows.iter().filter_map(|row| Some((row.integer(0)?, row.boolean(1)))).collect())
}
