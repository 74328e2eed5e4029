-- Everything that runs as a job is a row of one table. The column `type` has the name of its resource, and a view for each
-- type contains its rows. The columns of other types have their defaults.
CREATE TABLE unified_job_templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    organization_id INTEGER REFERENCES organizations (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    execution_environment_id INTEGER REFERENCES execution_environments (id) ON DELETE SET NULL,
    status TEXT NOT NULL DEFAULT 'never updated',
    last_job_run INTEGER,
    last_job_failed INTEGER NOT NULL DEFAULT 0,
    next_job_run INTEGER,
    timeout INTEGER NOT NULL DEFAULT 0,
    custom_virtualenv TEXT,
    -- Projects.
    local_path TEXT NOT NULL DEFAULT '',
    scm_type TEXT NOT NULL DEFAULT '',
    scm_url TEXT NOT NULL DEFAULT '',
    scm_branch TEXT NOT NULL DEFAULT '',
    scm_refspec TEXT NOT NULL DEFAULT '',
    scm_clean INTEGER NOT NULL DEFAULT 0,
    scm_track_submodules INTEGER NOT NULL DEFAULT 0,
    scm_delete_on_update INTEGER NOT NULL DEFAULT 0,
    scm_update_on_launch INTEGER NOT NULL DEFAULT 0,
    scm_update_cache_timeout INTEGER NOT NULL DEFAULT 0,
    allow_override INTEGER NOT NULL DEFAULT 0,
    scm_revision TEXT NOT NULL DEFAULT '',
    credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL,
    signature_validation_credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL,
    default_environment_id INTEGER REFERENCES execution_environments (id) ON DELETE SET NULL
);
INSERT INTO unified_job_templates (
    id, type, version, created, modified, created_by_id, modified_by_id, organization_id, name, description, status,
    last_job_run, last_job_failed, next_job_run, timeout, custom_virtualenv, local_path, scm_type, scm_url, scm_branch,
    scm_refspec, scm_clean, scm_track_submodules, scm_delete_on_update, scm_update_on_launch, scm_update_cache_timeout,
    allow_override, scm_revision, credential_id, signature_validation_credential_id, default_environment_id)
SELECT
    id, 'project', version, created, modified, created_by_id, modified_by_id, organization_id, name, description, status,
    last_job_run, last_job_failed, next_job_run, timeout, custom_virtualenv, local_path, scm_type, scm_url, scm_branch,
    scm_refspec, scm_clean, scm_track_submodules, scm_delete_on_update, scm_update_on_launch, scm_update_cache_timeout,
    allow_override, scm_revision, credential_id, signature_validation_credential_id, default_environment_id
FROM projects ORDER BY id;
-- Ids are never used again, not even that of the last project if it was deleted.
DELETE FROM sqlite_sequence WHERE name = 'unified_job_templates';
INSERT INTO sqlite_sequence (name, seq) SELECT 'unified_job_templates', seq FROM sqlite_sequence WHERE name = 'projects';
DROP TABLE projects;

-- Each index ends with the id.
CREATE INDEX unified_job_templates_type ON unified_job_templates (type);
CREATE INDEX unified_job_templates_type_name ON unified_job_templates (type, name);
CREATE INDEX unified_job_templates_name ON unified_job_templates (name);
CREATE INDEX unified_job_templates_created ON unified_job_templates (created);
CREATE INDEX unified_job_templates_modified ON unified_job_templates (modified);
CREATE INDEX unified_job_templates_created_by ON unified_job_templates (created_by_id);
CREATE INDEX unified_job_templates_modified_by ON unified_job_templates (modified_by_id);
CREATE INDEX unified_job_templates_organization ON unified_job_templates (organization_id);
CREATE INDEX unified_job_templates_execution_environment ON unified_job_templates (execution_environment_id);
CREATE INDEX unified_job_templates_credential ON unified_job_templates (credential_id);
CREATE INDEX unified_job_templates_signature_validation_credential
    ON unified_job_templates (signature_validation_credential_id);
CREATE INDEX unified_job_templates_default_environment ON unified_job_templates (default_environment_id);
CREATE UNIQUE INDEX projects_organization_name ON unified_job_templates (organization_id, name) WHERE type = 'project';

-- The hint keeps SQLite from searching by type where another index finds fewer rows.
CREATE VIEW projects AS SELECT * FROM unified_job_templates WHERE likelihood(type = 'project', 0.5);
