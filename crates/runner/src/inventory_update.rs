//! Updates of inventory sources: what `ansible-inventory` gets, and the import of what it has found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_database::{Error as DatabaseError, Transaction};
use hostler_events::{EventError, EventLog, EventWriter, to_plain};
use hostler_inventory::{Script, ScriptOptions};
use hostler_inventory_updates::{
    Changes, Found, Import, InventoryUpdate, LARGEST_OUTPUT, OutputError, Selection, Service, read_output,
};
use hostler_queue::{Pauses, Status};
use hostler_schema::JobSettings;
use hostler_supervisor::{AnsibleInstallation, JobDescription, Program};
use hostler_variables::python_text;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::credentials::{JobCredentials, MASK};
use crate::ending::End;
use crate::environment::{environment_of_settings, facts_environment};
use crate::facts::{self, FactHost};
use crate::ingest::NotStored;
use crate::inventory_file::inventory_file;
use crate::job_directory::{Held, JobDirectory, blocking};
use crate::job_row::JobRow;
use crate::preparation::{CANCEL_GRACE, DISK_FULL_WAIT, JobRecord, Prepared, Refusal, beside, check_limit, workspace};
use crate::project_files::ProjectFiles;
use crate::runner::Runner;

/// The program beside `ansible-playbook`.
const PROGRAM: &str = "ansible-inventory";
/// What it writes, in the workspace.
const OUTPUT: &str = "inventory-output.json";
/// The folder in the workspace with the configuration of a plugin.
const CONFIGURATION: &str = "source";
/// The plugin that computes constructed inventories.
const CONSTRUCTED_PLUGIN: &str = "ansible.builtin.constructed";
/// The whole project, as AWX's user interface sends it.
const WHOLE_PROJECT: [&str; 2] = ["/", "/ (project root)"];

/// What an update has found, and how the inventory is changed.
pub(crate) struct FoundInventory {
    import: Import,
    found: Found,
}

/// Where the source is, and what the program needs for it.
struct Source {
    /// The files or folders, in order.
    paths: Vec<PathBuf>,
    working_directory: PathBuf,
    revision: String,
    held: Held,
    visible: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
    /// The hosts whose stored facts the source may read.
    fact_hosts: Vec<FactHost>,
}

impl Runner {
    /// Prepares an update.
    pub(crate) async fn prepare_inventory_update(
        &self,
        job: &JobRow,
        directory: &JobDirectory,
    ) -> Result<Prepared, Refusal> {
        let update = InventoryUpdate::load(&self.database, job.id).await?;
        let update = update.ok_or_else(|| Refusal::error("The inventory of the update was deleted."))?;
        check_limit(&update.limit)?;
        update.selection().map_err(Refusal::failed)?;
        let variables = update.parsed_variables().map_err(Refusal::failed)?;
        let settings = self.settings.read().await?;
        let ansible = self.ansible_for(job.id).await?;
        let program = beside(&ansible, PROGRAM).await?;
        let workspace = workspace(directory);
        let mut credentials = self.job_credentials(job, &workspace).await?;
        let source = match update.service() {
            Some(service) => service_source(service, &variables, &mut credentials, &workspace),
            None if update.kind == "scm" => {
                self.project_source(job, &update, variables, directory, (&ansible, &settings)).await?
            }
            None if update.is_constructed() => {
                self.constructed_source(&update, &variables, &mut credentials, &workspace).await?
            }
            None => return Err(Refusal::error(format!("Sources of the kind {} cannot be updated.", update.kind))),
        };
        let Source { paths, working_directory, revision, held, visible, environment: own, fact_hosts } = source;
        let folder = match paths.last() {
            Some(path) if path.is_dir() => path.clone(),
            path => path.and_then(|path| path.parent()).map(Path::to_owned).unwrap_or_default(),
        };
        let text = |path: &Path| path.display().to_string();
        let output = workspace.join(OUTPUT);
        let sources: Vec<String> = paths.iter().map(|path| text(path)).collect();
        let command = update.command_line(text(&program), &sources, &text(&folder), &text(&output));
        let (of_settings, own_secrets) = environment_of_settings(&settings);
        // A source cannot replace the variables of the server.
        let mut environment = own;
        environment.extend(of_settings);
        environment.extend(environment_of_update(&update, &workspace));
        environment.extend(credentials.public_environment);
        let (mut secrets, mut masked) = (credentials.secrets, credentials.masked_environment);
        for (name, value) in own_secrets {
            environment.remove(&name);
            masked.insert(name.clone(), MASK.to_owned());
            secrets.environment.entry(name).or_insert(value);
        }
        let shown: BTreeMap<&String, &String> = environment.iter().chain(&masked).collect();
        let record = JobRecord {
            arguments: serde_json::to_string(&command).unwrap_or_default(),
            working_directory: text(&working_directory),
            environment: serde_json::to_string(&shown).unwrap_or_default(),
            revision,
        };
        let description = JobDescription {
            program: Program::Command(command),
            working_directory,
            environment,
            timeout: JobSettings::time_limit(job.timeout, settings.inventory_update_seconds),
            idle_timeout: (settings.idle_seconds > 0).then_some(settings.idle_seconds),
            // One byte more shows that it was too much.
            largest_file: Some(LARGEST_OUTPUT + 1),
            cancel_grace: CANCEL_GRACE,
            disk_full_wait: DISK_FULL_WAIT,
            isolation: self.isolation.of_job(&self.options.data, &ansible, visible, &settings)?,
        };
        if update.is_constructed() {
            self.give_facts(directory, &held, fact_hosts, settings.fact_seconds).await?;
        }
        Ok(Prepared { description, secrets, record, files: credentials.files, held, hosts_of_others: None })
    }

