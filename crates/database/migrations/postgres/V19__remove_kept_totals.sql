-- Removes what kept totals and text indexes by hand: lists count their rows, and filters compare texts directly.

DROP TRIGGER users_counted ON users;
DROP TRIGGER users_uncounted ON users;
DROP TRIGGER teams_counted ON teams;
DROP TRIGGER teams_uncounted ON teams;
DROP TRIGGER projects_counted ON projects;
DROP TRIGGER projects_uncounted ON projects;
DROP TRIGGER tokens_counted ON tokens;
DROP TRIGGER tokens_uncounted ON tokens;
DROP TRIGGER roles_counted ON roles;
DROP TRIGGER roles_uncounted ON roles;
DROP TRIGGER activity_counted ON activity;
DROP TRIGGER activity_uncounted ON activity;
DROP TRIGGER grants_counted ON grants;
DROP TRIGGER grants_uncounted ON grants;
DROP FUNCTION count_rows();
DROP FUNCTION count_grants();
DROP FUNCTION count_roles();
DROP FUNCTION add_to_row_count(TEXT, BIGINT);
DROP TABLE row_counts;

-- The extension pg_trgm stays: others may use it. The indexes go with their columns.
DROP FUNCTION index_texts();
ALTER TABLE users DROP COLUMN searched;
ALTER TABLE organizations DROP COLUMN searched;
ALTER TABLE teams DROP COLUMN searched;
ALTER TABLE projects DROP COLUMN searched;
ALTER TABLE labels DROP COLUMN searched;
ALTER TABLE applications DROP COLUMN searched;
ALTER TABLE credentials DROP COLUMN searched;
