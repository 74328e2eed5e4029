//! What the description of job templates cannot express.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject};
use hostler_schema::{Actor, Rule, Sublist, column};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Func, Order, Query};
use serde_json::{Value as Json, json};

use super::access::{CHANGED_BY_ADMINS, may_use};
use super::playbook::is_path_in_project;
use super::{
    ASK_INVENTORY, ASK_SCM_BRANCH, ENVIRONMENT, FORKS, HOST_CONFIG_KEY, INVENTORY_LINK, JOB_TEMPLATE,
    ORGANIZATION_LINK, PLAYBOOK, PROJECT_LINK, SCM_BRANCH, SURVEY_SPEC, WEBHOOK_CREDENTIAL, WEBHOOK_SERVICE, callback,
    copy, survey, webhook_key,
};
use crate::attached::{self, AttachedCredential, CREDENTIALS_OF_TEMPLATE};
use crate::credential_inputs::TypeDefinition;
use crate::project_sources::check_git_name;
use crate::unified_jobs::{shorten_summary, summary_mut};
use crate::{INVENTORY, PROJECT, UNIFIED_JOB, execution_environments, labels};

/// As in AWX, a template shows so many of its last jobs.
const RECENT_JOBS: u64 = 10;

/// What a template takes from its project.
struct ProjectOfTemplate {
    organization: Option<i64>,
    allow_override: bool,
    /// The playbooks of the commit that was fetched last; none before the first update, and for manual projects.
    playbooks: Option<Vec<String>>,
}

impl ProjectOfTemplate {
    async fn load(tx: &mut Transaction, edit: &Edit<'_>) -> Result<Option<Self>, Error> {
        let Some(project) = edit.new.integer(&PROJECT_LINK) else { return Ok(None) };
        let query = Query::select()
            .exprs(
                ["organization_id", "allow_override", "scm_revision", "playbook_files"]
                    .map(|name| column(PROJECT.table, name)),
            )
            .from(Alias::new(PROJECT.table))
            .and_where(column(PROJECT.table, "id").eq(project))
            .to_owned();
        let row: Option<(Option<i64>, bool, String, Json)> = tx.read_first(&query).await?;
        Ok(row.map(|(organization, allow_override, revision, files)| {
            let files = files.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
            let playbooks = (!revision.is_empty()).then_some(files);
            ProjectOfTemplate { organization, allow_override, playbooks }
        }))
    }
}

/// Checks templates, keeps their organization that of the project, and shows what is attached to them.
pub struct JobTemplateHooks;

#[async_trait]
impl Hooks for JobTemplateHooks {
    async fn derive(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() {
            require_use(engine, tx, edit).await?;
        }
        if edit.changes(&PROJECT_LINK) {
            let project = ProjectOfTemplate::load(tx, edit).await?;
            let organization = project.and_then(|project| project.organization);
            edit.new.set(&ORGANIZATION_LINK, organization.map_or(Value::Null, Value::Integer));
        }
        Ok(())
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        // As in AWX, a template whose project was deleted cannot be changed before it gets another one.
        if edit.new.integer(&PROJECT_LINK).is_none() {
            return Err(Error::field(PROJECT_LINK.name, "Job Templates must have a project assigned."));
        }
        let asks = edit.new.boolean(&ASK_INVENTORY);
        let may_change = edit.changes(&INVENTORY_LINK) || edit.changes(&ASK_INVENTORY);
        if edit.new.integer(&INVENTORY_LINK).is_none() && !asks && may_change {
            let message = "You must either set a default value or ask to prompt on launch.";
            return Err(Error::field(INVENTORY_LINK.name, message));
        }
        let most = edit.actor.job_settings.most_forks;
        if most > 0 && edit.changes(&FORKS) && edit.new.integer(&FORKS).is_some_and(|forks| forks > most) {
            return Err(Error::field(FORKS.name, format!("Maximum number of forks ({most}) exceeded.")));
        }
        if edit.new.integer(&INVENTORY_LINK).is_none() && !edit.new.text(&HOST_CONFIG_KEY).is_empty() {
            let message = "Cannot enable provisioning callback without an inventory set.";
            return Err(Error::field(HOST_CONFIG_KEY.name, message));
        }
        check_source(tx, edit).await?;
        check_webhook(tx, edit).await
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        if edit.changes(&WEBHOOK_SERVICE) {
            let has_service = !edit.new.text(&WEBHOOK_SERVICE).is_empty();
            webhook_key::replace(engine, tx, id, has_service).await?;
        }
        Ok(())
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        Some(column(UNIFIED_JOB.table, "unified_job_template_id").eq(record.id))
    }

