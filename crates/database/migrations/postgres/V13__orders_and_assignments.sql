-- Large installations: orders that lists are shown in, each with the id by which ties are broken, and assignments by
-- their definition.

-- Serves both orders, and a search in last names reads nothing else.
DROP INDEX users_last_name;
CREATE INDEX users_last_name ON users (last_name, username);
DROP INDEX users_first_name;
CREATE INDEX users_first_name ON users (first_name, id);
CREATE INDEX users_last_login ON users (last_login, id);
CREATE INDEX projects_modified ON projects (modified, id);
CREATE INDEX projects_created ON projects (created, id);

-- Which definition stands for the granted role is kept with the grant, so that a list of assignments joins nothing to
-- find its rows. A role never changes its definition, but the definition may come after the grant.
ALTER TABLE grants ADD COLUMN definition_id BIGINT REFERENCES role_definitions (id) ON DELETE CASCADE;
UPDATE grants SET definition_id = definitions.id
    FROM roles JOIN role_definitions AS definitions
        ON (CASE WHEN definitions.role_field IS NULL THEN CAST(definitions.id AS TEXT)
            ELSE COALESCE(definitions.role_type, '') || '.' || definitions.role_field END)
        = (CASE WHEN roles.definition_id IS NULL THEN COALESCE(roles.content_type, '') || '.' || roles.role_field
            ELSE CAST(roles.definition_id AS TEXT) END)
    WHERE roles.id = grants.role_id;
CREATE FUNCTION define_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.definition_id IS NULL THEN
        NEW.definition_id := (
            SELECT definitions.id FROM roles JOIN role_definitions AS definitions
                ON (CASE WHEN definitions.role_field IS NULL THEN CAST(definitions.id AS TEXT)
            ELSE COALESCE(definitions.role_type, '') || '.' || definitions.role_field END)
        = (CASE WHEN roles.definition_id IS NULL THEN COALESCE(roles.content_type, '') || '.' || roles.role_field
            ELSE CAST(roles.definition_id AS TEXT) END)
            WHERE roles.id = NEW.role_id
        );
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER grants_defined BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION define_grant();
CREATE FUNCTION define_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE grants SET definition_id = NEW.id WHERE definition_id IS NULL AND role_id IN (
        SELECT roles.id FROM roles WHERE (CASE WHEN roles.definition_id IS NULL THEN COALESCE(roles.content_type, '') || '.' || roles.role_field
            ELSE CAST(roles.definition_id AS TEXT) END)
        = COALESCE(NEW.role_type, '') || '.' || NEW.role_field
    );
    RETURN NULL;
END;
$$;
CREATE TRIGGER role_definitions_granted AFTER INSERT ON role_definitions
    FOR EACH ROW WHEN (NEW.role_field IS NOT NULL) EXECUTE FUNCTION define_grants();
CREATE INDEX grants_definition ON grants (definition_id, id);
DROP VIEW role_user_assignments;
DROP VIEW role_team_assignments;
CREATE VIEW role_user_assignments AS
    SELECT grants.id, grants.created, grants.created_by_id, grants.definition_id AS role_definition_id,
        definitions.content_type AS content_type, CAST(roles.object_id AS TEXT) AS object_id,
        roles.content_type AS object_type, roles.object_id AS object_number, grants.user_id
    FROM grants
    LEFT JOIN roles ON roles.id = grants.role_id
    LEFT JOIN role_definitions AS definitions ON definitions.id = grants.definition_id
    WHERE grants.user_id IS NOT NULL AND grants.definition_id IS NOT NULL;
CREATE VIEW role_team_assignments AS
    SELECT grants.id, grants.created, grants.created_by_id, grants.definition_id AS role_definition_id,
        definitions.content_type AS content_type, CAST(roles.object_id AS TEXT) AS object_id,
        roles.content_type AS object_type, roles.object_id AS object_number, grants.team_id
    FROM grants
    LEFT JOIN roles ON roles.id = grants.role_id
    LEFT JOIN role_definitions AS definitions ON definitions.id = grants.definition_id
    WHERE grants.team_id IS NOT NULL AND grants.definition_id IS NOT NULL;
