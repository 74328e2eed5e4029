-- Searching in parts of texts, which no ordinary index serves: an index of the trigrams of each text, that is of every
-- three characters in a row, by which a list finds the few rows that may hold a term. What it finds is compared with
-- the term all the same: so it may find too much, and never too little. `texts.rs` lists what is in it.
--
-- An entry stands for an object: its number is the id, plus 2^48 times the number of the table. Writing it costs ten
-- times what changing a name costs. So what is new is only noted in `texts_changed`, where searches look as well, and
-- every 256th note brings all of them into the index.
-- Neither is copied into backups, nor into another database: they are made anew there, from `searched_texts`.
-- Whoever rebuilds one of these tables has to make its triggers anew.
CREATE VIRTUAL TABLE texts USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram'
);
-- FTS5 else merges its segments as it goes, and whatever a tenth of was deleted: all other writes then waited for up to
-- half a second, again and again. Now it merges 64 at a time, in some 30 ms, and the many small ones that there are till
-- then cost a search little: after 380,000 changes of names it took half as long again.
INSERT INTO texts (texts, rank) VALUES ('automerge', 0), ('crisismerge', 64), ('deletemerge', 0);
CREATE TABLE texts_changed (
    id INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL
);
CREATE VIEW searched_texts AS
    SELECT 1 * (1 << 48) + id AS entry, username || char(10) || first_name || char(10) || last_name || char(10) || email AS text FROM users
    UNION ALL
    SELECT 2 * (1 << 48) + id AS entry, name || char(10) || description AS text FROM organizations
    UNION ALL
    SELECT 3 * (1 << 48) + id AS entry, name || char(10) || description AS text FROM teams
    UNION ALL
    SELECT 4 * (1 << 48) + id AS entry, name || char(10) || description AS text FROM projects
    UNION ALL
    SELECT 5 * (1 << 48) + id AS entry, name AS text FROM labels
    UNION ALL
    SELECT 6 * (1 << 48) + id AS entry, name || char(10) || description AS text FROM applications
    UNION ALL
    SELECT 7 * (1 << 48) + id AS entry, name || char(10) || description AS text FROM credentials;
INSERT INTO texts (rowid, text) SELECT entry, text FROM searched_texts;

CREATE TRIGGER texts_indexed AFTER INSERT ON texts_changed WHEN NEW.id % 256 = 0 BEGIN
    DELETE FROM texts WHERE rowid IN (SELECT entry FROM texts_changed);
    INSERT INTO texts (rowid, text) SELECT 1 * (1 << 48) + id, username || char(10) || first_name || char(10) || last_name || char(10) || email
        FROM users WHERE id IN (SELECT entry - 1 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 1);
    INSERT INTO texts (rowid, text) SELECT 2 * (1 << 48) + id, name || char(10) || description
        FROM organizations WHERE id IN (SELECT entry - 2 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 2);
    INSERT INTO texts (rowid, text) SELECT 3 * (1 << 48) + id, name || char(10) || description
        FROM teams WHERE id IN (SELECT entry - 3 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 3);
    INSERT INTO texts (rowid, text) SELECT 4 * (1 << 48) + id, name || char(10) || description
        FROM projects WHERE id IN (SELECT entry - 4 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 4);
    INSERT INTO texts (rowid, text) SELECT 5 * (1 << 48) + id, name
        FROM labels WHERE id IN (SELECT entry - 5 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 5);
    INSERT INTO texts (rowid, text) SELECT 6 * (1 << 48) + id, name || char(10) || description
        FROM applications WHERE id IN (SELECT entry - 6 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 6);
    INSERT INTO texts (rowid, text) SELECT 7 * (1 << 48) + id, name || char(10) || description
        FROM credentials WHERE id IN (SELECT entry - 7 * (1 << 48) FROM texts_changed WHERE entry >> 48 = 7);
    DELETE FROM texts_changed;
END;

