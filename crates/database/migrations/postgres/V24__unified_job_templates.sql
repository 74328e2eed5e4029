-- Everything that runs as a job is a row of one table. The column `type` has the name of its resource, and a view for each
-- type contains its rows. The columns of other types have their defaults.
ALTER TABLE projects RENAME TO unified_job_templates;
ALTER SEQUENCE projects_id_seq RENAME TO unified_job_templates_id_seq;
ALTER TABLE unified_job_templates
    ADD COLUMN type TEXT COLLATE "C" NOT NULL DEFAULT 'project',
    ADD COLUMN execution_environment_id BIGINT REFERENCES execution_environments (id) ON DELETE SET NULL,
    DROP CONSTRAINT projects_organization_id_name_key;
ALTER TABLE unified_job_templates ALTER COLUMN type DROP DEFAULT;

ALTER INDEX projects_pkey RENAME TO unified_job_templates_pkey;
ALTER INDEX projects_created_by RENAME TO unified_job_templates_created_by;
ALTER INDEX projects_modified_by RENAME TO unified_job_templates_modified_by;
ALTER INDEX projects_credential RENAME TO unified_job_templates_credential;
ALTER INDEX projects_signature_validation_credential RENAME TO unified_job_templates_signature_validation_credential;
ALTER INDEX projects_default_environment RENAME TO unified_job_templates_default_environment;
ALTER INDEX projects_created RENAME TO unified_job_templates_created;
ALTER INDEX projects_modified RENAME TO unified_job_templates_modified;
DROP INDEX projects_name;
CREATE INDEX unified_job_templates_type ON unified_job_templates (type, id);
CREATE INDEX unified_job_templates_type_name ON unified_job_templates (type, name, id);
CREATE INDEX unified_job_templates_name ON unified_job_templates (name, id);
CREATE INDEX unified_job_templates_organization ON unified_job_templates (organization_id);
CREATE INDEX unified_job_templates_execution_environment ON unified_job_templates (execution_environment_id);
CREATE UNIQUE INDEX projects_organization_name ON unified_job_templates (organization_id, name) WHERE type = 'project';

CREATE VIEW projects AS SELECT * FROM unified_job_templates WHERE type = 'project';
