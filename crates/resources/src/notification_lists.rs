//! The lists of notification templates by event, below organizations and what runs as a job.

use hostler_schema::{Association, Join, Post, Sublist};

use crate::NOTIFICATION_TEMPLATE;
use crate::notification_templates::changeable;

/// A join table of notification templates: its name, and its column with the id of the other object.
type JoinTable = (&'static str, &'static str);

const OF_ORGANIZATION: JoinTable = ("organization_notification_templates", "organization_id");
const OF_TEMPLATE: JoinTable = ("unified_job_template_notification_templates", "unified_job_template_id");
const TEMPLATE: &str = "notification_template_id";

/// From the owner to its notification templates for an event.
const fn templates((table, owner): JoinTable, event: &'static str) -> Join {
    Join::JoinTable { table, left: owner, right: TEMPLATE, filter: Some(("event", event)) }
}

/// A list below an owner. Associating needs permission to change both the owner and the notification template.
const fn list(name: &'static str, title: &'static str, join: Join, relationship: &'static str) -> Sublist {
    Sublist::new(name, title, || &NOTIFICATION_TEMPLATE, join)
        .post(Post::Associate(Association::new(relationship, changeable).permit_removal().or_create()))
}

const STARTED: &str = "notification_templates_started";
const SUCCESS: &str = "notification_templates_success";
const ERROR: &str = "notification_templates_error";
const APPROVALS: &str = "notification_templates_approvals";

/// The notification templates of an organization for the start of its jobs.
pub const ORGANIZATION_STARTED: Sublist = list(
    STARTED,
    "Organization Notification Templates Started List",
    templates(OF_ORGANIZATION, "started"),
    "awx.main.models.organization.Organization_notification_templates_started",
)
.reverse("organization_notification_templates_for_started");
/// Those for its successful jobs.
pub const ORGANIZATION_SUCCESS: Sublist = list(
    SUCCESS,
    "Organization Notification Templates Success List",
    templates(OF_ORGANIZATION, "success"),
    "awx.main.models.organization.Organization_notification_templates_success",
)
.reverse("organization_notification_templates_for_success");
/// Those for its failed jobs.
pub const ORGANIZATION_ERROR: Sublist = list(
    ERROR,
    "Organization Notification Templates Error List",
    templates(OF_ORGANIZATION, "error"),
    "awx.main.models.organization.Organization_notification_templates_error",
)
.reverse("organization_notification_templates_for_errors");
/// Those for approvals in its workflows.
pub const ORGANIZATION_APPROVALS: Sublist = list(
    APPROVALS,
    "Organization Notification Templates Approvals List",
    templates(OF_ORGANIZATION, "approvals"),
    "awx.main.models.organization.Organization_notification_templates_approvals",
)
.reverse("organization_notification_templates_for_approvals");

/// The notification templates of what runs as a job, for the start of its jobs.
pub const fn started(title: &'static str) -> Sublist {
    list(
        STARTED,
        title,
        templates(OF_TEMPLATE, "started"),
        "awx.main.models.unified_jobs.UnifiedJobTemplate_notification_templates_started",
    )
    .reverse("unifiedjobtemplate_notification_templates_for_started")
}
/// Those for its successful jobs.
pub const fn success(title: &'static str) -> Sublist {
    list(
        SUCCESS,
        title,
        templates(OF_TEMPLATE, "success"),
        "awx.main.models.unified_jobs.UnifiedJobTemplate_notification_templates_success",
    )
    .reverse("unifiedjobtemplate_notification_templates_for_success")
}
/// Those for its failed jobs.
pub const fn error(title: &'static str) -> Sublist {
    list(
        ERROR,
        title,
        templates(OF_TEMPLATE, "error"),
        "awx.main.models.unified_jobs.UnifiedJobTemplate_notification_templates_error",
    )
    .reverse("unifiedjobtemplate_notification_templates_for_errors")
}
