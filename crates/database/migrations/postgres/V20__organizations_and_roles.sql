-- Projects outlive their organization, as in AWX: jobs, templates and their history refer to them.
ALTER TABLE projects
    DROP CONSTRAINT projects_organization_id_fkey,
    ADD CONSTRAINT projects_organization_id_fkey
        FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE SET NULL;

-- What the holders of each managed role definition may do.
UPDATE role_definitions SET description = CASE name
    WHEN 'Credential Admin' THEN 'Change, delete and use the credential, and grant its roles.'
    WHEN 'Credential Use' THEN 'Use the credential in jobs, projects and inventory sources.'
    WHEN 'ExecutionEnvironment Admin' THEN 'Change and delete the execution environment, and grant its roles.'
    WHEN 'InstanceGroup Admin' THEN 'Change, delete and use the instance group, and grant its roles.'
    WHEN 'InstanceGroup Use' THEN 'Run jobs on the instance group.'
    WHEN 'Inventory Adhoc' THEN 'Run ad hoc commands on the hosts of the inventory.'
    WHEN 'Inventory Admin' THEN 'Change, delete and use the inventory with all that is in it, and grant its roles.'
    WHEN 'Inventory Update' THEN 'Update the inventory from its sources.'
    WHEN 'Inventory Use' THEN 'Use the inventory in job templates.'
    WHEN 'JobTemplate Admin' THEN 'Change, delete and run the job template, and grant its roles.'
    WHEN 'JobTemplate Execute' THEN 'Run the job template.'
    WHEN 'NotificationTemplate Admin' THEN 'Change and delete the notification template, and grant its roles.'
    WHEN 'Organization Admin' THEN 'Change everything in the organization, manage its members and teams, and grant its roles.'
    WHEN 'Organization Audit' THEN 'See everything in the organization without changing anything.'
    WHEN 'Organization Credential Admin' THEN 'Create, change, delete and use all credentials of the organization.'
    WHEN 'Organization ExecutionEnvironment Admin' THEN 'Create, change and delete all execution environments of the organization.'
    WHEN 'Organization Inventory Admin' THEN 'Create, change, delete and use all inventories of the organization.'
    WHEN 'Organization JobTemplate Admin' THEN 'Create, change, delete and run all job templates of the organization.'
    WHEN 'Organization Member' THEN 'Be a member of the organization: see it, its members and its teams.'
    WHEN 'Organization NotificationTemplate Admin' THEN 'Create, change and delete all notification templates of the organization.'
    WHEN 'Organization Project Admin' THEN 'Create, change, delete, update and use all projects of the organization.'
    WHEN 'Organization Read Compat' THEN 'See the organization.'
    WHEN 'Organization WorkflowJobTemplate Admin' THEN 'Create, change, delete and run all workflow job templates of the organization.'
    WHEN 'Project Admin' THEN 'Change, delete, update and use the project, and grant its roles.'
    WHEN 'Project Update' THEN 'Update the project from its source.'
    WHEN 'Project Use' THEN 'Use the project in job templates.'
    WHEN 'System Auditor' THEN 'See everything on the server without changing anything.'
    WHEN 'Team Admin' THEN 'Change and delete the team, and manage its members.'
    WHEN 'Team Member' THEN 'Be a member of the team: have every role that the team is granted.'
    WHEN 'WorkflowJobTemplate Admin' THEN 'Change, delete and run the workflow job template, and grant its roles.'
    WHEN 'WorkflowJobTemplate Approve' THEN 'Approve and deny the approvals of the workflow.'
    WHEN 'WorkflowJobTemplate Execute' THEN 'Run the workflow job template.'
    ELSE description
END
WHERE managed = true;

-- The name of a system-wide role, by which AWX's clients look these roles up.
ALTER TABLE roles ADD COLUMN singleton_name TEXT;
UPDATE roles SET singleton_name = role_field WHERE content_type IS NULL;
