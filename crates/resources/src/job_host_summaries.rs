//! Summaries of hosts: what a job did on each of its hosts. A job writes them at its end.

use async_trait::async_trait;
use hostler_access::ByParent;
use hostler_engine::{Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{Field, Join, Resource, Sublist, column, fields};
use sea_query::{Expr, ExprTrait};

use crate::common::{CREATED, MODIFIED};
use crate::inventories::hosts_below;
use crate::job_events::job_details;
use crate::unified_jobs::summary_mut;
use crate::{HOST, JOB};

const JOB_LINK: Field = fields::link("job", "job_id", || &JOB)
    .label("Job")
    .read_only()
    .summarized()
    .reverse("job_host_summaries")
    .help("The job.");
const HOST_LINK: Field = fields::link("host", "host_id", || &HOST)
    .label("Host")
    .nullable()
    .read_only()
    .summarized()
    .reverse("job_host_summaries")
    .help("The host; null after its deletion, or if the inventory had no such host.");
const CONSTRUCTED_HOST: Field = fields::link("constructed_host", "constructed_host_id", || &HOST)
    .label("Constructed host")
    .nullable()
    .read_only()
    .reverse("constructed_host_summaries")
    .help("The host of the constructed inventory, if the job used one.");
const HOST_NAME: Field =
    fields::text("host_name").label("Host name").read_only().help("The name of the host at that time.");

const fn count(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::integer(name).label(label).at_least(0).read_only().help(help)
}

const FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    JOB_LINK,
    HOST_LINK,
    CONSTRUCTED_HOST,
    HOST_NAME,
    count("changed", "Changed", "How many tasks changed the host."),
    count("dark", "Dark", "How often the host could not be reached."),
    count("failures", "Failures", "How many tasks failed."),
    count("ok", "Ok", "How many tasks succeeded."),
    count("processed", "Processed", "In how many runs of the playbook the host took part."),
    count("skipped", "Skipped", "How many tasks were skipped."),
    fields::boolean("failed")
        .label("Failed")
        .read_only()
        .help("Whether a task failed, or the host could not be reached."),
    count("ignored", "Ignored", "How many failures were ignored."),
    count("rescued", "Rescued", "How many failures were rescued."),
];

const ACCESS: ByParent = ByParent::same(JOB_LINK);

/// The list of the summaries of a job.
pub const SUMMARIES_OF_JOB: Sublist =
    Sublist::new("job_host_summaries", "Job Host Summaries List", || &JOB_HOST_SUMMARY, Join::Reverse(JOB_LINK.column))
        .visible_to_readers();

/// The list of the summaries of a host.
pub const SUMMARIES_OF_HOST: Sublist = Sublist::new(
    "job_host_summaries",
    "Host Job Host Summaries List",
    || &JOB_HOST_SUMMARY,
    Join::Reverse(HOST_LINK.column),
);

/// The list of the summaries of the hosts of a group and of the groups below it.
pub const SUMMARIES_OF_GROUP: Sublist = Sublist::new(
    "job_host_summaries",
    "Group Job Host Summaries List",
    || &JOB_HOST_SUMMARY,
    Join::Condition(of_host_of_group),
);

fn of_host_of_group(group: Expr, other: &str) -> Expr {
    column(other, HOST_LINK.column).in_subquery(hosts_below(group))
}

/// From a host to the jobs that ran on it.
pub const JOBS_OF_HOST: Join =
    Join::JoinTable { table: "job_host_summaries", left: "host_id", right: "job_id", filter: None };
/// From a job to its hosts.
pub const HOSTS_OF_JOB: Join =
    Join::JoinTable { table: "job_host_summaries", left: "job_id", right: "host_id", filter: None };

/// Summaries of hosts.
pub static JOB_HOST_SUMMARY: Resource = Resource {
    detail_title: "Job Host Summary Detail",
    description: "What a job did on one of its hosts. Those who see the job see its summaries.",
    summarized_as: &["failed"],
    search: &["host_name"],
    has_list: false,
    creatable: false,
    editable: false,
    deletable: false,
    capabilities: false,
    recorded: false,
    filters_activity: false,
    ..Resource::new("job_host_summary", "job_host_summaries", "Job Host Summary", FIELDS, &ACCESS)
};

/// Completes the summaries of the jobs.
pub struct SummaryHooks;

#[async_trait]
impl Hooks for SummaryHooks {
    async fn enrich(&self, engine: &Engine, _: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids = page.iter().filter_map(|shown| shown.loaded.record.integer(&JOB_LINK));
        let jobs = job_details(engine, ids).await?;
        for shown in page {
            let details = shown.loaded.record.integer(&JOB_LINK).and_then(|job| jobs.get(&job));
            if let Some((details, summary)) = details.zip(summary_mut(&mut shown.json, JOB_LINK.name)) {
                details.complete(summary);
            }
        }
        Ok(())
    }
}
