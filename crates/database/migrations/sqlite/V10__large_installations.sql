-- Large installations: what a list of a hundred thousand rows needs besides its ids.

-- As a plain index it also serves conditions whose value is bound later.
DROP INDEX users_superusers;
CREATE INDEX users_superuser ON users (is_superuser);
CREATE INDEX users_auditor ON users (is_system_auditor);
CREATE INDEX users_created ON users (created);
CREATE INDEX users_first_name ON users (first_name);
CREATE INDEX tokens_expires ON tokens (expires);
CREATE INDEX grants_created ON grants (created);
-- Few grants are teams': a list of them need not look for them among all.
CREATE INDEX grants_of_teams ON grants (id) WHERE team_id IS NOT NULL;

-- How many rows the largest tables have, which each list of all of them tells.
-- Triggers keep it in step within the same transaction. Whoever rebuilds one of
-- these tables has to make its triggers anew.
-- On PostgreSQL each connection counts in a row of its own (`shard`); here one is enough.
CREATE TABLE row_counts (
    name TEXT NOT NULL,
    shard INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (name, shard)
) WITHOUT ROWID;
INSERT INTO row_counts (name, shard, n)
    SELECT 'user_grants', 0, count(*) FROM grants WHERE user_id IS NOT NULL
    UNION ALL SELECT 'team_grants', 0, count(*) FROM grants WHERE team_id IS NOT NULL
    UNION ALL SELECT 'users', 0, count(*) FROM users
    UNION ALL SELECT 'teams', 0, count(*) FROM teams
    UNION ALL SELECT 'projects', 0, count(*) FROM projects
    UNION ALL SELECT 'tokens', 0, count(*) FROM tokens
    UNION ALL SELECT 'roles', 0, count(*) FROM roles
    UNION ALL SELECT 'activity', 0, count(*) FROM activity;

CREATE TRIGGER users_counted AFTER INSERT ON users BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = 'users';
END;
CREATE TRIGGER users_uncounted AFTER DELETE ON users BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'users';
END;
CREATE TRIGGER teams_counted AFTER INSERT ON teams BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = 'teams';
END;
CREATE TRIGGER teams_uncounted AFTER DELETE ON teams BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'teams';
END;
CREATE TRIGGER projects_counted AFTER INSERT ON projects BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = 'projects';
END;
CREATE TRIGGER projects_uncounted AFTER DELETE ON projects BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'projects';
END;
CREATE TRIGGER tokens_counted AFTER INSERT ON tokens BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = 'tokens';
END;
CREATE TRIGGER tokens_uncounted AFTER DELETE ON tokens BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'tokens';
END;
CREATE TRIGGER roles_counted AFTER INSERT ON roles BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = 'roles';
END;
CREATE TRIGGER roles_uncounted AFTER DELETE ON roles BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'roles';
END;
CREATE TRIGGER activity_counted AFTER INSERT ON activity BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = 'activity';
END;
CREATE TRIGGER activity_uncounted AFTER DELETE ON activity BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'activity';
END;
CREATE TRIGGER grants_counted AFTER INSERT ON grants BEGIN
    UPDATE row_counts SET n = n + 1 WHERE shard = 0 AND name = CASE WHEN NEW.user_id IS NULL THEN 'team_grants' ELSE 'user_grants' END;
END;
CREATE TRIGGER grants_uncounted AFTER DELETE ON grants BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = CASE WHEN OLD.user_id IS NULL THEN 'team_grants' ELSE 'user_grants' END;
END;

-- Which definition stands for a role was found by an OR, for which there is no
-- index: now both have one word for it.
CREATE INDEX roles_word ON roles (
    (CASE WHEN definition_id IS NULL THEN COALESCE(content_type, '') || '.' || role_field ELSE CAST(definition_id AS TEXT) END)
);
CREATE INDEX role_definitions_word ON role_definitions (
    (CASE WHEN role_field IS NULL THEN CAST(id AS TEXT) ELSE COALESCE(role_type, '') || '.' || role_field END)
);
DROP VIEW role_user_assignments;
DROP VIEW role_team_assignments;
CREATE VIEW role_user_assignments AS
    SELECT grants.id, grants.created, grants.created_by_id, definitions.id AS role_definition_id,
        definitions.content_type AS content_type, CAST(roles.object_id AS TEXT) AS object_id,
        roles.content_type AS object_type, roles.object_id AS object_number, grants.user_id
    FROM grants
    JOIN roles ON roles.id = grants.role_id
    JOIN role_definitions AS definitions
        ON (CASE WHEN definitions.role_field IS NULL THEN CAST(definitions.id AS TEXT)
            ELSE COALESCE(definitions.role_type, '') || '.' || definitions.role_field END)
        = (CASE WHEN roles.definition_id IS NULL THEN COALESCE(roles.content_type, '') || '.' || roles.role_field
            ELSE CAST(roles.definition_id AS TEXT) END)
    WHERE grants.user_id IS NOT NULL;
