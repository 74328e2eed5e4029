-- Where playbooks come from. Synchronizing them is not built yet.
CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    organization_id INTEGER REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
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
    timeout INTEGER NOT NULL DEFAULT 0,
    scm_revision TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'never updated',
    last_job_run INTEGER,
    last_job_failed INTEGER NOT NULL DEFAULT 0,
    next_job_run INTEGER,
    custom_virtualenv TEXT,
    UNIQUE (organization_id, name)
);
CREATE INDEX projects_name ON projects (name);
CREATE INDEX projects_created_by ON projects (created_by_id);
CREATE INDEX projects_modified_by ON projects (modified_by_id);
