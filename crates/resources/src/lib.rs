//! One file for each resource: its description and its hooks.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod access_list;
mod access_paths;
mod activity;
mod ad_hoc_commands;
pub mod applications;
mod attached;
mod common;
mod container_images;
mod credential_access;
mod credential_copy;
mod credential_hooks;
mod credential_input_sources;
mod credential_inputs;
mod credential_lookup_test;
mod credential_managed;
mod credential_owners;
mod credential_types;
mod credentials;
mod dashboard;
mod demo;
mod encrypted_inputs;
mod execution_environments;
mod explain_access;
mod instance_groups;
mod instances;
mod inventories;
mod inventory_sources;
mod inventory_updates;
mod job_events;
mod job_host_summaries;
pub mod job_templates;
mod jobs;
mod labels;
mod launch;
mod notification_defaults;
mod notification_lists;
mod notification_messages;
mod notification_templates;
mod notification_types;
mod organizations;
mod project_sources;
mod project_updates;
mod projects;
mod role_assignments;
mod role_definitions;
mod roles;
mod sessions;
mod stdout;
mod teams;
mod tokens;
mod unified_job_templates;
mod unified_jobs;
mod updating;
pub mod users;

pub use activity::ACTIVITY;
pub use ad_hoc_commands::AD_HOC_COMMAND;
pub use applications::APPLICATION;
pub use credential_input_sources::CREDENTIAL_INPUT_SOURCE;
pub use credential_types::CREDENTIAL_TYPE;
pub use credentials::CREDENTIAL;
pub use demo::{DEMO_FILES, create_demo};
pub use execution_environments::EXECUTION_ENVIRONMENT;
pub use instance_groups::INSTANCE_GROUP;
pub use instances::INSTANCE;
pub use inventories::{CONSTRUCTED_INVENTORY, GROUP, HOST, INVENTORY, SmartHosts};
pub use inventory_sources::INVENTORY_SOURCE;
pub use inventory_updates::INVENTORY_UPDATE;
pub use job_events::{AD_HOC_COMMAND_EVENT, INVENTORY_UPDATE_EVENT, JOB_EVENT, PROJECT_UPDATE_EVENT};
pub use job_host_summaries::JOB_HOST_SUMMARY;
pub use job_templates::JOB_TEMPLATE;
pub use jobs::{CREDENTIAL_PASSWORDS, JOB, SURVEY_PASSWORDS};
pub use labels::LABEL;
pub use notification_templates::NOTIFICATION_TEMPLATE;
pub use organizations::ORGANIZATION;
pub use project_updates::PROJECT_UPDATE;
pub use projects::{PROJECT, free_manual_folders};
pub use role_assignments::{TEAM_ASSIGNMENT, USER_ASSIGNMENT};
pub use role_definitions::ROLE_DEFINITION;
pub use roles::ROLE;
pub use sessions::SESSION;
pub use teams::TEAM;
pub use tokens::TOKEN;
pub use unified_job_templates::UNIFIED_JOB_TEMPLATE;
pub use unified_jobs::UNIFIED_JOB;
pub use users::{IS_ACTIVE, IS_SUPERUSER, PASSWORD, USER, USERNAME};

use hostler_engine::{Engine, NoHooks, Registered, Registry};

/// All resources that the API serves.
pub const REGISTRY: Registry = Registry(&[
    Registered { resource: &ORGANIZATION, hooks: &organizations::OrganizationHooks },
    Registered { resource: &USER, hooks: &users::UserHooks },
    Registered { resource: &TEAM, hooks: &teams::TeamHooks },
    Registered { resource: &PROJECT, hooks: &projects::ProjectHooks },
    Registered { resource: &JOB_TEMPLATE, hooks: &job_templates::JobTemplateHooks },
    Registered { resource: &INVENTORY_SOURCE, hooks: &inventory_sources::InventorySourceHooks },
    Registered { resource: &UNIFIED_JOB, hooks: &unified_jobs::UnifiedJobHooks },
    Registered { resource: &JOB, hooks: &jobs::JobHooks },
    Registered { resource: &PROJECT_UPDATE, hooks: &project_updates::ProjectUpdateHooks },
    Registered { resource: &INVENTORY_UPDATE, hooks: &inventory_updates::InventoryUpdateHooks },
    Registered { resource: &AD_HOC_COMMAND, hooks: &ad_hoc_commands::AdHocCommandHooks },
    Registered { resource: &CREDENTIAL_TYPE, hooks: &credential_types::CredentialTypeHooks },
    Registered { resource: &CREDENTIAL, hooks: &credential_hooks::CredentialHooks },
    Registered { resource: &CREDENTIAL_INPUT_SOURCE, hooks: &credential_input_sources::InputSourceHooks },
    Registered { resource: &EXECUTION_ENVIRONMENT, hooks: &execution_environments::ExecutionEnvironmentHooks },
    Registered { resource: &INSTANCE_GROUP, hooks: &instance_groups::InstanceGroupHooks },
    Registered { resource: &INSTANCE, hooks: &instances::InstanceHooks },
    Registered { resource: &APPLICATION, hooks: &applications::ApplicationHooks },
    Registered { resource: &TOKEN, hooks: &tokens::TokenHooks },
    Registered { resource: &SESSION, hooks: &sessions::SessionHooks },
    Registered { resource: &ROLE, hooks: &roles::RoleHooks },
    Registered { resource: &ROLE_DEFINITION, hooks: &role_definitions::RoleDefinitionHooks },
    Registered { resource: &USER_ASSIGNMENT, hooks: &role_assignments::AssignmentHooks { to_team: false } },
    Registered { resource: &TEAM_ASSIGNMENT, hooks: &role_assignments::AssignmentHooks { to_team: true } },
    Registered { resource: &INVENTORY, hooks: &inventories::InventoryHooks },
    Registered { resource: &CONSTRUCTED_INVENTORY, hooks: &inventories::ConstructedHooks },
    Registered { resource: &HOST, hooks: &inventories::HostHooks },
    Registered { resource: &GROUP, hooks: &inventories::GroupHooks },
    Registered { resource: &LABEL, hooks: &NoHooks },
    Registered { resource: &UNIFIED_JOB_TEMPLATE, hooks: &NoHooks },
    Registered { resource: &NOTIFICATION_TEMPLATE, hooks: &notification_templates::NotificationTemplateHooks },
    Registered { resource: &JOB_EVENT, hooks: &job_events::EventHooks },
    Registered { resource: &PROJECT_UPDATE_EVENT, hooks: &job_events::EventHooks },
    Registered { resource: &INVENTORY_UPDATE_EVENT, hooks: &job_events::EventHooks },
    Registered { resource: &AD_HOC_COMMAND_EVENT, hooks: &job_events::EventHooks },
    Registered { resource: &JOB_HOST_SUMMARY, hooks: &job_host_summaries::SummaryHooks },
    Registered { resource: &ACTIVITY, hooks: &activity::ActivityHooks },
]);

/// Creates the objects that every server has: AWX's managed credential types, the
/// managed credential for Ansible Galaxy, AWX's execution environments and instance
/// groups, and the instance of this node.
///
/// # Errors
/// Database errors.
pub async fn preload(engine: &Engine) -> Result<(), hostler_database::Error> {
    hostler_credential_types::managed::sync(&engine.database, engine.clock.now()).await?;
    credential_types::sync_type_columns(&engine.database).await?;
    credential_managed::create_galaxy_credential(engine).await?;
    execution_environments::preload(engine).await?;
    instance_groups::preload(engine).await
}