CREATE VIEW role_team_assignments AS
    SELECT grants.id, grants.created, grants.created_by_id, definitions.id AS role_definition_id,
        definitions.content_type AS content_type, CAST(roles.object_id AS TEXT) AS object_id,
        roles.content_type AS object_type, roles.object_id AS object_number, grants.team_id
    FROM grants
    JOIN roles ON roles.id = grants.role_id
    JOIN role_definitions AS definitions
        ON (CASE WHEN definitions.role_field IS NULL THEN CAST(definitions.id AS TEXT)
            ELSE COALESCE(definitions.role_type, '') || '.' || definitions.role_field END)
        = (CASE WHEN roles.definition_id IS NULL THEN COALESCE(roles.content_type, '') || '.' || roles.role_field
            ELSE CAST(roles.definition_id AS TEXT) END)
    WHERE grants.team_id IS NOT NULL;

-- How selective the indexes are in a large installation: 100,000 users, 1,000
-- organizations, 5,000 teams, 200,000 grants. Without it SQLite takes for granted that
-- hardly any two rows have the same value, and begins with the roles of all
-- organizations where it should begin with those of one user. Nobody runs
-- ANALYZE, so that plans do not depend on when somebody did.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('activity', 'activity_actor', '50000 67'),
    ('activity', 'activity_timestamp', '50000 1'),
    ('activity_links', 'activity_links_activity', '67000 2'),
    ('activity_links', 'activity_links_object', '67000 13000 3 1'),
    ('applications', 'applications_created_by', '1000 100'),
    ('applications', 'applications_modified_by', '1000 100'),
    ('applications', 'sqlite_autoindex_applications_1', '1000 1'),
    ('applications', 'sqlite_autoindex_applications_2', '1000 1 1'),
    ('grants', 'grants_created', '200000 2'),
    ('grants', 'grants_created_by', '200000 1000'),
    ('grants', 'grants_of_teams', '10000 1'),
    ('grants', 'grants_team', '200000 40 9'),
    ('grants', 'grants_user', '200000 2 1'),
    ('grants', 'sqlite_autoindex_grants_1', '200000 9 1'),
    ('grants', 'sqlite_autoindex_grants_2', '200000 9 9'),
    ('labels', 'labels_created_by', '2000 10'),
    ('labels', 'labels_modified_by', '2000 10'),
    ('labels', 'sqlite_autoindex_labels_1', '2000 2 1'),
    ('organizations', 'organizations_created_by', '1000 100'),
    ('organizations', 'organizations_modified_by', '1000 100'),
    ('organizations', 'sqlite_autoindex_organizations_1', '1000 1'),
    ('organizations', 'sqlite_autoindex_organizations_2', '1000 1'),
    ('projects', 'projects_created_by', '10000 100'),
    ('projects', 'projects_modified_by', '10000 10'),
    ('projects', 'projects_name', '10000 1'),
    ('projects', 'sqlite_autoindex_projects_1', '10000 10 1'),
    ('role_definition_permissions', 'sqlite_autoindex_role_definition_permissions_1', '1 1 1'),
    ('role_definitions', 'role_definitions_role', '33 9 2'),
    ('role_definitions', 'role_definitions_word', '33 1'),
    ('role_definitions', 'sqlite_autoindex_role_definitions_1', '33 1'),
    ('roles', 'roles_definition', '69000 100'),
    ('roles', 'roles_field', '69000 3800'),
    ('roles', 'roles_word', '69000 3000'),
    ('roles', 'sqlite_autoindex_roles_1', '69000 17000 5 1'),
    ('teams', 'sqlite_autoindex_teams_1', '5000 1'),
    ('teams', 'sqlite_autoindex_teams_2', '5000 5 1'),
    ('teams', 'teams_created_by', '5000 100'),
    ('teams', 'teams_modified_by', '5000 100'),
    ('teams', 'teams_name', '5000 1'),
    ('tokens', 'sqlite_autoindex_tokens_1', '10000 1'),
    ('tokens', 'tokens_application', '10000 50'),
    ('tokens', 'tokens_expires', '10000 1'),
    ('tokens', 'tokens_user', '10000 1'),
    ('users', 'sqlite_autoindex_users_1', '100000 1'),
    ('users', 'sqlite_autoindex_users_2', '100000 1'),
    ('users', 'users_auditor', '100000 100000'),
    ('users', 'users_created', '100000 1'),
    ('users', 'users_email', '100000 1'),
    ('users', 'users_first_name', '100000 5900'),
    ('users', 'users_last_name', '100000 3800'),
    ('users', 'users_superuser', '100000 50000');
ANALYZE sqlite_schema;