CREATE TRIGGER users_texts_added AFTER INSERT ON users BEGIN
    INSERT INTO texts_changed (entry) VALUES (1 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER users_texts_changed AFTER UPDATE OF username, first_name, last_name, email ON users
    WHEN OLD.username <> NEW.username OR OLD.first_name <> NEW.first_name OR OLD.last_name <> NEW.last_name OR OLD.email <> NEW.email BEGIN
    INSERT INTO texts_changed (entry) VALUES (1 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER users_texts_removed AFTER DELETE ON users BEGIN
    INSERT INTO texts_changed (entry) VALUES (1 * (1 << 48) + OLD.id);
END;
CREATE TRIGGER organizations_texts_added AFTER INSERT ON organizations BEGIN
    INSERT INTO texts_changed (entry) VALUES (2 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER organizations_texts_changed AFTER UPDATE OF name, description ON organizations
    WHEN OLD.name <> NEW.name OR OLD.description <> NEW.description BEGIN
    INSERT INTO texts_changed (entry) VALUES (2 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER organizations_texts_removed AFTER DELETE ON organizations BEGIN
    INSERT INTO texts_changed (entry) VALUES (2 * (1 << 48) + OLD.id);
END;
CREATE TRIGGER teams_texts_added AFTER INSERT ON teams BEGIN
    INSERT INTO texts_changed (entry) VALUES (3 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER teams_texts_changed AFTER UPDATE OF name, description ON teams
    WHEN OLD.name <> NEW.name OR OLD.description <> NEW.description BEGIN
    INSERT INTO texts_changed (entry) VALUES (3 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER teams_texts_removed AFTER DELETE ON teams BEGIN
    INSERT INTO texts_changed (entry) VALUES (3 * (1 << 48) + OLD.id);
END;
CREATE TRIGGER projects_texts_added AFTER INSERT ON projects BEGIN
    INSERT INTO texts_changed (entry) VALUES (4 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER projects_texts_changed AFTER UPDATE OF name, description ON projects
    WHEN OLD.name <> NEW.name OR OLD.description <> NEW.description BEGIN
    INSERT INTO texts_changed (entry) VALUES (4 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER projects_texts_removed AFTER DELETE ON projects BEGIN
    INSERT INTO texts_changed (entry) VALUES (4 * (1 << 48) + OLD.id);
END;
CREATE TRIGGER labels_texts_added AFTER INSERT ON labels BEGIN
    INSERT INTO texts_changed (entry) VALUES (5 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER labels_texts_changed AFTER UPDATE OF name ON labels
    WHEN OLD.name <> NEW.name BEGIN
    INSERT INTO texts_changed (entry) VALUES (5 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER labels_texts_removed AFTER DELETE ON labels BEGIN
    INSERT INTO texts_changed (entry) VALUES (5 * (1 << 48) + OLD.id);
END;
CREATE TRIGGER applications_texts_added AFTER INSERT ON applications BEGIN
    INSERT INTO texts_changed (entry) VALUES (6 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER applications_texts_changed AFTER UPDATE OF name, description ON applications
    WHEN OLD.name <> NEW.name OR OLD.description <> NEW.description BEGIN
    INSERT INTO texts_changed (entry) VALUES (6 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER applications_texts_removed AFTER DELETE ON applications BEGIN
    INSERT INTO texts_changed (entry) VALUES (6 * (1 << 48) + OLD.id);
END;
CREATE TRIGGER credentials_texts_added AFTER INSERT ON credentials BEGIN
    INSERT INTO texts_changed (entry) VALUES (7 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER credentials_texts_changed AFTER UPDATE OF name, description ON credentials
    WHEN OLD.name <> NEW.name OR OLD.description <> NEW.description BEGIN
    INSERT INTO texts_changed (entry) VALUES (7 * (1 << 48) + NEW.id);
END;
CREATE TRIGGER credentials_texts_removed AFTER DELETE ON credentials BEGIN
    INSERT INTO texts_changed (entry) VALUES (7 * (1 << 48) + OLD.id);
END;
