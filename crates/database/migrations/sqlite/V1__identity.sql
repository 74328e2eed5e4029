-- People, organizations, teams, who may do what, and what was done.
-- Times are microseconds since 1970 in UTC. Rows count their changes in
-- `version`, from which ETags are made. Ids are never used twice.

CREATE TABLE settings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    ansible_id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    last_login INTEGER,
    username TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    is_superuser INTEGER NOT NULL DEFAULT 0,
    is_system_auditor INTEGER NOT NULL DEFAULT 0,
    is_active INTEGER NOT NULL DEFAULT 1,
    password TEXT NOT NULL DEFAULT '',
    ldap_dn TEXT NOT NULL DEFAULT '',
    external_account TEXT
);
CREATE INDEX users_superusers ON users (id) WHERE is_superuser = 1;
CREATE INDEX users_last_name ON users (last_name);
CREATE INDEX users_email ON users (email);

CREATE TABLE organizations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    ansible_id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    max_hosts INTEGER NOT NULL DEFAULT 0,
    custom_virtualenv TEXT
);
CREATE INDEX organizations_created_by ON organizations (created_by_id);
CREATE INDEX organizations_modified_by ON organizations (modified_by_id);

CREATE TABLE teams (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    ansible_id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    UNIQUE (organization_id, name)
);
CREATE INDEX teams_name ON teams (name);
CREATE INDEX teams_created_by ON teams (created_by_id);
CREATE INDEX teams_modified_by ON teams (modified_by_id);

CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    UNIQUE (organization_id, name)
);
CREATE INDEX labels_created_by ON labels (created_by_id);
CREATE INDEX labels_modified_by ON labels (modified_by_id);

-- One row for each role of each object; two system-wide ones have no object.
CREATE TABLE roles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content_type TEXT,
    object_id INTEGER,
    role_field TEXT NOT NULL,
    UNIQUE (content_type, object_id, role_field)
);
CREATE INDEX roles_field ON roles (role_field);

-- Who holds a role: a user, or every member of a team.
CREATE TABLE grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    role_id INTEGER NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    team_id INTEGER REFERENCES teams (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    UNIQUE (role_id, user_id),
    UNIQUE (role_id, team_id),
    CHECK ((user_id IS NULL) <> (team_id IS NULL))
);
CREATE INDEX grants_user ON grants (user_id, role_id);
CREATE INDEX grants_team ON grants (team_id, role_id);
CREATE INDEX grants_created_by ON grants (created_by_id);

-- Of a token only the SHA-256 digest is kept.
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    description TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL DEFAULT 'write',
    expires INTEGER NOT NULL,
    last_used INTEGER
);
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest TEXT NOT NULL UNIQUE,
    -- An HMAC of the password hash: a session ends when the password changes.
    binding TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp INTEGER NOT NULL,
    operation TEXT NOT NULL,
    changes TEXT NOT NULL,
    object1 TEXT NOT NULL,
    object2 TEXT NOT NULL DEFAULT '',
    object_association TEXT NOT NULL DEFAULT '',
    object_type TEXT NOT NULL DEFAULT '',
    action_node TEXT NOT NULL DEFAULT '',
    actor_id INTEGER REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX activity_actor ON activity (actor_id);
CREATE INDEX activity_timestamp ON activity (timestamp);

-- The objects that an entry of the activity stream is about.
CREATE TABLE activity_links (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    activity_id INTEGER NOT NULL REFERENCES activity (id) ON DELETE CASCADE,
    content_type TEXT NOT NULL,
    object_id INTEGER NOT NULL
);
CREATE INDEX activity_links_activity ON activity_links (activity_id);
CREATE INDEX activity_links_object ON activity_links (content_type, object_id, activity_id);

INSERT INTO roles (role_field) VALUES ('system_administrator'), ('system_auditor');
