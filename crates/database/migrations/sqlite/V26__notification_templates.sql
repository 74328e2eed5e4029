-- Numbers with decimals are stored as integers, without their point.
ALTER TABLE instances RENAME COLUMN capacity_adjustment TO old_capacity_adjustment;
ALTER TABLE instances RENAME COLUMN cpu TO old_cpu;
ALTER TABLE instances ADD COLUMN capacity_adjustment INTEGER NOT NULL DEFAULT 100;
ALTER TABLE instances ADD COLUMN cpu INTEGER NOT NULL DEFAULT 0;
UPDATE instances SET
    capacity_adjustment = CAST(round(old_capacity_adjustment * 100) AS INTEGER),
    cpu = CAST(round(old_cpu * 10) AS INTEGER);
ALTER TABLE instances DROP COLUMN old_capacity_adjustment;
ALTER TABLE instances DROP COLUMN old_cpu;

-- How and where notifications are sent.
CREATE TABLE notification_templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    notification_type TEXT NOT NULL,
    -- A JSON object, with its secrets encrypted.
    notification_configuration TEXT NOT NULL DEFAULT '{}',
    messages TEXT NOT NULL DEFAULT '{}',
    UNIQUE (organization_id, name)
);
CREATE INDEX notification_templates_name ON notification_templates (name);
CREATE INDEX notification_templates_created_by ON notification_templates (created_by_id);
CREATE INDEX notification_templates_modified_by ON notification_templates (modified_by_id);

-- The notifications of an organization, by event: started, success, error or approvals.
CREATE TABLE organization_notification_templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    notification_template_id INTEGER NOT NULL REFERENCES notification_templates (id) ON DELETE CASCADE,
    UNIQUE (organization_id, event, notification_template_id)
);
CREATE INDEX organization_notification_templates_template
    ON organization_notification_templates (notification_template_id);

-- Notification templates have no older roles: the managed definition gives its permissions itself.
INSERT INTO role_definition_permissions (definition_id, permission)
SELECT role_definitions.id, permissions.value
FROM role_definitions, json_each(role_definitions.permissions) AS permissions
WHERE role_definitions.name = 'NotificationTemplate Admin' AND role_definitions.managed = 1;

-- The notifications of templates of jobs, by event: started, success or error.
CREATE TABLE unified_job_template_notification_templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_template_id INTEGER NOT NULL REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    notification_template_id INTEGER NOT NULL REFERENCES notification_templates (id) ON DELETE CASCADE,
    UNIQUE (unified_job_template_id, event, notification_template_id)
);
CREATE INDEX unified_job_template_notification_templates_template
    ON unified_job_template_notification_templates (notification_template_id);