    /// The input inventories of a constructed inventory as files, and the configuration of the plugin.
    async fn constructed_source(
        &self,
        update: &InventoryUpdate,
        variables: &Map<String, Value>,
        credentials: &mut JobCredentials,
        workspace: &Path,
    ) -> Result<Source, Refusal> {
        let options = ScriptOptions { hostvars: true, towervars: true, ..ScriptOptions::default() };
        let mut files = vec![];
        // Of hosts with the same name, the last one counts, as for their variables.
        let mut fact_hosts: BTreeMap<String, FactHost> = BTreeMap::new();
        for input in update.inputs(&self.database).await? {
            let Script { document, .. } = self.inventory_script(input, options).await?;
            fact_hosts.extend(facts::hosts_of(&document, None).into_iter().map(|host| (host.name().to_owned(), host)));
            let text = blocking(move || inventory_file(document)).await.map_err(Refusal::failed)?;
            files.push((format!("inventory_{input}.json"), text));
        }
        let mut configuration = variables.clone();
        configuration.insert("plugin".into(), CONSTRUCTED_PLUGIN.into());
        files.push(("constructed.yml".to_owned(), hostler_variables::to_text(&configuration)));
        let mut paths = vec![];
        for (name, content) in files {
            let name = format!("{CONFIGURATION}/{name}");
            paths.push(workspace.join(&name));
            credentials.files.push((format!("workspace/{name}"), Zeroizing::new(content.into_bytes())));
        }
        let mut environment = facts_environment(workspace);
        // Otherwise groups would be missing without a word if only the configuration cannot be read.
        environment.insert("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED".into(), "True".into());
        Ok(Source {
            paths,
            working_directory: workspace.to_owned(),
            revision: String::new(),
            held: Held::default(),
            visible: vec![],
            environment,
            fact_hosts: fact_hosts.into_values().collect(),
        })
    }

