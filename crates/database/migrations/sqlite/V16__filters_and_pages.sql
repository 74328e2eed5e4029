-- Large installations: filters that had to look at each row, and pages that had to pass over many.

-- The rows of the two lists of assignments, with all that is asked of them before they are shown: SQLite takes an index
-- for a list of everything only where it need not look at the table.
DROP INDEX grants_of_teams;
CREATE INDEX grants_of_teams ON grants (id, team_id, definition_id, role_id)
    WHERE team_id IS NOT NULL AND definition_id IS NOT NULL;
CREATE INDEX grants_of_users ON grants (id, user_id, definition_id, role_id)
    WHERE user_id IS NOT NULL AND definition_id IS NOT NULL;
-- The same of one definition, in the order of the list.
DROP INDEX grants_definition;
CREATE INDEX grants_definition ON grants (definition_id, id, user_id, role_id);
-- As assignments name the object.
CREATE INDEX roles_object ON roles (CAST(object_id AS TEXT));
-- Each serves what the one in its place did, too.
DROP INDEX roles_field;
CREATE INDEX roles_field ON roles (role_field, content_type);
DROP INDEX activity_actor;
CREATE INDEX activity_actor ON activity (actor_id, operation);
CREATE INDEX activity_object1 ON activity (object1);
CREATE INDEX users_names ON users (last_name, first_name, username);

DELETE FROM sqlite_stat1 WHERE idx IN ('grants_of_teams', 'grants_definition', 'roles_field', 'activity_actor');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('activity', 'activity_actor', '50000 67 22'),
    ('activity', 'activity_object1', '50000 25000'),
    ('grants', 'grants_definition', '200000 33000 1 1 1'),
    ('grants', 'grants_of_teams', '10000 1 1 1 1'),
    ('grants', 'grants_of_users', '190000 1 1 1 1'),
    ('roles', 'roles_field', '69000 3800 2300'),
    ('roles', 'roles_object', '69000 6'),
    ('users', 'users_names', '100000 4000 250 1');
