//! The execution environments that jobs show. Hostler runs no containers: nothing else depends on them.

use sea_query::Expr;

/// The image of both execution environments of a new installation.
pub const DEFAULT_IMAGE: &str = "quay.io/ansible/awx-ee:latest";
/// AWX's name of the managed execution environment, which updates of projects and inventories use.
pub const CONTROL_PLANE_ENVIRONMENT: &str = "Control Plane Execution Environment";

/// The id of the execution environment of a row of `unified_jobs`, as in AWX: its own, that of its template, or the default
/// of its project, of its organization, or of the server.
pub(crate) fn environment() -> Expr {
    // Both names are constants without quotes. Placeholders in such texts have another form for each database.
    Expr::cust(format!(
        "CASE WHEN type = 'project_update' THEN \
         (SELECT found.id FROM execution_environments AS found WHERE found.managed AND found.name = '{CONTROL_PLANE_ENVIRONMENT}') \
         ELSE COALESCE(execution_environment_id, \
         (SELECT template.execution_environment_id FROM unified_job_templates AS template \
         WHERE template.id = unified_jobs.unified_job_template_id), \
         (SELECT project.default_environment_id FROM unified_job_templates AS project \
         WHERE project.id = unified_jobs.project_id AND unified_jobs.type = 'job'), \
         (SELECT organization.default_environment_id FROM organizations AS organization \
         WHERE organization.id = unified_jobs.organization_id), \
         (SELECT found.id FROM execution_environments AS found \
         WHERE found.organization_id IS NULL AND NOT found.managed \
         ORDER BY CASE WHEN found.image = '{DEFAULT_IMAGE}' THEN 0 ELSE 1 END, found.id LIMIT 1)) END"
    ))
}
