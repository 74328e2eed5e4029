-- Roles in AWX's newer view: definitions, and who is assigned them. A managed
-- definition stands for an older role (role_type, role_field); a custom one is a
-- set of permissions. The grants behind both views are the same rows.

CREATE TABLE role_definitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    managed INTEGER NOT NULL DEFAULT 0,
    content_type TEXT,
    permissions TEXT NOT NULL,
    role_type TEXT,
    role_field TEXT
);
CREATE INDEX role_definitions_role ON role_definitions (role_type, role_field);

-- The permissions of custom definitions, one a row, so that conditions can ask for them.
CREATE TABLE role_definition_permissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    definition_id INTEGER NOT NULL REFERENCES role_definitions (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    UNIQUE (permission, definition_id)
);

-- A custom definition on one object is a role of that object.
ALTER TABLE roles ADD COLUMN definition_id INTEGER REFERENCES role_definitions (id) ON DELETE CASCADE;
CREATE INDEX roles_definition ON roles (definition_id);

CREATE VIEW role_user_assignments AS
    SELECT grants.id, grants.created, grants.created_by_id, definitions.id AS role_definition_id,
        definitions.content_type AS content_type, CAST(roles.object_id AS TEXT) AS object_id,
        roles.content_type AS object_type, roles.object_id AS object_number, grants.user_id
    FROM grants
    JOIN roles ON roles.id = grants.role_id
    JOIN role_definitions AS definitions ON definitions.id = roles.definition_id
        OR (roles.definition_id IS NULL AND definitions.role_field = roles.role_field
            AND COALESCE(definitions.role_type, '') = COALESCE(roles.content_type, ''))
    WHERE grants.user_id IS NOT NULL;

CREATE VIEW role_team_assignments AS
    SELECT grants.id, grants.created, grants.created_by_id, definitions.id AS role_definition_id,
        definitions.content_type AS content_type, CAST(roles.object_id AS TEXT) AS object_id,
        roles.content_type AS object_type, roles.object_id AS object_number, grants.team_id
    FROM grants
    JOIN roles ON roles.id = grants.role_id
    JOIN role_definitions AS definitions ON definitions.id = roles.definition_id
        OR (roles.definition_id IS NULL AND definitions.role_field = roles.role_field
            AND COALESCE(definitions.role_type, '') = COALESCE(roles.content_type, ''))
    WHERE grants.team_id IS NOT NULL;

