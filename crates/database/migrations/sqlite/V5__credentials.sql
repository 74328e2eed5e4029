-- Secrets that work is done with, what they consist of, and where their values come from.

CREATE TABLE credential_types (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,
    -- What names a managed type for good; custom ones have none.
    namespace TEXT UNIQUE,
    managed INTEGER NOT NULL DEFAULT 0,
    inputs TEXT NOT NULL DEFAULT '{}',
    injectors TEXT NOT NULL DEFAULT '{}',
    UNIQUE (name, kind)
);
CREATE INDEX credential_types_created_by ON credential_types (created_by_id);
CREATE INDEX credential_types_modified_by ON credential_types (modified_by_id);

CREATE TABLE credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    organization_id INTEGER REFERENCES organizations (id) ON DELETE CASCADE,
    -- The team it was made for, whose admins administer it.
    team_id INTEGER REFERENCES teams (id) ON DELETE SET NULL,
    credential_type_id INTEGER NOT NULL REFERENCES credential_types (id),
    managed INTEGER NOT NULL DEFAULT 0,
    -- Secrets among the values are sealed, each bound to this row and its key.
    inputs TEXT NOT NULL DEFAULT '{}',
    -- Of its type, kept here because summaries of the credential show them.
    kind TEXT,
    cloud INTEGER NOT NULL DEFAULT 0,
    kubernetes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (organization_id, name, credential_type_id)
);
CREATE INDEX credentials_name ON credentials (name);
CREATE INDEX credentials_team ON credentials (team_id);
CREATE INDEX credentials_type ON credentials (credential_type_id);
CREATE INDEX credentials_created_by ON credentials (created_by_id);
CREATE INDEX credentials_modified_by ON credentials (modified_by_id);

-- Values of a credential that another one looks up elsewhere.
CREATE TABLE credential_input_sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    description TEXT NOT NULL DEFAULT '',
    input_field_name TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    target_credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    source_credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    UNIQUE (target_credential_id, input_field_name)
);
CREATE INDEX credential_input_sources_source ON credential_input_sources (source_credential_id);
CREATE INDEX credential_input_sources_created_by ON credential_input_sources (created_by_id);
CREATE INDEX credential_input_sources_modified_by ON credential_input_sources (modified_by_id);

-- From where an organization's projects fetch roles and collections, in the order of the ids.
CREATE TABLE organization_galaxy_credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    UNIQUE (organization_id, credential_id)
);
CREATE INDEX organization_galaxy_credentials_credential ON organization_galaxy_credentials (credential_id);

ALTER TABLE projects ADD COLUMN credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL;
ALTER TABLE projects ADD COLUMN signature_validation_credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL;
CREATE INDEX projects_credential ON projects (credential_id);
CREATE INDEX projects_signature_validation_credential ON projects (signature_validation_credential_id);

-- The managed definitions that stand for the roles of credentials.
UPDATE role_definitions SET role_type = 'credential', role_field = 'admin_role' WHERE managed AND name = 'Credential Admin';
UPDATE role_definitions SET role_type = 'credential', role_field = 'use_role' WHERE managed AND name = 'Credential Use';
