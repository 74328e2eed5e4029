-- Signing in: where sessions are used, attempts that failed, and second factors.

ALTER TABLE sessions ADD COLUMN last_used INTEGER;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';

-- Failed attempts by name, whether somebody is called so or not: whoever tries
-- must not learn the difference. The name is kept as an HMAC, for people type
-- passwords where names belong.
CREATE TABLE failed_sign_ins (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name_digest TEXT NOT NULL UNIQUE,
    failures INTEGER NOT NULL,
    last_failure INTEGER NOT NULL,
    address TEXT NOT NULL DEFAULT '',
    locked_until INTEGER
);
CREATE INDEX failed_sign_ins_last_failure ON failed_sign_ins (last_failure);

-- From where a user signed in with the right password lately. The place is an
-- HMAC of the address, or of the first half of one of IPv6.
CREATE TABLE known_places (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    place TEXT NOT NULL,
    last_success INTEGER NOT NULL,
    UNIQUE (user_id, place)
);
CREATE INDEX known_places_last_success ON known_places (last_success);

-- The second factor of a user (RFC 6238). It is asked for once it is confirmed.
CREATE TABLE second_factors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    confirmed INTEGER,
    -- Sealed with a key of the installation.
    secret TEXT NOT NULL,
    -- The last step of 30 seconds of which a code was used: none is taken twice.
    last_step INTEGER NOT NULL DEFAULT 0
);

-- What stands in for a lost device: each code once. Only digests are kept.
CREATE TABLE recovery_codes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    UNIQUE (user_id, digest)
);
