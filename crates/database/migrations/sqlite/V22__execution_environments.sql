-- Container images in which jobs run.
CREATE TABLE execution_environments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    organization_id INTEGER REFERENCES organizations (id) ON DELETE CASCADE,
    image TEXT NOT NULL,
    managed INTEGER NOT NULL DEFAULT 0,
    credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL,
    pull TEXT NOT NULL DEFAULT ''
);
CREATE INDEX execution_environments_created_by ON execution_environments (created_by_id);
CREATE INDEX execution_environments_modified_by ON execution_environments (modified_by_id);
CREATE INDEX execution_environments_organization ON execution_environments (organization_id);
CREATE INDEX execution_environments_credential ON execution_environments (credential_id);

ALTER TABLE organizations
    ADD COLUMN default_environment_id INTEGER REFERENCES execution_environments (id) ON DELETE SET NULL;
CREATE INDEX organizations_default_environment ON organizations (default_environment_id);

ALTER TABLE projects
    ADD COLUMN default_environment_id INTEGER REFERENCES execution_environments (id) ON DELETE SET NULL;
CREATE INDEX projects_default_environment ON projects (default_environment_id);

-- Execution environments have no older roles: the managed definition gives its permissions itself.
INSERT INTO role_definition_permissions (definition_id, permission)
SELECT role_definitions.id, permissions.value
FROM role_definitions, json_each(role_definitions.permissions) AS permissions
WHERE role_definitions.name = 'ExecutionEnvironment Admin' AND role_definitions.managed = 1;
