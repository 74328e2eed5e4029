-- OAuth2: applications, the codes that lead to their tokens, and refresh tokens.
-- Of client secrets, codes and refresh tokens only the SHA-256 digest is kept.

CREATE TABLE applications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    client_id TEXT NOT NULL UNIQUE,
    -- A public application has none.
    client_secret TEXT,
    client_type TEXT NOT NULL,
    authorization_grant_type TEXT NOT NULL,
    -- Separated by white space.
    redirect_uris TEXT NOT NULL DEFAULT '',
    skip_authorization INTEGER NOT NULL DEFAULT 0,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    UNIQUE (organization_id, name)
);
CREATE INDEX applications_created_by ON applications (created_by_id);
CREATE INDEX applications_modified_by ON applications (modified_by_id);

ALTER TABLE tokens ADD COLUMN application_id INTEGER REFERENCES applications (id) ON DELETE CASCADE;
CREATE INDEX tokens_application ON tokens (application_id);

-- Refresh tokens that follow one another are a family. All of them point to the
-- access token that the family has come to: when that goes, all of them go.
CREATE TABLE refresh_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,
    token_id INTEGER NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    -- When a successor took its place; kept to recognize whoever uses it again.
    rotated INTEGER
);
CREATE INDEX refresh_tokens_token ON refresh_tokens (token_id);

CREATE TABLE authorization_codes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    application_id INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    -- As the request named it; empty if it named none.
    redirect_uri TEXT NOT NULL,
    scope TEXT NOT NULL,
    -- Of PKCE, made by the method S256.
    code_challenge TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    -- The token that the code was exchanged for, or what became of it by refreshing.
    token_id INTEGER REFERENCES tokens (id) ON DELETE CASCADE
);
CREATE INDEX authorization_codes_user ON authorization_codes (user_id);
CREATE INDEX authorization_codes_application ON authorization_codes (application_id);
CREATE INDEX authorization_codes_token ON authorization_codes (token_id);
CREATE INDEX authorization_codes_expires ON authorization_codes (expires);