    /// The source in the files of a project.
    async fn project_source(
        &self,
        job: &JobRow,
        update: &InventoryUpdate,
        variables: Map<String, Value>,
        directory: &JobDirectory,
        (ansible, settings): (&AnsibleInstallation, &JobSettings),
    ) -> Result<Source, Refusal> {
        let ProjectFiles { folder, revision, held, visible, environment } =
            self.project_files(job, directory, ansible, settings).await?;
        let (root, path) = (folder.clone(), update.path.clone());
        let found = blocking(move || {
            let path = if WHOLE_PROJECT.contains(&path.as_str()) { "" } else { &path };
            let found = hostler_projects::inventory_source(&root, path).map_err(|problem| problem.to_string())?;
            // As the program will see it, also if the data folder is a link.
            let real = root.canonicalize().map_err(|problem| problem.to_string())?;
            Ok(found.strip_prefix(real).map_or(found.clone(), |relative| root.join(relative)))
        });
        let path = found.await.map_err(Refusal::failed)?;
        let mut all: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (name, python_text(&value))).collect();
        all.extend(environment);
        let paths = vec![path];
        Ok(Source { paths, working_directory: folder, revision, held, visible, environment: all, fact_hosts: vec![] })
    }

    /// Reads what a successful update has found. One that cannot be used fails, and the end of any other gets a reason from
    /// its output.
    pub(crate) async fn conclude_inventory_update(
        &self,
        job: &JobRow,
        directory: &JobDirectory,
        end: End,
        tail: &OutputTail,
        shutdown: &CancellationToken,
    ) -> Result<(End, Option<FoundInventory>), NotStored> {
        let path = workspace(directory).join(OUTPUT);
        if end.status != Status::Successful {
            let explanation = if end.status == Status::Failed && end.explanation.is_empty() {
                let is_large = move || Ok(path.metadata().is_ok_and(|file| file.len() > LARGEST_OUTPUT));
                match blocking(is_large).await {
                    Ok(true) => OutputError::TooLarge.to_string(),
                    _ => tail.reason().unwrap_or_default(),
                }
            } else {
                end.explanation.clone()
            };
            return Ok((End { explanation, ..end }, None));
        }
        let mut pauses = Pauses::default();
        let update = loop {
            match InventoryUpdate::load(&self.database, job.id).await {
                Ok(update) => break update,
                Err(problem) if problem.is_temporary() => {
                    if !pauses.wait(job.id, &problem, shutdown).await {
                        return Err(NotStored::Detached);
                    }
                }
                Err(problem) => return Err(NotStored::Failed(problem.into())),
            }
        };
        // Without it there is no job either, whose end would be written.
        let Some(update) = update else { return Err(NotStored::Failed(EventError::NoJob(job.id))) };
        let selection = update.selection();
        let found = blocking(move || select(&path, &selection?)).await;
        Ok(match found {
            Ok(found) if update.is_constructed() && !update.limit.is_empty() && found.hosts.is_empty() => {
                let explanation = format!("No host matches the limit {:?}.", update.limit);
                (End { status: Status::Failed, explanation, time: end.time }, None)
            }
            Ok(found) => (end, Some(FoundInventory { import: update.import(), found })),
            Err(explanation) => (End { status: Status::Failed, explanation, time: end.time }, None),
        })
    }

    /// Changes the inventory, and adds what was changed to the output.
    pub(crate) async fn import(
        &self,
        tx: &mut Transaction,
        writer: &mut EventWriter,
        FoundInventory { import, found }: &FoundInventory,
    ) -> Result<(), EventError> {
        let now = (self.clock)();
        let changes = hostler_inventory_updates::import(tx, import, found, now).await;
        let changes = changes.map_err(|problem| match problem {
            // A user has changed the same hosts or groups at this moment.
            DatabaseError::Unique(_) | DatabaseError::ForeignKey => DatabaseError::Contended,
            problem => problem,
        })?;
        let position = writer.spool_position();
        let text = summary(found, &changes);
        let (event, _) = EventLog::after(writer).event("verbose", now, None, Some(&text), Map::new());
        writer.append(tx, &[event], position).await
    }
}

fn select(path: &Path, selection: &Selection) -> Result<Found, String> {
    let output = read_output(path).map_err(|problem| problem.to_string())?;
    Found::select(output, selection).map_err(|problem| problem.to_string())
}

/// What an import has changed, for people.
fn summary(found: &Found, changes: &Changes) -> String {
    let counts = |kind: &str, counts: &hostler_inventory_updates::Counts| {
        let (added, changed, removed) = (counts.added, counts.changed, counts.removed);
        format!("{kind}: {added} added, {changed} changed, {removed} removed.\n")
    };
    let mut text = format!("The source has {} hosts and {} groups.\n", found.hosts.len(), found.groups.len());
    text += &counts("Hosts", &changes.hosts);
    text += &counts("Groups", &changes.groups);
    text += &format!("Memberships: {} changed.", changes.memberships);
    if changes.cycles > 0 {
        text += &format!(
            "\nWARNING: {} times a group is not put into another one, because the inventory has groups that would then \
             contain themselves.",
            changes.cycles
        );
    }
    text
}

