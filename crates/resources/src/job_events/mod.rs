//! Events: what happened in jobs and updates. Nobody changes them; they are deleted with their job.

mod children_summary;
mod fields;
mod hooks;

use hostler_access::ByParent;
use hostler_events::GREATEST_COUNTER;
use hostler_schema::{
    Access, ActionAnswer, ActionMethod, Field, Join, Resource, ResourceAction, Sublist, column, fields as kinds,
};
use sea_query::{Expr, ExprTrait};

use crate::inventories::hosts_below;

pub use children_summary::ChildrenSummary;
pub use hooks::{EventHooks, failed, job_details};

use fields::{AD_HOC_COMMAND_LINK, INVENTORY_UPDATE_LINK, JOB_LINK, PROJECT_UPDATE_LINK};

/// The number of ids of events for each job.
const IDS: i64 = GREATEST_COUNTER + 1;

/// The events of a job: a range of ids.
pub const OF_JOB: Join = Join::Condition(is_of_job);

/// The condition that `other` is an event of this job.
pub fn is_of_job(job: Expr, other: &str) -> Expr {
    in_job(number(job).mul(IDS), other)
}

const CHILDREN_OF: Join = Join::Condition(|event, other| {
    let job = number(event.clone()).div(IDS).mul(IDS);
    in_job(job, other).and(column(other, "parent_counter").eq(number(event).modulo(IDS)))
});

/// A parameter has no type of its own.
fn number(id: Expr) -> Expr {
    id.cast_as("bigint")
}

fn in_job(first: Expr, other: &str) -> Expr {
    let last = first.clone().add(GREATEST_COUNTER);
    column(other, "id").between(first, last)
}

/// The list of the events of a job.
pub const EVENTS_OF_JOB: Sublist = Sublist::new("job_events", "Job Events List", || &JOB_EVENT, OF_JOB)
    .visible_to_readers()
    .filter_name("job_events")
    .limited();

/// The list of the events of a project update.
pub const EVENTS_OF_PROJECT_UPDATE: Sublist =
    Sublist::new("events", "Project Update Events List", || &PROJECT_UPDATE_EVENT, OF_JOB)
        .visible_to_readers()
        .filter_name("project_update_events")
        .limited();

/// The list of the events of an inventory update.
pub const EVENTS_OF_INVENTORY_UPDATE: Sublist =
    Sublist::new("events", "Inventory Update Events List", || &INVENTORY_UPDATE_EVENT, OF_JOB)
        .visible_to_readers()
        .limited();

/// The list of the events of an ad hoc command.
pub const EVENTS_OF_AD_HOC_COMMAND: Sublist =
    Sublist::new("events", "Ad Hoc Command Events List", || &AD_HOC_COMMAND_EVENT, OF_JOB)
        .visible_to_readers()
        .limited();

/// The list of the events of ad hoc commands on a host.
pub const COMMAND_EVENTS_OF_HOST: Sublist = Sublist::new(
    "ad_hoc_command_events",
    "Host Ad Hoc Command Events List",
    || &AD_HOC_COMMAND_EVENT,
    Join::Reverse(fields::HOST_LINK.column),
);

/// The list of the events on the hosts of a group and of the groups below it.
pub const EVENTS_OF_GROUP: Sublist =
    Sublist::new("job_events", "Group Job Events List", || &JOB_EVENT, Join::Condition(on_host_of_group));

fn on_host_of_group(group: Expr, other: &str) -> Expr {
    column(other, fields::HOST_LINK.column).in_subquery(hosts_below(group))
}

/// The list of the events on a host.
pub const EVENTS_OF_HOST: Sublist =
    Sublist::new("job_events", "Host Job Events List", || &JOB_EVENT, Join::Reverse(fields::HOST_LINK.column));

const CHILDREN_SUMMARY: Field = kinds::computed("children_summary")
    .label("Children summary")
    .help("For the counter of each event that others are below: its row in the list, and the number of those.");
const META_EVENTS: Field = kinds::computed("meta_event_nested_uuid")
    .label("Meta event nested uuid")
    .help("For the counter of each output without a place of its own: the UUID of the event to show it below.");
const PROCESSING_FINISHED: Field = kinds::computed("event_processing_finished")
    .label("Event processing finished")
    .help("Whether all events are stored.");
const IS_TREE: Field = kinds::computed("is_tree")
    .label("Is tree")
    .help("Whether the events below each event follow it without others between them.");

/// The action that counts what is below each event of a job.
pub const SUMMARIZE_CHILDREN: ResourceAction =
    ResourceAction::new("job_events/children_summary", "Job Job Events Children Summary")
        .describe("Counts the events below each event, for clients that show them as a tree.")
        .unlinked()
        .get(ActionMethod::new(
            "what is below each event",
            ActionAnswer::Fields(&[CHILDREN_SUMMARY, META_EVENTS, PROCESSING_FINISHED, IS_TREE]),
        ));

/// Events of jobs.
pub static JOB_EVENT: Resource = Resource {
    detail_title: "Job Event Detail",
    description: "What happened in a job, in the order in which Ansible reported it. Those who see the job see its events.",
    sublists: &[Sublist::new("children", "Job Event Children List", || &JOB_EVENT, CHILDREN_OF).visible_to_readers()],
    ..event("job_event", "job_events", "Job Event", fields::OF_JOBS, &OF_JOBS)
};

/// Events of project updates.
pub static PROJECT_UPDATE_EVENT: Resource = Resource {
    detail_title: "Project Update Event Detail",
    description: "What happened in an update of a project. Those who see the update see its events.",
    ..event(
        "project_update_event",
        "project_update_events",
        "Project Update Event",
        fields::OF_PROJECT_UPDATES,
        &OF_PROJECT_UPDATES,
    )
};

/// Events of inventory updates.
pub static INVENTORY_UPDATE_EVENT: Resource = Resource {
    detail_title: "Inventory Update Event Detail",
    description: "What happened in an update of an inventory source. Those who see the update see its events.",
    ..event(
        "inventory_update_event",
        "inventory_update_events",
        "Inventory Update Event",
        fields::OF_INVENTORY_UPDATES,
        &OF_INVENTORY_UPDATES,
    )
};

/// Events of ad hoc commands.
pub static AD_HOC_COMMAND_EVENT: Resource = Resource {
    detail_title: "Ad Hoc Command Event Detail",
    description: "What happened in an ad hoc command. Those who see the command see its events.",
    ..event(
        "ad_hoc_command_event",
        "ad_hoc_command_events",
        "Ad Hoc Command Event",
        fields::OF_AD_HOC_COMMANDS,
        &OF_AD_HOC_COMMANDS,
    )
};

const fn event(
    name: &'static str,
    plural: &'static str,
    label: &'static str,
    fields: &'static [Field],
    access: &'static dyn Access,
) -> Resource {
    Resource {
        summarized_as: &[],
        search: &["stdout"],
        has_list: false,
        creatable: false,
        editable: false,
        deletable: false,
        capabilities: false,
        recorded: false,
        filters_activity: false,
        is_view: true,
        visible_rows_by_row: true,
        ..Resource::new(name, plural, label, fields, access)
    }
}

const OF_JOBS: ByParent = ByParent::same(JOB_LINK);
const OF_PROJECT_UPDATES: ByParent = ByParent::same(PROJECT_UPDATE_LINK);
const OF_INVENTORY_UPDATES: ByParent = ByParent::same(INVENTORY_UPDATE_LINK);
const OF_AD_HOC_COMMANDS: ByParent = ByParent::same(AD_HOC_COMMAND_LINK);
