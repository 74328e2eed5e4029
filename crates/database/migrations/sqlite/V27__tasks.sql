-- Background tasks. A task with a lease is running; one that is complete is deleted.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    arguments TEXT NOT NULL,
    -- Of periodic tasks, which have one row each: the name again.
    periodic TEXT UNIQUE,
    created INTEGER NOT NULL,
    -- When it is due: after a failure, later each time.
    next_run INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    -- The process that runs it, and when another one may.
    lease_owner TEXT,
    lease_expires INTEGER
);
CREATE INDEX tasks_next_run ON tasks (next_run);

-- An organization with many objects is hidden at once, and deleted in steps.
ALTER TABLE organizations ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0;
