-- Only roles that stand for custom definitions are looked up by them. While all others were in the index as well, the
-- roles of one object were looked for among them.
DROP INDEX roles_definition;
CREATE INDEX roles_definition ON roles (definition_id) WHERE definition_id IS NOT NULL;

DELETE FROM sqlite_stat1 WHERE idx = 'roles_definition';