    async fn check_association(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
    ) -> Result<(), Error> {
        if sublist.name != "credentials" {
            return Ok(());
        }
        // Whether the actor may use the credential was checked before: here only the kinds count.
        let (present, added) = attached::credentials_for_attachment(tx, parent, id).await?;
        let Some(added) = added else { return Ok(()) };
        let problem = if added.is_for_jobs() {
            let is_taken = present.iter().any(|other| other.place() == added.place());
            is_taken.then(|| multiple_message(&added))
        } else {
            Some(format!("Cannot assign a Credential of kind `{}`.", added.kind))
        };
        problem.map_or(Ok(()), |problem| Err(Error::BadRequestError(problem)))
    }

    async fn after_association(
        &self,
        tx: &mut Transaction,
        _parent: i64,
        sublist: &'static Sublist,
        id: i64,
        attach: bool,
    ) -> Result<(), Error> {
        if sublist.name == labels::LABELS && !attach { labels::delete_if_unused(tx, id).await } else { Ok(()) }
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let credentials = attached::credentials(engine, view.actor, CREDENTIALS_OF_TEMPLATE, &ids).await?;
        attached::show_credentials(page, &credentials);
        attached::show_labels(engine, &JOB_TEMPLATE, &ids, page).await?;
        show_recent_jobs(engine, &ids, page).await?;
        for shown in page.iter_mut() {
            shorten_summary(&mut shown.json, "last_job");
            shorten_summary(&mut shown.json, "current_job");
            if let Some(mut last) = summary_mut(&mut shown.json, "last_job").cloned() {
                last.retain(|name, _| !["finished", "canceled_on"].contains(&name.as_str()));
                shown.add_summary("last_update", last.into());
            }
            let spec = shown.loaded.record.get(&SURVEY_SPEC).clone();
            if let Value::Json(Json::Object(spec)) = spec
                && let (Some(title), Some(description)) = (spec.get("name"), spec.get("description"))
            {
                shown.add_summary("survey", json!({"title": title, "description": description}));
            }
            let receiver = match shown.loaded.record.text(&WEBHOOK_SERVICE) {
                "" => String::new(),
                service => format!("{}{service}/", JOB_TEMPLATE.url(shown.loaded.record.id)),
            };
            shown.add_related("webhook_receiver", receiver.into());
            if !shown.loaded.record.text(&HOST_CONFIG_KEY).is_empty() {
                let path = format!("{}{}/", JOB_TEMPLATE.url(shown.loaded.record.id), callback::PATH);
                shown.add_related(callback::PATH, path.into());
            }
        }
        if let (true, false, [shown]) = (view.detail, view.created, page) {
            show_environment(engine, view.actor, shown).await?;
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            "launch" => Some(&crate::launch::Launching),
            "survey_spec" => Some(&survey::SurveySpec),
            "webhook_key" => Some(&webhook_key::WebhookKey),
            "copy" => Some(&copy::Copying),
            _ => None,
        }
    }
}

/// The message for a second credential of the same type.
pub fn multiple_message(credential: &AttachedCredential) -> String {
    format!("Cannot assign multiple {} credentials.", credential.place_name())
}

/// Fails unless the actor may use the project and the inventory, old and new, for a change of what is run.
async fn require_use(engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    let Some(old) = &edit.old else { return Ok(()) };
    let is_free = |name: &str| CHANGED_BY_ADMINS.iter().any(|field| field.name == name);
    let sensitive =
        JOB_TEMPLATE.fields.iter().any(|field| field.writable && !is_free(field.name) && edit.changes(field));
    if !sensitive {
        return Ok(());
    }
    let mut rule = Rule::All;
    for (resource, link) in [(&PROJECT, &PROJECT_LINK), (&INVENTORY, &INVENTORY_LINK)] {
        for record in [old, &edit.new] {
            if let Some(id) = record.integer(link) {
                rule = rule.and(may_use(resource, edit.actor, Some(id)));
            }
        }
    }
    engine.require_in(tx, edit.actor, rule).await
}

/// Checks the playbook and the branch against the project.
async fn check_source(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    if ![PLAYBOOK, PROJECT_LINK, SCM_BRANCH, ASK_SCM_BRANCH].iter().any(|field| edit.changes(field)) {
        return Ok(());
    }
    let Some(project) = ProjectOfTemplate::load(tx, edit).await? else { return Ok(()) };
    let (playbook, branch) = (edit.new.text(&PLAYBOOK), edit.new.text(&SCM_BRANCH));
    if playbook.is_empty() {
        return Err(Error::field(PLAYBOOK.name, "Must select playbook for project."));
    }
    // With another branch there can be other playbooks.
    let is_missing =
        |playbooks: &Vec<String>| !project.allow_override && !playbooks.iter().any(|name| name == playbook);
    if !is_path_in_project(playbook) || project.playbooks.as_ref().is_some_and(is_missing) {
        return Err(Error::field(PLAYBOOK.name, "Playbook not found for project."));
    }
    let overrides = [(&SCM_BRANCH, !branch.is_empty()), (&ASK_SCM_BRANCH, edit.new.boolean(&ASK_SCM_BRANCH))];
    if let Some((field, _)) = overrides.into_iter().find(|(_, overrides)| *overrides && !project.allow_override) {
        return Err(Error::field(field.name, "Project does not allow overriding branch."));
    }
    check_git_name(branch).map_err(|problem| Error::field(SCM_BRANCH.name, problem))
}

