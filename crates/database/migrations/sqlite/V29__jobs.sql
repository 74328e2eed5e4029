-- Everything that runs or ran is a row of one table, with a view for each type; see V24.
CREATE TABLE unified_jobs (
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
    unified_job_template_id INTEGER REFERENCES unified_job_templates (id) ON DELETE SET NULL,
    launch_type TEXT NOT NULL DEFAULT 'manual',
    status TEXT NOT NULL DEFAULT 'new',
    failed INTEGER NOT NULL DEFAULT 0,
    started INTEGER,
    finished INTEGER,
    canceled_on INTEGER,
    -- Milliseconds.
    elapsed INTEGER NOT NULL DEFAULT 0,
    job_explanation TEXT NOT NULL DEFAULT '',
    result_traceback TEXT NOT NULL DEFAULT '',
    job_args TEXT NOT NULL DEFAULT '',
    job_cwd TEXT NOT NULL DEFAULT '',
    job_env TEXT NOT NULL DEFAULT '{}',
    execution_node TEXT NOT NULL DEFAULT '',
    controller_node TEXT NOT NULL DEFAULT '',
    execution_environment_id INTEGER REFERENCES execution_environments (id) ON DELETE SET NULL,
    instance_group_id INTEGER REFERENCES instance_groups (id) ON DELETE SET NULL,
    work_unit_id TEXT,
    timeout INTEGER NOT NULL DEFAULT 0,
    custom_virtualenv TEXT,
    -- The queue: what the job takes of the capacity while it runs, and the request to end it.
    task_impact INTEGER NOT NULL DEFAULT 1,
    cancel_flag INTEGER NOT NULL DEFAULT 0,
    dependencies_processed INTEGER NOT NULL DEFAULT 0,
    -- The job that this one waits for.
    blocked_by_id INTEGER REFERENCES unified_jobs (id) ON DELETE SET NULL,
    -- What a job needs that waits for nothing but capacity: its impact and the ids of its instance groups, as 6|2,1.
    queue_class TEXT,
    -- Output: how far the spool file is read, and what was read.
    spool_position INTEGER NOT NULL DEFAULT 0,
    emitted_events INTEGER NOT NULL DEFAULT 0,
    stdout_lines INTEGER NOT NULL DEFAULT 0,
    stdout_bytes INTEGER NOT NULL DEFAULT 0,
    event_processing_finished INTEGER NOT NULL DEFAULT 0,
    host_status_counts TEXT NOT NULL DEFAULT '{}',
    playbook_counts TEXT NOT NULL DEFAULT '{}',
    -- Jobs and project updates.
    job_type TEXT NOT NULL DEFAULT 'run',
    job_tags TEXT NOT NULL DEFAULT '',
    scm_branch TEXT NOT NULL DEFAULT '',
    scm_revision TEXT NOT NULL DEFAULT '',
    -- Jobs.
    inventory_id INTEGER REFERENCES inventories (id) ON DELETE SET NULL,
    project_id INTEGER REFERENCES unified_job_templates (id) ON DELETE SET NULL,
    project_update_id INTEGER REFERENCES unified_jobs (id) ON DELETE SET NULL,
    playbook TEXT NOT NULL DEFAULT '',
    forks INTEGER NOT NULL DEFAULT 0,
    job_limit TEXT NOT NULL DEFAULT '',
    verbosity INTEGER NOT NULL DEFAULT 0,
    extra_vars TEXT NOT NULL DEFAULT '',
    skip_tags TEXT NOT NULL DEFAULT '',
    start_at_task TEXT NOT NULL DEFAULT '',
    force_handlers INTEGER NOT NULL DEFAULT 0,
    use_fact_cache INTEGER NOT NULL DEFAULT 0,
    become_enabled INTEGER NOT NULL DEFAULT 0,
    diff_mode INTEGER NOT NULL DEFAULT 0,
    allow_simultaneous INTEGER NOT NULL DEFAULT 0,
    job_slice_number INTEGER NOT NULL DEFAULT 0,
    job_slice_count INTEGER NOT NULL DEFAULT 1,
    artifacts TEXT NOT NULL DEFAULT '{}',
    -- Encrypted answers to questions for passwords, and encrypted passwords that credentials ask for at launch.
    survey_passwords TEXT NOT NULL DEFAULT '{}',
    credential_passwords TEXT NOT NULL DEFAULT '{}',
    webhook_service TEXT NOT NULL DEFAULT '',
    webhook_credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL,
    webhook_guid TEXT NOT NULL DEFAULT '',
    -- What the launch asked for instead of the template's values, as JSON; NULL if nothing can be asked for again.
    launch_config TEXT,
    -- Project updates: the project, whose updates are deleted with it, and its source at that time.
    updated_project_id INTEGER REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    local_path TEXT NOT NULL DEFAULT '',
    scm_type TEXT NOT NULL DEFAULT '',
    scm_url TEXT NOT NULL DEFAULT '',
    scm_refspec TEXT NOT NULL DEFAULT '',
    scm_clean INTEGER NOT NULL DEFAULT 0,
    scm_track_submodules INTEGER NOT NULL DEFAULT 0,
    scm_delete_on_update INTEGER NOT NULL DEFAULT 0,
    credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL
);
CREATE INDEX unified_jobs_created_by ON unified_jobs (created_by_id);
CREATE INDEX unified_jobs_modified_by ON unified_jobs (modified_by_id);
CREATE INDEX unified_jobs_organization ON unified_jobs (organization_id);
CREATE INDEX unified_jobs_execution_environment ON unified_jobs (execution_environment_id);
CREATE INDEX unified_jobs_instance_group ON unified_jobs (instance_group_id);
CREATE INDEX unified_jobs_inventory ON unified_jobs (inventory_id);
CREATE INDEX unified_jobs_project ON unified_jobs (project_id);
CREATE INDEX unified_jobs_project_update ON unified_jobs (project_update_id);
CREATE INDEX unified_jobs_webhook_credential ON unified_jobs (webhook_credential_id);
CREATE INDEX unified_jobs_credential ON unified_jobs (credential_id);
CREATE INDEX unified_jobs_finished ON unified_jobs (finished);
CREATE INDEX unified_jobs_name ON unified_jobs (name);
CREATE INDEX unified_jobs_created ON unified_jobs (created);
CREATE INDEX unified_jobs_unified_job_template ON unified_jobs (unified_job_template_id, id);
CREATE INDEX unified_jobs_updated_project ON unified_jobs (updated_project_id, id);
CREATE INDEX unified_jobs_type ON unified_jobs (type, id);
-- What waits or runs: few rows among many.
CREATE INDEX unified_jobs_active ON unified_jobs (status, id) WHERE status IN ('new', 'pending', 'waiting', 'running');
CREATE INDEX unified_jobs_active_of_template ON unified_jobs (unified_job_template_id, id)
    WHERE status IN ('new', 'pending', 'waiting', 'running');
