-- Inventory sources are templates, and inventory updates jobs, of types of their own; see V24 and V29.
ALTER TABLE unified_job_templates ADD COLUMN sourced_inventory_id INTEGER REFERENCES inventories (id) ON DELETE CASCADE;
ALTER TABLE unified_job_templates ADD COLUMN source_project_id INTEGER REFERENCES unified_job_templates (id) ON DELETE CASCADE;
ALTER TABLE unified_job_templates ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN source_path TEXT NOT NULL DEFAULT '';
-- As the client sent them: JSON or YAML.
ALTER TABLE unified_job_templates ADD COLUMN source_vars TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN enabled_var TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN enabled_value TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN host_filter TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN overwrite INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN overwrite_vars INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN update_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN update_cache_timeout INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX inventory_sources_inventory_name ON unified_job_templates (sourced_inventory_id, name)
    WHERE type = 'inventory_source';
CREATE INDEX unified_job_templates_source_project ON unified_job_templates (source_project_id);

-- Updates: the source, with which they are deleted, and what it was at that time. The inventory, the project and the update of
-- the project whose commit is read are in the columns that jobs have.
ALTER TABLE unified_jobs ADD COLUMN inventory_source_id INTEGER REFERENCES unified_job_templates (id) ON DELETE CASCADE;
ALTER TABLE unified_jobs ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN source_path TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN source_vars TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN enabled_var TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN enabled_value TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN host_filter TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN overwrite INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_jobs ADD COLUMN overwrite_vars INTEGER NOT NULL DEFAULT 0;
CREATE INDEX unified_jobs_inventory_source ON unified_jobs (inventory_source_id, id);
-- The updates that jobs of an inventory wait for.
CREATE INDEX unified_jobs_active_inventory_updates ON unified_jobs (inventory_id, id)
    WHERE type = 'inventory_update' AND status IN ('new', 'pending', 'waiting', 'running');

CREATE VIEW inventory_sources AS SELECT * FROM unified_job_templates WHERE likelihood(type = 'inventory_source', 0.5);
CREATE VIEW inventory_updates AS SELECT * FROM unified_jobs WHERE likelihood(type = 'inventory_update', 0.5);
CREATE VIEW inventory_update_events AS SELECT * FROM named_job_events WHERE kind = 2;

-- What each source has brought into its inventory: groups and hosts, with the variables that it gave them, and the ids of the
-- groups in a group and of the groups of a host, as JSON. Ids are never used again, so those of deleted groups do no harm.
CREATE TABLE inventory_source_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inventory_source_id INTEGER NOT NULL REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES inventory_groups (id) ON DELETE CASCADE,
    variables TEXT NOT NULL DEFAULT '{}',
    child_ids TEXT NOT NULL DEFAULT '[]',
    UNIQUE (inventory_source_id, group_id)
);
CREATE INDEX inventory_source_groups_group ON inventory_source_groups (group_id);

CREATE TABLE inventory_source_hosts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inventory_source_id INTEGER NOT NULL REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    host_id INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    variables TEXT NOT NULL DEFAULT '{}',
    group_ids TEXT NOT NULL DEFAULT '[]',
    UNIQUE (inventory_source_id, host_id)
);
CREATE INDEX inventory_source_hosts_host ON inventory_source_hosts (host_id);