async fn check_webhook(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    let Some(credential) = edit.new.integer(&WEBHOOK_CREDENTIAL) else { return Ok(()) };
    if !edit.changes(&WEBHOOK_CREDENTIAL) && !edit.changes(&WEBHOOK_SERVICE) {
        return Ok(());
    }
    let definition = TypeDefinition::load_for_credential(tx, credential).await?;
    if definition.kind != "token" {
        return Err(Error::field(WEBHOOK_CREDENTIAL.name, "Must be a Personal Access Token."));
    }
    let service = edit.new.text(&WEBHOOK_SERVICE);
    if service.is_empty() || definition.namespace.as_deref() != Some(&format!("{service}_token")) {
        return Err(Error::field(WEBHOOK_CREDENTIAL.name, "Must match the selected webhook service."));
    }
    Ok(())
}

/// Adds the last jobs of all templates of a page, in one statement.
async fn show_recent_jobs(engine: &Engine, ids: &[i64], page: &mut [ResponseObject]) -> Result<(), Error> {
    const OLDEST: &str = "oldest";
    let job = |name| column(UNIFIED_JOB.table, name);
    // The id of the oldest job to show: by the index, so that older ones are not read.
    let oldest = Query::select()
        .expr(column(OLDEST, "id"))
        .from_as(Alias::new(UNIFIED_JOB.table), Alias::new(OLDEST))
        .and_where(column(OLDEST, "unified_job_template_id").eq(column(JOB_TEMPLATE.stored_in(), "id")))
        .order_by((Alias::new(OLDEST), Alias::new("id")), Order::Desc)
        .limit(1)
        .offset(RECENT_JOBS - 1)
        .to_owned();
    let oldest = Func::coalesce([Expr::SubQuery(None, Box::new(oldest.into())), Expr::val(0)]);
    let template = || column(JOB_TEMPLATE.stored_in(), "id");
    let query = Query::select()
        .exprs(["unified_job_template_id", "id", "status", "finished", "canceled_on", "type"].map(job))
        .from(Alias::new(JOB_TEMPLATE.stored_in()))
        .inner_join(
            Alias::new(UNIFIED_JOB.table),
            job("unified_job_template_id").eq(template()).and(job("id").gte(oldest)),
        )
        .and_where(template().is_in(ids.iter().copied()))
        .order_by((Alias::new(UNIFIED_JOB.table), Alias::new("id")), Order::Desc)
        .to_owned();
    type Columns = (i64, i64, String, Option<Timestamp>, Option<Timestamp>, String);
    let jobs: Vec<Columns> = engine.database.read_as(&query).await?;
    for shown in page {
        let of_template = jobs.iter().filter(|job| job.0 == shown.loaded.record.id);
        let recent: Vec<Json> = of_template
            .map(|(_, id, status, finished, canceled, kind)| {
                let time = |time: &Option<Timestamp>| time.map(hostler_engine::time_text);
                json!({
                    "id": id, "status": status, "finished": time(finished), "canceled_on": time(canceled),
                    "type": kind,
                })
            })
            .collect();
        shown.add_summary("recent_jobs", recent.into());
    }
    Ok(())
}

/// Adds the execution environment in which jobs of the template will run.
async fn show_environment(engine: &Engine, actor: &Actor, shown: &mut ResponseObject) -> Result<(), Error> {
    let record = &shown.loaded.record;
    let own = match (record.integer(&ENVIRONMENT), record.integer(&PROJECT_LINK)) {
        (None, Some(project)) => {
            let query = Query::select()
                .expr(column(PROJECT.table, "default_environment_id"))
                .from(Alias::new(PROJECT.table))
                .and_where(column(PROJECT.table, "id").eq(project))
                .to_owned();
            engine.database.read_first::<Option<i64>>(&query).await?.flatten()
        }
        (own, _) => own,
    };
    let organization = record.integer(&ORGANIZATION_LINK);
    execution_environments::show_resolved(engine, actor, shown, own, organization).await
}