-- The queue: jobs that were not examined since they were launched or freed, those that wait for another job, those that
-- wait for capacity only, and what takes capacity. No other index has the order of "id + 0": a planner that misjudges the
-- number of these rows cannot choose another one.
CREATE INDEX unified_jobs_unexamined ON unified_jobs ((id + 0))
    WHERE status = 'pending' AND queue_class IS NULL AND blocked_by_id IS NULL;
CREATE INDEX unified_jobs_blocked_by ON unified_jobs (blocked_by_id) WHERE blocked_by_id IS NOT NULL;
CREATE INDEX unified_jobs_startable ON unified_jobs (queue_class, (id + 0))
    WHERE status = 'pending' AND queue_class IS NOT NULL;
CREATE INDEX unified_jobs_started ON unified_jobs (controller_node, execution_node, instance_group_id, task_impact)
    WHERE status IN ('waiting', 'running');
CREATE INDEX unified_jobs_started_of_template ON unified_jobs (unified_job_template_id)
    WHERE status IN ('waiting', 'running');

CREATE VIEW jobs AS SELECT * FROM unified_jobs WHERE likelihood(type = 'job', 0.5);
CREATE VIEW project_updates AS SELECT * FROM unified_jobs WHERE likelihood(type = 'project_update', 0.5);

-- Jobs that must end before this job starts.
CREATE TABLE unified_job_dependencies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_id INTEGER NOT NULL REFERENCES unified_jobs (id) ON DELETE CASCADE,
    dependency_id INTEGER NOT NULL REFERENCES unified_jobs (id) ON DELETE CASCADE,
    UNIQUE (unified_job_id, dependency_id)
);
CREATE INDEX unified_job_dependencies_dependency ON unified_job_dependencies (dependency_id);

CREATE TABLE unified_job_template_credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_template_id INTEGER NOT NULL REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    UNIQUE (unified_job_template_id, credential_id)
);
CREATE INDEX unified_job_template_credentials_credential ON unified_job_template_credentials (credential_id);

CREATE TABLE unified_job_template_labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_template_id INTEGER NOT NULL REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    UNIQUE (unified_job_template_id, label_id)
);
CREATE INDEX unified_job_template_labels_label ON unified_job_template_labels (label_id);

CREATE TABLE unified_job_template_instance_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_template_id INTEGER NOT NULL REFERENCES unified_job_templates (id) ON DELETE CASCADE,
    instance_group_id INTEGER NOT NULL REFERENCES instance_groups (id) ON DELETE CASCADE,
    UNIQUE (unified_job_template_id, instance_group_id)
);
CREATE INDEX unified_job_template_instance_groups_instance_group ON unified_job_template_instance_groups (instance_group_id);

CREATE TABLE unified_job_credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_id INTEGER NOT NULL REFERENCES unified_jobs (id) ON DELETE CASCADE,
    credential_id INTEGER NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    UNIQUE (unified_job_id, credential_id)
);
CREATE INDEX unified_job_credentials_credential ON unified_job_credentials (credential_id);

CREATE TABLE unified_job_labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_id INTEGER NOT NULL REFERENCES unified_jobs (id) ON DELETE CASCADE,
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    UNIQUE (unified_job_id, label_id)
);
CREATE INDEX unified_job_labels_label ON unified_job_labels (label_id);