/// The configuration of a plugin, as a file in the workspace.
fn service_source(
    service: &Service,
    variables: &Map<String, Value>,
    credentials: &mut JobCredentials,
    workspace: &Path,
) -> Source {
    let of_credential = |name: &str| credentials.secrets.environment.get(name).map(String::as_str);
    let (project, backend) = (of_credential("GCP_PROJECT"), of_credential("TF_BACKEND_CONFIG_FILE"));
    let configuration = hostler_variables::to_text(&service.configuration(variables, project, backend));
    let name = format!("{CONFIGURATION}/{}", service.file_name());
    credentials.files.push((format!("workspace/{name}"), Zeroizing::new(configuration.into_bytes())));
    let environment = service.environment();
    Source {
        paths: vec![workspace.join(name)],
        working_directory: workspace.to_owned(),
        revision: String::new(),
        held: Held::default(),
        visible: vec![],
        environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        fact_hosts: vec![],
    }
}

/// The environment variables of this update.
fn environment_of_update(update: &InventoryUpdate, workspace: &Path) -> BTreeMap<String, String> {
    let fixed = [
        // Otherwise a source that cannot be read would be an empty one.
        ("ANSIBLE_INVENTORY_UNPARSED_FAILED", "True".to_owned()),
        ("AWX_PRIVATE_DATA_DIR", workspace.display().to_string()),
        ("INVENTORY_SOURCE_ID", update.source.to_string()),
        ("INVENTORY_UPDATE_ID", update.id.to_string()),
    ];
    fixed.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The most of an output that is searched for the reason of a failure.
const LONGEST_TAIL: usize = 64 << 10;

/// The end of an output, without colors and line breaks: Ansible wraps its warnings.
#[derive(Debug, Default)]
pub(crate) struct OutputTail(String);

impl OutputTail {
    /// Adds the output of these events.
    pub fn add(&mut self, events: &[Vec<u8>]) {
        for event in events {
            let event: Value = serde_json::from_slice(event).unwrap_or_default();
            let text = event.get("stdout").and_then(Value::as_str).unwrap_or_default();
            for word in to_plain(text).split_whitespace() {
                self.0.push_str(word);
                self.0.push(' ');
            }
        }
        self.0.drain(..self.0.ceil_char_boundary(self.0.len().saturating_sub(LONGEST_TAIL)));
    }

    /// Why the source could not be read, in a sentence; none if the output does not say it in a known form.
    pub fn reason(&self) -> Option<String> {
        if let Some((_, rest)) = self.0.split_once("specifies unknown plugin '") {
            let plugin = rest.split('\'').next()?;
            let collection = plugin.rsplit_once('.').map(|(collection, _)| collection);
            return Some(match collection {
                Some(collection) => format!(
                    "The plugin {plugin} is not available: the collection {collection} is not installed on this server."
                ),
                None => format!("The plugin {plugin} is not available on this server."),
            });
        }
        let (_, rest) = self.0.split_once("with auto plugin: ")?;
        let reason = rest.split("[WARNING]").next()?.split("* Failed to parse").next()?.trim();
        (!reason.is_empty()).then(|| format!("The plugin could not read the source: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(lines: &[&str]) -> Option<String> {
        let mut tail = OutputTail::default();
        let events: Vec<Vec<u8>> = lines.iter().map(|line| json!({"stdout": line}).to_string().into_bytes()).collect();
        tail.add(&events);
        tail.reason()
    }

    #[test]
    fn reason_is_found_in_wrapped_output() {
        let lines = [
            "\u{1b}[1;35m[WARNING]:  * Failed to parse /x/aws_ec2.yml with auto plugin: inventory\u{1b}[0m",
            "\u{1b}[1;35mconfig '/x/aws_ec2.yml' specifies unknown plugin\n'amazon.aws.aws_ec2'\u{1b}[0m",
        ];
        let found = reason(&lines).unwrap();
        assert!(found.contains("the collection amazon.aws is not installed"), "{found}");
        let lines =
            ["[WARNING]:  * Failed to parse /x/a.yml with auto plugin: boto3", "is missing", "[WARNING]: other"];
        assert_eq!(reason(&lines).unwrap(), "The plugin could not read the source: boto3 is missing");
        assert_eq!(reason(&["ERROR! No inventory was parsed"]), None);
    }

    #[test]
    fn tail_is_bounded() {
        let mut tail = OutputTail::default();
        for _ in 0..100 {
            tail.add(&[json!({"stdout": "ä".repeat(10_000)}).to_string().into_bytes()]);
        }
        assert!(tail.0.len() <= LONGEST_TAIL);
    }
}
