-- Counts the changes of settings, whoever makes them. Every request reads the
-- number together with its actor, and so knows whether what it remembers is true.
CREATE TABLE settings_generation (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
);
INSERT INTO settings_generation (id, generation) VALUES (1, 1);

CREATE TRIGGER settings_inserted AFTER INSERT ON settings
BEGIN
    UPDATE settings_generation SET generation = generation + 1;
END;
CREATE TRIGGER settings_updated AFTER UPDATE ON settings
BEGIN
    UPDATE settings_generation SET generation = generation + 1;
END;
CREATE TRIGGER settings_deleted AFTER DELETE ON settings
BEGIN
    UPDATE settings_generation SET generation = generation + 1;
END;

-- The setting that an entry of the activity stream is about, if it is about one.
ALTER TABLE activity ADD COLUMN setting TEXT;

-- The installation's own id is shown among the settings, and named as they are.
UPDATE settings SET name = 'INSTALL_UUID' WHERE name = 'install_uuid';
