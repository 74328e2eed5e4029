-- Searching in parts of texts, which no ordinary index serves: all texts of an object that are searched in one, in lower
-- case, and an index of the trigrams in it, by which a list finds the few rows that may hold a term. What it finds is
-- compared with the term all the same. `texts.rs` lists what is in it.
-- The index takes the extension pg_trgm, which comes with PostgreSQL, and which the owner of a database may create.
-- Where it is not installed there is no index, and all rows are read: a server tries again at each start.
ALTER TABLE users ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((username || E'\n' || first_name || E'\n' || last_name || E'\n' || email) COLLATE "und-x-icu")
) STORED;
ALTER TABLE organizations ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((name || E'\n' || description) COLLATE "und-x-icu")
) STORED;
ALTER TABLE teams ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((name || E'\n' || description) COLLATE "und-x-icu")
) STORED;
ALTER TABLE projects ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((name || E'\n' || description) COLLATE "und-x-icu")
) STORED;
ALTER TABLE labels ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((name) COLLATE "und-x-icu")
) STORED;
ALTER TABLE applications ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((name || E'\n' || description) COLLATE "und-x-icu")
) STORED;
ALTER TABLE credentials ADD COLUMN searched TEXT GENERATED ALWAYS AS (
    lower((name || E'\n' || description) COLLATE "und-x-icu")
) STORED;

-- Makes what is missing.
CREATE FUNCTION index_texts() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    searched TEXT;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE EXTENSION pg_trgm;
    END IF;
    FOREACH searched IN ARRAY ARRAY['users', 'organizations', 'teams', 'projects', 'labels', 'applications', 'credentials'] LOOP
        IF to_regclass(searched || '_texts') IS NULL THEN
            -- What is new is brought into the index before searches have to read much of it one by one. In KB.
            EXECUTE format(
                'CREATE INDEX %I ON %I USING gin (searched gin_trgm_ops) WITH (gin_pending_list_limit = 256)',
                searched || '_texts', searched
            );
        END IF;
    END LOOP;
EXCEPTION
    -- Not installed, not to be created by this user, or in a schema where we do not look.
    WHEN undefined_file OR feature_not_supported OR insufficient_privilege OR undefined_object THEN
        RAISE NOTICE 'texts are searched without an index: %', SQLERRM;
END;
$$;
SELECT index_texts();
