-- Large installations: filters and lists that had to look at each row.

-- The rows of the list of teams' assignments, and no others.
DROP INDEX grants_of_teams;
CREATE INDEX grants_of_teams ON grants (id) WHERE team_id IS NOT NULL AND definition_id IS NOT NULL;
-- As assignments name the object.
CREATE INDEX roles_object ON roles ((CAST(object_id AS TEXT)));
-- Each serves what the one in its place did, too.
DROP INDEX roles_field;
CREATE INDEX roles_field ON roles (role_field, content_type);
DROP INDEX activity_actor;
CREATE INDEX activity_actor ON activity (actor_id, operation);
CREATE INDEX activity_object1 ON activity (object1, id);
