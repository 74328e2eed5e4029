-- Ad hoc commands are jobs of a type of their own; see V24 and V29. Their inventory, credential and options are in the columns
-- that other jobs have.
ALTER TABLE unified_jobs ADD COLUMN module_name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE unified_jobs ADD COLUMN module_args TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW jobs AS SELECT * FROM unified_jobs WHERE type = 'job';
CREATE OR REPLACE VIEW project_updates AS SELECT * FROM unified_jobs WHERE type = 'project_update';
CREATE OR REPLACE VIEW inventory_updates AS SELECT * FROM unified_jobs WHERE type = 'inventory_update';
CREATE VIEW ad_hoc_commands AS SELECT * FROM unified_jobs WHERE type = 'ad_hoc_command';
CREATE VIEW ad_hoc_command_events AS SELECT * FROM named_job_events WHERE kind = 3;
-- The commands that ran on a host: hosts have many more events of jobs.
CREATE INDEX stored_job_events_ad_hoc_host ON stored_job_events (host_id, id) WHERE kind = 3 AND host_id IS NOT NULL;
