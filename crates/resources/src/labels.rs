//! Labels of an organization, for its templates and jobs.

use hostler_access::{ByParent, OnParent};
use hostler_schema::{Field, NaturalKeyPart, Resource, UniqueConstraint, fields};

use crate::ORGANIZATION;
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("The text of the label; unique in its organization.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .required()
    .summarized()
    .reverse("labels")
    .help("The organization that the label belongs to.");

/// Labels.
pub static LABEL: Resource = Resource {
    list_title: "Labels",
    detail_title: "Label Detail",
    description: "Labels group templates and jobs. Members of the organization create them, its admins rename them.",
    unimplemented_relations: &[
        "inventory_labels",
        "joblaunchconfig_labels",
        "schedule_labels",
        "unifiedjob_labels",
        "unifiedjobtemplate_labels",
        "workflowjobnode_labels",
        "workflowjobtemplatenode_labels",
    ],
    summarized_as: &["name"],
    search: &["name"],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "Label with this Name and Organization already exists.",
    }],
    // As in AWX: a label is deleted with the last object that has it.
    deletable: false,
    capabilities: false,
    ..Resource::new(
        "label",
        "labels",
        "Label",
        &[fields::id(), CREATED, MODIFIED, CREATED_BY, MODIFIED_BY, NAME, ORGANIZATION_LINK],
        &ACCESS,
    )
};

const ACCESS: ByParent = ByParent {
    link: ORGANIZATION_LINK,
    read: OnParent::Role("read_role"),
    change: OnParent::Role("admin_role"),
    create: OnParent::Role("member_role"),
};
