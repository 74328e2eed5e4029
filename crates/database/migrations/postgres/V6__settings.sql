-- Counts the changes of settings, whoever makes them. Every request reads the
-- number together with its actor, and so knows whether what it remembers is true.
CREATE TABLE settings_generation (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    generation BIGINT NOT NULL
);
INSERT INTO settings_generation (id, generation) VALUES (1, 1);

CREATE FUNCTION count_settings_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE settings_generation SET generation = generation + 1;
    RETURN NULL;
END;
$$;
CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE ON settings
    FOR EACH STATEMENT EXECUTE FUNCTION count_settings_change();

-- The setting that an entry of the activity stream is about, if it is about one.
ALTER TABLE activity ADD COLUMN setting TEXT COLLATE "C";

-- The installation's own id is shown among the settings, and named as they are.
UPDATE settings SET name = 'INSTALL_UUID' WHERE name = 'install_uuid';
