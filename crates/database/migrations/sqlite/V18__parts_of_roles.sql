-- Whoever sees all teams sees their roles, beside a few others: a list of these begins with the ids of one type, and
-- tells how many there are without counting them.
CREATE INDEX roles_type ON roles (content_type);
DELETE FROM row_counts WHERE name = 'roles';
INSERT INTO row_counts (name, shard, n)
    SELECT 'roles.' || COALESCE(content_type, ''), 0, count(*) FROM roles GROUP BY content_type;
DROP TRIGGER roles_counted;
DROP TRIGGER roles_uncounted;
CREATE TRIGGER roles_counted AFTER INSERT ON roles BEGIN
    INSERT INTO row_counts (name, shard, n) VALUES ('roles.' || COALESCE(NEW.content_type, ''), 0, 1)
        ON CONFLICT (name, shard) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER roles_uncounted AFTER DELETE ON roles BEGIN
    UPDATE row_counts SET n = n - 1 WHERE shard = 0 AND name = 'roles.' || COALESCE(OLD.content_type, '');
END;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('roles', 'roles_type', '69000 17000');
