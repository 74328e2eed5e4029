-- Large installations: what a list of a hundred thousand rows needs besides its ids.

CREATE INDEX users_auditors ON users (id) WHERE is_system_auditor;
CREATE INDEX users_created ON users (created);
CREATE INDEX users_first_name ON users (first_name);
CREATE INDEX tokens_expires ON tokens (expires);
CREATE INDEX grants_created ON grants (created);
-- Few grants are teams': a list of them need not look for them among all.
CREATE INDEX grants_of_teams ON grants (id) WHERE team_id IS NOT NULL;
-- For what begins with a text, in any collation.
CREATE INDEX users_username_prefix ON users (username text_pattern_ops);
CREATE INDEX users_last_name_prefix ON users (last_name text_pattern_ops);

-- How many rows the largest tables have, which each list of all of them tells.
-- Triggers keep it in step within the same transaction. Each connection counts
-- in a row of its own (`shard` is its process), so that writers never wait for
-- each other; a starting server adds up those of connections that are gone.
CREATE TABLE row_counts (
    name TEXT NOT NULL,
    shard INTEGER NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (name, shard)
) WITH (fillfactor = 50);
INSERT INTO row_counts (name, shard, n)
    SELECT 'user_grants', 0, count(*) FROM grants WHERE user_id IS NOT NULL
    UNION ALL SELECT 'team_grants', 0, count(*) FROM grants WHERE team_id IS NOT NULL
    UNION ALL SELECT 'users', 0, count(*) FROM users
    UNION ALL SELECT 'teams', 0, count(*) FROM teams
    UNION ALL SELECT 'projects', 0, count(*) FROM projects
    UNION ALL SELECT 'tokens', 0, count(*) FROM tokens
    UNION ALL SELECT 'roles', 0, count(*) FROM roles
    UNION ALL SELECT 'activity', 0, count(*) FROM activity;

CREATE FUNCTION add_to_row_count(counted TEXT, more BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF more <> 0 THEN
        INSERT INTO row_counts AS known (name, shard, n) VALUES (counted, pg_backend_pid(), more)
        ON CONFLICT (name, shard) DO UPDATE SET n = known.n + excluded.n;
    END IF;
END;
$$;

-- For statements on a table: its argument is 1 for what was inserted and -1 for what was deleted.
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_row_count(TG_TABLE_NAME, TG_ARGV[0]::bigint * (SELECT count(*) FROM changed));
    RETURN NULL;
END;
$$;
CREATE FUNCTION count_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_row_count('user_grants', TG_ARGV[0]::bigint * (SELECT count(user_id) FROM changed));
    PERFORM add_to_row_count('team_grants', TG_ARGV[0]::bigint * (SELECT count(team_id) FROM changed));
    RETURN NULL;
END;
$$;

CREATE TRIGGER users_counted AFTER INSERT ON users REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('1');
CREATE TRIGGER users_uncounted AFTER DELETE ON users REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('-1');
CREATE TRIGGER teams_counted AFTER INSERT ON teams REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('1');
CREATE TRIGGER teams_uncounted AFTER DELETE ON teams REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('-1');
CREATE TRIGGER projects_counted AFTER INSERT ON projects REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('1');
CREATE TRIGGER projects_uncounted AFTER DELETE ON projects REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('-1');
CREATE TRIGGER tokens_counted AFTER INSERT ON tokens REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('1');
CREATE TRIGGER tokens_uncounted AFTER DELETE ON tokens REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('-1');
CREATE TRIGGER roles_counted AFTER INSERT ON roles REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('1');
CREATE TRIGGER roles_uncounted AFTER DELETE ON roles REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('-1');
CREATE TRIGGER activity_counted AFTER INSERT ON activity REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('1');
CREATE TRIGGER activity_uncounted AFTER DELETE ON activity REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows('-1');
CREATE TRIGGER grants_counted AFTER INSERT ON grants REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_grants('1');
CREATE TRIGGER grants_uncounted AFTER DELETE ON grants REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_grants('-1');

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