CREATE TABLE unified_job_instance_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unified_job_id INTEGER NOT NULL REFERENCES unified_jobs (id) ON DELETE CASCADE,
    instance_group_id INTEGER NOT NULL REFERENCES instance_groups (id) ON DELETE CASCADE,
    UNIQUE (unified_job_id, instance_group_id)
);
CREATE INDEX unified_job_instance_groups_instance_group ON unified_job_instance_groups (instance_group_id);

-- What a job did on each of its hosts.
CREATE TABLE job_host_summaries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    job_id INTEGER NOT NULL REFERENCES unified_jobs (id) ON DELETE CASCADE,
    host_id INTEGER REFERENCES hosts (id) ON DELETE SET NULL,
    constructed_host_id INTEGER REFERENCES hosts (id) ON DELETE SET NULL,
    host_name TEXT NOT NULL,
    changed INTEGER NOT NULL DEFAULT 0,
    dark INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    ok INTEGER NOT NULL DEFAULT 0,
    processed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    ignored INTEGER NOT NULL DEFAULT 0,
    rescued INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job_id, host_name)
);
CREATE INDEX job_host_summaries_host ON job_host_summaries (host_id, id);
CREATE INDEX job_host_summaries_constructed_host ON job_host_summaries (constructed_host_id);

ALTER TABLE hosts ADD COLUMN last_job_id INTEGER REFERENCES unified_jobs (id) ON DELETE SET NULL;
ALTER TABLE hosts ADD COLUMN last_job_host_summary_id INTEGER REFERENCES job_host_summaries (id) ON DELETE SET NULL;
CREATE INDEX hosts_last_job ON hosts (last_job_id);
CREATE INDEX hosts_last_job_host_summary ON hosts (last_job_host_summary_id);

-- Job templates are rows of the table of everything that runs as a job.
ALTER TABLE unified_job_templates ADD COLUMN job_type TEXT NOT NULL DEFAULT 'run';
ALTER TABLE unified_job_templates ADD COLUMN inventory_id INTEGER REFERENCES inventories (id) ON DELETE SET NULL;
ALTER TABLE unified_job_templates ADD COLUMN project_id INTEGER REFERENCES unified_job_templates (id) ON DELETE SET NULL;
ALTER TABLE unified_job_templates ADD COLUMN playbook TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN forks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN job_limit TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN verbosity INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN extra_vars TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN job_tags TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN skip_tags TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN start_at_task TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN force_handlers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN use_fact_cache INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN become_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN diff_mode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN allow_simultaneous INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN job_slice_count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE unified_job_templates ADD COLUMN host_config_key TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN prevent_instance_group_fallback INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN survey_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN survey_spec TEXT NOT NULL DEFAULT '{}';
-- Encrypted defaults of questions for passwords.
ALTER TABLE unified_job_templates ADD COLUMN survey_passwords TEXT NOT NULL DEFAULT '{}';
ALTER TABLE unified_job_templates ADD COLUMN webhook_service TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN webhook_key TEXT NOT NULL DEFAULT '';
ALTER TABLE unified_job_templates ADD COLUMN webhook_credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL;
ALTER TABLE unified_job_templates ADD COLUMN ask_credential_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_diff_mode_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_execution_environment_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_forks_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_instance_groups_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_inventory_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_job_slice_count_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_job_type_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_labels_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_limit_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_scm_branch_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_skip_tags_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_tags_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_timeout_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_variables_on_launch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unified_job_templates ADD COLUMN ask_verbosity_on_launch INTEGER NOT NULL DEFAULT 0;
-- Projects: the lists of the last update.
ALTER TABLE unified_job_templates ADD COLUMN playbook_files TEXT NOT NULL DEFAULT '[]';
ALTER TABLE unified_job_templates ADD COLUMN inventory_files TEXT NOT NULL DEFAULT '[]';
ALTER TABLE unified_job_templates ADD COLUMN current_job_id INTEGER REFERENCES unified_jobs (id) ON DELETE SET NULL;
ALTER TABLE unified_job_templates ADD COLUMN last_job_id INTEGER REFERENCES unified_jobs (id) ON DELETE SET NULL;
CREATE INDEX unified_job_templates_inventory ON unified_job_templates (inventory_id);
CREATE INDEX unified_job_templates_project ON unified_job_templates (project_id);
CREATE INDEX unified_job_templates_webhook_credential ON unified_job_templates (webhook_credential_id);
CREATE INDEX unified_job_templates_current_job ON unified_job_templates (current_job_id);
CREATE INDEX unified_job_templates_last_job ON unified_job_templates (last_job_id);
CREATE UNIQUE INDEX job_templates_organization_name ON unified_job_templates (organization_id, name) WHERE type = 'job_template';
CREATE VIEW job_templates AS SELECT * FROM unified_job_templates WHERE likelihood(type = 'job_template', 0.5);

-- How many jobs were given to the node or the group.
ALTER TABLE instances ADD COLUMN jobs_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance_groups ADD COLUMN jobs_total INTEGER NOT NULL DEFAULT 0;