INSERT INTO role_definitions (created, modified, managed, name, content_type, role_type, role_field, permissions) VALUES
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Credential Admin', 'awx.credential', NULL, NULL, '["awx.change_credential", "awx.delete_credential", "awx.use_credential", "awx.view_credential"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Credential Use', 'awx.credential', NULL, NULL, '["awx.use_credential", "awx.view_credential"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'ExecutionEnvironment Admin', 'awx.executionenvironment', NULL, NULL, '["awx.change_executionenvironment", "awx.delete_executionenvironment"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'InstanceGroup Admin', 'awx.instancegroup', NULL, NULL, '["awx.change_instancegroup", "awx.delete_instancegroup", "awx.use_instancegroup", "awx.view_instancegroup"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'InstanceGroup Use', 'awx.instancegroup', NULL, NULL, '["awx.use_instancegroup", "awx.view_instancegroup"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Inventory Adhoc', 'awx.inventory', NULL, NULL, '["awx.adhoc_inventory", "awx.view_inventory"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Inventory Admin', 'awx.inventory', NULL, NULL, '["awx.adhoc_inventory", "awx.change_inventory", "awx.delete_inventory", "awx.update_inventory", "awx.use_inventory", "awx.view_inventory"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Inventory Update', 'awx.inventory', NULL, NULL, '["awx.update_inventory", "awx.view_inventory"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Inventory Use', 'awx.inventory', NULL, NULL, '["awx.use_inventory", "awx.view_inventory"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'JobTemplate Admin', 'awx.jobtemplate', NULL, NULL, '["awx.change_jobtemplate", "awx.delete_jobtemplate", "awx.execute_jobtemplate", "awx.view_jobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'JobTemplate Execute', 'awx.jobtemplate', NULL, NULL, '["awx.execute_jobtemplate", "awx.view_jobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'NotificationTemplate Admin', 'awx.notificationtemplate', NULL, NULL, '["awx.change_notificationtemplate", "awx.delete_notificationtemplate", "awx.view_notificationtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Admin', 'shared.organization', 'organization', 'admin_role', '["awx.add_credential", "awx.change_credential", "awx.delete_credential", "awx.use_credential", "awx.view_credential", "awx.add_executionenvironment", "awx.change_executionenvironment", "awx.delete_executionenvironment", "awx.add_inventory", "awx.adhoc_inventory", "awx.change_inventory", "awx.delete_inventory", "awx.update_inventory", "awx.use_inventory", "awx.view_inventory", "awx.change_jobtemplate", "awx.delete_jobtemplate", "awx.execute_jobtemplate", "awx.view_jobtemplate", "awx.add_notificationtemplate", "awx.change_notificationtemplate", "awx.delete_notificationtemplate", "awx.view_notificationtemplate", "shared.audit_organization", "shared.change_organization", "shared.delete_organization", "shared.member_organization", "shared.view_organization", "awx.add_project", "awx.change_project", "awx.delete_project", "awx.update_project", "awx.use_project", "awx.view_project", "shared.add_team", "shared.change_team", "shared.delete_team", "shared.member_team", "shared.view_team", "awx.add_workflowjobtemplate", "awx.approve_workflowjobtemplate", "awx.change_workflowjobtemplate", "awx.delete_workflowjobtemplate", "awx.execute_workflowjobtemplate", "awx.view_workflowjobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Audit', 'shared.organization', 'organization', 'auditor_role', '["awx.view_credential", "awx.view_inventory", "awx.view_jobtemplate", "awx.view_notificationtemplate", "shared.audit_organization", "shared.view_organization", "awx.view_project", "shared.view_team", "awx.view_workflowjobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Credential Admin', 'shared.organization', 'organization', 'credential_admin_role', '["awx.add_credential", "awx.change_credential", "awx.delete_credential", "awx.use_credential", "awx.view_credential", "shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization ExecutionEnvironment Admin', 'shared.organization', 'organization', 'execution_environment_admin_role', '["awx.add_executionenvironment", "awx.change_executionenvironment", "awx.delete_executionenvironment", "shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Inventory Admin', 'shared.organization', 'organization', 'inventory_admin_role', '["awx.add_inventory", "awx.adhoc_inventory", "awx.change_inventory", "awx.delete_inventory", "awx.update_inventory", "awx.use_inventory", "awx.view_inventory", "shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization JobTemplate Admin', 'shared.organization', 'organization', 'job_template_admin_role', '["awx.change_jobtemplate", "awx.delete_jobtemplate", "awx.execute_jobtemplate", "awx.view_jobtemplate", "shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Member', 'shared.organization', 'organization', 'member_role', '["shared.member_organization", "shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization NotificationTemplate Admin', 'shared.organization', 'organization', 'notification_admin_role', '["awx.add_notificationtemplate", "awx.change_notificationtemplate", "awx.delete_notificationtemplate", "awx.view_notificationtemplate", "shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Project Admin', 'shared.organization', 'organization', 'project_admin_role', '["shared.view_organization", "awx.add_project", "awx.change_project", "awx.delete_project", "awx.update_project", "awx.use_project", "awx.view_project"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization Read Compat', 'shared.organization', 'organization', 'read_role', '["shared.view_organization"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Organization WorkflowJobTemplate Admin', 'shared.organization', 'organization', 'workflow_admin_role', '["shared.view_organization", "awx.add_workflowjobtemplate", "awx.approve_workflowjobtemplate", "awx.change_workflowjobtemplate", "awx.delete_workflowjobtemplate", "awx.execute_workflowjobtemplate", "awx.view_workflowjobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Project Admin', 'awx.project', 'project', 'admin_role', '["awx.change_project", "awx.delete_project", "awx.update_project", "awx.use_project", "awx.view_project"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Project Update', 'awx.project', 'project', 'update_role', '["awx.update_project", "awx.view_project"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Project Use', 'awx.project', 'project', 'use_role', '["awx.use_project", "awx.view_project"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'System Auditor', NULL, NULL, 'system_auditor', '["awx.view_credential", "awx.view_instancegroup", "awx.view_inventory", "awx.view_jobtemplate", "awx.view_notificationtemplate", "shared.audit_organization", "shared.view_organization", "awx.view_project", "shared.view_team", "awx.view_workflowjobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Team Admin', 'shared.team', 'team', 'admin_role', '["shared.change_team", "shared.delete_team", "shared.member_team", "shared.view_team"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'Team Member', 'shared.team', 'team', 'member_role', '["shared.member_team", "shared.view_team"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'WorkflowJobTemplate Admin', 'awx.workflowjobtemplate', NULL, NULL, '["awx.approve_workflowjobtemplate", "awx.change_workflowjobtemplate", "awx.delete_workflowjobtemplate", "awx.execute_workflowjobtemplate", "awx.view_workflowjobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'WorkflowJobTemplate Approve', 'awx.workflowjobtemplate', NULL, NULL, '["awx.approve_workflowjobtemplate", "awx.view_workflowjobtemplate"]'),
    (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER), 1, 'WorkflowJobTemplate Execute', 'awx.workflowjobtemplate', NULL, NULL, '["awx.execute_workflowjobtemplate", "awx.view_workflowjobtemplate"]');
