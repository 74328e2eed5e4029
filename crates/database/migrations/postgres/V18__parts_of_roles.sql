-- Whoever sees all teams sees their roles, beside a few others: a list of these begins with the ids of one type, and
-- tells how many there are without counting them.
CREATE INDEX roles_type ON roles (content_type, id);
DELETE FROM row_counts WHERE name = 'roles';
INSERT INTO row_counts (name, shard, n)
    SELECT 'roles.' || COALESCE(content_type, ''), 0, count(*) FROM roles GROUP BY content_type;
CREATE FUNCTION count_roles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_row_count('roles.' || COALESCE(content_type, ''), TG_ARGV[0]::bigint * count(*))
        FROM changed GROUP BY content_type;
    RETURN NULL;
END;
$$;
DROP TRIGGER roles_counted ON roles;
DROP TRIGGER roles_uncounted ON roles;
CREATE TRIGGER roles_counted AFTER INSERT ON roles REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_roles('1');
CREATE TRIGGER roles_uncounted AFTER DELETE ON roles REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_roles('-1');
